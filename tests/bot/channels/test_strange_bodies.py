"""Bodies that no provider sends but that JSON, or a network, lets through: each has an answer, and the next message is answered."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest

from bot.channels.telegram import webhook_secret
from bot.service import Service
from tests.bot.channels.servers import SECRET, MetaServer, TelegramServer, over_telegram, over_whatsapp
from tests.patience import until

LARGEST = 1024 * 1024
Send = Callable[[bytes], int]
DEEP = b"[" * 100_000 + b"]" * 100_000
# Put between the quotes of a text as they stand, so that the JSON has them as somebody wrote them.
TEXTS = {
    "lone surrogate": rb"\ud83d",
    "surrogates the wrong way round": rb"\udc00\ud83d",
    "NUL": rb"a\u0000b",
    "no character": rb"\ufffe\uffff",
    "only NUL": rb"\u0000",
    "directions": rb"\u202e\u2066\u200f",
    "long": b"a" * 500_000,
    "combining": rb"e" + rb"\u0301" * 20_000,
    "empty": b"",
}


@pytest.fixture
def to_telegram(telegram: TelegramServer, start: Any, service: Service) -> Send:
    client = start(**over_telegram(telegram), public_url="https://wegwijs.example")
    headers = {"X-Telegram-Bot-Api-Secret-Token": webhook_secret(service.key)}
    return lambda body: int(client.post("/webhooks/telegram", content=body, headers=headers).status_code)


@pytest.fixture
def to_whatsapp(meta: MetaServer, start: Any) -> Send:
    client = start(**over_whatsapp(meta))

    def send(body: bytes) -> int:
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={signature}"}
        return int(client.post("/webhooks/whatsapp", content=body, headers=headers).status_code)

    return send


def update(text: bytes, number: bytes = b"5", chat: bytes = b"7") -> bytes:
    person = b'{"id": %s, "type": "private", "is_bot": false, "first_name": "x"}' % chat
    message = b'{"message_id": %s, "date": 1, "chat": %s, "from": %s, "text": "%s"}' % (number, person, person, text)
    return b'{"update_id": 1, "message": %s}' % message


def webhook(text: bytes, number: bytes = b'"w5"', sender: bytes = b'"31612345678"') -> bytes:
    message = b'{"id": %s, "from": %s, "type": "text", "text": {"body": "%s"}}' % (number, sender, text)
    return b'{"entry": [{"changes": [{"value": {"messages": [%s]}}]}]}' % message


@pytest.mark.parametrize("name", TEXTS)
def test_a_strange_text_is_taken_and_the_next_one_answered_on_telegram(
    telegram: TelegramServer, to_telegram: Send, name: str
) -> None:
    assert to_telegram(update(TEXTS[name])) == 200
    assert to_telegram(update(b"next", b"6")) == 200
    until(lambda: any("heard next" in said for said in telegram.texts(7)))


@pytest.mark.parametrize("name", TEXTS)
def test_a_strange_text_is_taken_and_the_next_one_answered_on_whatsapp(
    meta: MetaServer, to_whatsapp: Send, name: str
) -> None:
    assert to_whatsapp(webhook(TEXTS[name])) == 200
    assert to_whatsapp(webhook(b"next", b'"w6"')) == 200
    until(lambda: any("heard next" in json.dumps(sent) for sent in meta.sent))


NO_MESSAGES = {
    "deep": DEEP,
    "deep below a key": b'{"entry": %s}' % DEEP,
    "cut off": update(b"x")[:-5],
    "two of them": b"{}{}",
    "not a number": b'{"entry": NaN, "update_id": NaN}',
    "not UTF-8": b'{"entry": "\xff\xfe"}',
    "a mark first": b"\xef\xbb\xbf{}",
    "a huge number": b'{"update_id": 1e999, "entry": 1e999}',
    "a number of 5000 digits": b'{"update_id": %s, "entry": 1}' % (b"9" * 5000),
}


@pytest.mark.parametrize("name", NO_MESSAGES)
def test_what_is_no_update_is_refused_or_says_nothing(telegram: TelegramServer, to_telegram: Send, name: str) -> None:
    assert to_telegram(NO_MESSAGES[name]) in (200, 400)
    assert to_telegram(update(b"next")) == 200
    until(lambda: any("heard next" in said for said in telegram.texts(7)))


CHAT = b'"message_id": 5, "date": 1, "chat": {"id": 7, "type": "private"}'


@pytest.mark.parametrize("value", [b"[[0.5, 1e39]]", b'{"a": 1}', b"7", b"true"])
@pytest.mark.parametrize(
    "what", [b'"message": {%s, "text": %s}', b'"message": {%s, "caption": %s}', b'"edited_message": {%s, "text": %s}']
)
def test_a_text_that_is_none_is_refused(to_telegram: Send, what: bytes, value: bytes) -> None:
    assert to_telegram(b'{"update_id": 1, %s}' % (what % (CHAT, value))) == 400


@pytest.mark.parametrize("name", NO_MESSAGES)
def test_what_is_no_webhook_is_refused(meta: MetaServer, to_whatsapp: Send, name: str) -> None:
    assert to_whatsapp(NO_MESSAGES[name]) == 400
    assert to_whatsapp(webhook(b"next")) == 200
    until(lambda: any("heard next" in json.dumps(sent) for sent in meta.sent))


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 413)])
def test_a_body_of_a_megabyte_is_read_and_none_that_is_larger(to_whatsapp: Send, more: int, status: int) -> None:
    body = webhook(b"a")
    assert to_whatsapp(body + b" " * (LARGEST - len(body) + more)) == status


@pytest.mark.parametrize("number", [b"9" * 30, b"-9" + b"9" * 30, b"9" * 4000, b"1.5", b"true"])
def test_huge_ids_are_taken_or_refused_and_harm_nobody(
    telegram: TelegramServer, to_telegram: Send, number: bytes
) -> None:
    assert to_telegram(update(b"x", number)) in (200, 400)
    assert to_telegram(update(b"x", b"1", number)) in (200, 400)
    assert to_telegram(update(b"next", b"6")) == 200
    until(lambda: any("heard next" in said for said in telegram.texts(7)))


@pytest.mark.parametrize("name", [b'"' + b"w" * 5000 + b'"', b"9" * 30, b'"\\u0000"', b'"\\ud83d"', b'{"a": 1}'])
def test_huge_and_strange_ids_of_whatsapp_harm_nobody(meta: MetaServer, to_whatsapp: Send, name: bytes) -> None:
    assert to_whatsapp(webhook(b"x", name)) in (200, 400)
    assert to_whatsapp(webhook(b"x", b'"w1"', name)) in (200, 400)
    assert to_whatsapp(webhook(b"next", b'"w6"')) == 200
    until(lambda: any("heard next" in json.dumps(sent) for sent in meta.sent))


def test_a_cry_with_half_an_emoji_in_it_is_a_cry(meta: MetaServer, to_whatsapp: Send) -> None:
    assert to_whatsapp(webhook(rb"I want to kill myself \ud83d")) == 200
    assert "113" in json.dumps(meta.sent[0])


def test_of_a_key_that_stands_twice_the_last_counts_once(telegram: TelegramServer, to_telegram: Send) -> None:
    assert to_telegram(update(b'first", "text": "second')) == 200
    until(lambda: telegram.texts(7))
    assert [said.split()[1] for said in telegram.texts(7)] == ["second"]
