"""A channel that is closed for a while: one word to each person, the number to whoever is in danger, and nothing is kept."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from starlette.responses import Response

from bot.channels import reception
from bot.frozen import FrozenPath
from bot.service import Service
from knowledge.files import Content
from nlu.urgency import Level
from tests.bot.channels.servers import MetaServer, TelegramServer, over_telegram, over_whatsapp
from tests.bot.channels.test_messengers import brought, message
from tests.patience import until

CRY = "I want to kill myself"
PERHAPS = "I am scared of him"
CLOSED = "closed for the moment"


@pytest.fixture
def closed(telegram: TelegramServer, start: Any) -> TestClient:
    return start(**over_telegram(telegram), closed_channels=("telegram",))


def settled(telegram: TelegramServer) -> list[str]:
    """What was said to the first person when somebody else has been answered after them."""
    telegram.say(8, "hello")
    until(lambda: telegram.texts(8))
    return telegram.texts(7)


def test_it_is_said_in_the_language_of_who_writes_and_nothing_is_stored(
    telegram: TelegramServer, closed: TestClient, service: Service, content: Content
) -> None:
    telegram.say(7, "hello", code="pl")
    (said,) = settled(telegram)
    assert said.startswith(content.phrases["pl"].phrases["channel.closed"].split("{")[0])
    assert "112" in said
    with service.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM inbox")).scalar() == 0


def test_it_is_said_once_however_much_is_written_and_not_to_an_edit(
    telegram: TelegramServer, closed: TestClient
) -> None:
    edited = {"message_id": 1, "date": 1, "edit_date": 2, "chat": {"id": 7, "type": "private"}, "text": "hello"}
    telegram.push(edited_message=edited)
    assert settled(telegram) == []
    for number in range(5):
        telegram.say(7, f"number {number}", code="en")
    until(lambda: telegram.texts(7))
    telegram.say(9, "hello")
    until(lambda: telegram.texts(9))
    assert len(telegram.texts(7)) == 1


def test_a_cry_always_gets_its_number_once_for_each_message(telegram: TelegramServer, closed: TestClient) -> None:
    telegram.say(7, "hello", code="en")
    for number in (1, 1, 2):
        telegram.say(7, CRY, code="en", message_id=number)
    telegram.press(7, "/urgent.danger", {"message_id": 5, "date": 1, "chat": {"id": 7, "type": "private"}, "text": "x"})
    first, *others = settled(telegram)
    assert CLOSED in first
    assert ["113" in said for said in others] == [True, True, False]
    assert "112" in others[2]
    assert CLOSED not in others[2]


def test_whoever_may_be_in_danger_hears_the_number_each_time(
    telegram: TelegramServer, closed: TestClient, content: Content
) -> None:
    perhaps = FrozenPath(content).judge(PERHAPS)
    assert perhaps is not None
    assert perhaps.level is Level.POSSIBLE
    for number in (1, 2, 2):
        telegram.say(7, PERHAPS, code="en", message_id=number)
    assert [CLOSED in said and "112" in said for said in settled(telegram)] == [True, True]


def test_the_word_that_could_not_be_sent_is_said_to_the_next_message(
    telegram: TelegramServer, closed: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception, "TRY_AGAIN_SECONDS", 0.0)
    telegram.answers.append((500, {"description": "Internal Server Error"}))
    telegram.say(7, "one", code="en")
    telegram.say(7, "two", code="en")
    assert [CLOSED in said for said in settled(telegram)] == [True]


def test_stop_is_kept_and_has_its_receipt(telegram: TelegramServer, closed: TestClient, service: Service) -> None:
    telegram.say(7, "stop", code="en")
    until(lambda: any("only write when you do" in said for said in telegram.texts(7)))
    with service.engine.connect() as connection:
        assert connection.execute(text("SELECT stopped_at FROM conversation")).scalar() is not None


def test_on_whatsapp_one_delivery_after_the_other_says_it_once(meta: MetaServer, start: Any) -> None:
    client = start(**over_whatsapp(meta), closed_channels=("whatsapp",))
    for _ in range(3):
        assert brought(client, messages=[message(1, type="text", text={"body": "hello"})]) == 200
    assert brought(client, messages=[message(2, type="text", text={"body": CRY})] * 2) == 200
    assert ["113" in str(sent) for sent in meta.sent] == [False, True]


@pytest.mark.parametrize(("cry", "number"), [(CRY, "113"), (PERHAPS, "112")])
def test_a_cry_whose_number_could_not_be_sent_is_brought_again(
    telegram: TelegramServer, closed: TestClient, cry: str, number: str
) -> None:
    telegram.answers.append((500, {"description": "Internal Server Error"}))
    telegram.say(7, cry, code="en")
    assert [number in said for said in settled(telegram)] == [True]


def test_on_whatsapp_a_cry_whose_number_could_not_be_sent_is_brought_again(meta: MetaServer, start: Any) -> None:
    client = start(**over_whatsapp(meta), closed_channels=("whatsapp",))
    meta.answers.append(Response(status_code=500))
    cries = [message(number, type="text", text={"body": CRY}) for number in (1, 2)]
    assert brought(client, messages=cries) == 503
    assert brought(client, messages=cries) == 200
    assert ["113" in str(sent) for sent in meta.sent] == [True, True]
