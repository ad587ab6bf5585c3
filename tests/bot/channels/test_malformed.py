"""Payloads that no provider sends: whatever comes, the answer is one of those decided, and nothing of it stands in a log.

`pytest tests/bot/channels/test_malformed.py --hypothesis-profile=thorough` tries 10,000 for each channel.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bot.channels.telegram import webhook_secret
from tests.bot.channels.servers import SECRET, MetaServer, TelegramServer, over_telegram, over_whatsapp
from tests.patience import until

MARK = "nobody-may-read-this"
CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
PHASES = (Phase.explicit, Phase.generate)  # what fails is shown as it was found: shrinking would take as long again
CHAT = {"id": 7, "type": "private", "first_name": MARK}
SENDER = {"id": 7, "is_bot": False, "first_name": MARK, "language_code": "pl"}
TELEGRAM = [
    {"message": {"message_id": 5, "date": 1, "chat": CHAT, "from": SENDER, "text": MARK}},
    {
        "message": {
            "message_id": 5,
            "date": 1,
            "chat": CHAT,
            "from": SENDER,
            "location": {"latitude": 51, "longitude": 6},
        }
    },
    {"message": {"message_id": 5, "date": 1, "chat": CHAT, "photo": [{"file_id": "f", "file_unique_id": "u"}]}},
    {"callback_query": {"id": "1", "from": SENDER, "chat_instance": "1", "data": "/menu", "message": {"chat": CHAT}}},
    {"edited_message": {"message_id": 5, "date": 1, "chat": CHAT, "text": MARK}},
]
WHATSAPP = [
    {"messages": [{"id": "w1", "from": "316", "type": "text", "text": {"body": MARK}}]},
    {"messages": [{"id": "w2", "from": "316", "type": "interactive", "interactive": {"list_reply": {"id": "/menu"}}}]},
    {"messages": [{"id": "w3", "from": "316", "type": "location", "location": {"latitude": 51, "longitude": 6}}]},
    {"messages": [{"id": "w4", "from": "316", "type": "image", "image": {"id": "m", "caption": MARK}}]},
    {
        "messages": [
            {"id": "w5", "from": "316", "type": "system", "system": {"type": "user_changed_number", "wa_id": "317"}}
        ]
    },
    {"statuses": [{"id": "w6", "status": "read"}]},
    {
        "messages": [
            {
                "id": "w7",
                "type": "system",
                "system": {"type": "user_changed_user_id", "user_id": "NL.2", "previous_user_id": "NL.1"},
            }
        ]
    },
    {
        "messages": [
            {
                "id": "w8",
                "from": "316",
                "from_user_id": "NL.1",
                "timestamp": "1",
                "type": "edit",
                "edit": {"original_message_id": "w1", "message": {"type": "text", "text": {"body": MARK}}},
            }
        ]
    },
]
PAGE = [
    {"id": "message-1", "text": MARK, "language": "pl"},
    {"id": "message-2", "button": '/area{"area":"work"}'},
    {"id": "message-3", "position": {"latitude": 51.4, "longitude": 6.2}},
]
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(MARK)
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def mutated(draw: st.DrawFn, samples: list[Any]) -> Any:
    """A sample in which up to three places hold something else, or nothing."""
    whole = [copy.deepcopy(draw(st.sampled_from(samples)))]
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(whole))
        holder, key = draw(st.sampled_from(places))
        if draw(st.booleans()) or holder is whole:
            holder[key] = draw(anything)
        else:
            del holder[key]
    return whole[0]


def _places(node: Any) -> Any:
    for key in list(node) if isinstance(node, dict) else range(len(node)):
        yield node, key
        if isinstance(node[key], dict | list):
            yield from _places(node[key])


@pytest.fixture
def nothing_is_logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[], None]:
    caplog.set_level(logging.INFO)

    def check() -> None:
        written = "".join(capfd.readouterr()) + caplog.text
        assert "Traceback" not in written, written[-2000:]
        assert MARK not in written

    return check


def sends(samples: list[Any], send: Callable[[bytes], int], decided: set[int]) -> Callable[[], None]:
    """A test that sends changed samples and looks at the status of the answers."""

    @settings(suppress_health_check=CHECKS, phases=PHASES, deadline=None)
    @given(mutated(samples))
    def try_out(payload: Any) -> None:
        assert send(json.dumps(payload).encode()) in decided

    return try_out


def test_telegram(telegram: TelegramServer, start: Any, service: Any, nothing_is_logged: Callable[[], None]) -> None:
    client: TestClient = start(**over_telegram(telegram), public_url="https://wegwijs.example")
    headers = {"X-Telegram-Bot-Api-Secret-Token": webhook_secret(service.key)}
    sends(
        [{"update_id": 1, **one} for one in TELEGRAM],
        lambda body: client.post("/webhooks/telegram", content=body, headers=headers).status_code,
        {200, 400},
    )()
    nothing_is_logged()


def test_whatsapp(meta: MetaServer, start: Any, nothing_is_logged: Callable[[], None]) -> None:
    client: TestClient = start(**over_whatsapp(meta))

    def send(body: bytes) -> int:
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={signature}"}
        return client.post("/webhooks/whatsapp", content=body, headers=headers).status_code

    sends([{"entry": [{"changes": [{"value": one}]}]} for one in WHATSAPP], send, {200, 400})()
    nothing_is_logged()


def test_page(start: Any, nothing_is_logged: Callable[[], None]) -> None:
    client: TestClient = start(messages_per_minute=10**6, messages_per_minute_of_address=10**6)
    headers = {"Authorization": f"Bearer {client.post('/api/v1/conversations').json()['token']}"}
    sends(
        PAGE,
        lambda body: client.post("/api/v1/messages", content=body, headers=headers).status_code,
        {202, 413, 422},
    )()
    nothing_is_logged()


def test_polling_leaves_out_what_it_can_not_read_and_goes_on(
    telegram: TelegramServer, start: Any, nothing_is_logged: Callable[[], None]
) -> None:
    telegram.push(callback_query={"id": "1", "from": SENDER, "data": MARK})  # the library reads no such thing
    telegram.push(message={"date": MARK})
    telegram.say(7, "hello")
    start(**over_telegram(telegram))
    until(lambda: telegram.sent)
    assert telegram.texts(7)[0].startswith("heard hello")
    nothing_is_logged()
