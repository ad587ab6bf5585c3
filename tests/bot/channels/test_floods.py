"""One person who writes without end: told once, in their language, while everybody else and whoever is in danger is served."""

from __future__ import annotations

import time
from typing import Any

import pytest
from sqlalchemy import text

from bot.channels import reception
from bot.frozen import FrozenPath
from bot.limits import URGENT_PER_MINUTE
from bot.service import Service
from knowledge.files import Content
from tests.bot.channels.servers import TelegramServer, over_telegram
from tests.patience import until

CRY = "I want to kill myself"
TOLD = "That was a lot at once"
MOST = 3


def flooded(telegram: TelegramServer, start: Any, messages: int = 8) -> None:
    """Somebody has written more than is read, and another person has been answered after it."""
    start(**over_telegram(telegram), messages_per_minute=MOST)
    for number in range(messages):
        telegram.say(7, f"message number {number}", code="en")
    telegram.say(8, "hello")
    until(lambda: telegram.texts(8))


def heard(telegram: TelegramServer, chat: int) -> list[str]:
    return [said for said in telegram.texts(chat) if said.startswith("heard")]


def test_what_is_too_much_is_said_once_and_the_rest_is_answered(
    telegram: TelegramServer, start: Any, service: Service
) -> None:
    flooded(telegram, start)
    until(lambda: len(heard(telegram, 7)) == MOST and any(TOLD in said for said in telegram.texts(7)))
    (told,) = (said for said in telegram.texts(7) if TOLD in said)
    assert "112" in told
    assert heard(telegram, 8) == ["heard hello &lt;b&gt;&amp;"]
    with service.engine.connect() as connection:
        stored = connection.execute(text("SELECT body FROM inbox ORDER BY id")).scalars().all()
    assert stored == [*(f"message number {number}" for number in range(MOST)), "hello"]


def test_a_cry_gets_its_number_however_much_was_written(telegram: TelegramServer, start: Any) -> None:
    flooded(telegram, start)
    telegram.say(7, CRY)
    until(lambda: any("113" in said for said in telegram.texts(7)))


def test_stop_is_heard_however_much_was_written(telegram: TelegramServer, start: Any) -> None:
    flooded(telegram, start)
    telegram.say(7, "stop", code="en")
    until(lambda: any("only write when you do" in said for said in telegram.texts(7)))


def test_the_button_of_an_emergency_is_heard_however_much_was_written(
    telegram: TelegramServer, start: Any, service: Service
) -> None:
    start(**over_telegram(telegram), messages_per_minute=MOST)
    for number in range(MOST + 5):
        telegram.say(7, f"number {number}", date=int(time.time()))
    message = {"message_id": 5, "date": 1_764_000_000, "chat": {"id": 7, "type": "private"}, "text": "said"}
    telegram.press(7, "/urgent.danger", message)

    def stored() -> list[str]:
        with service.engine.connect() as connection:
            return list(connection.execute(text("SELECT body FROM inbox WHERE kind = 'button'")).scalars())

    until(lambda: stored() == ["/urgent.danger"])


def test_cries_without_end_keep_nobody_waiting(telegram: TelegramServer, start: Any, service: Service) -> None:
    start(**over_telegram(telegram), messages_per_minute=MOST)
    for _ in range(URGENT_PER_MINUTE + 5):
        telegram.say(7, CRY)
    telegram.say(7, "he hits me", code="en")  # another danger has a limit of its own
    telegram.say(8, "hello")
    until(lambda: telegram.texts(8), 30)
    with service.engine.connect() as connection:
        cries = connection.execute(text("SELECT count(*) FROM inbox WHERE is_urgent")).scalar()
    assert cries == URGENT_PER_MINUTE + 1
    assert any("0800 2000" in said for said in telegram.texts(7))


def test_whoever_wrote_all_day_while_the_service_stood_still_is_answered(telegram: TelegramServer, start: Any) -> None:
    for number in range(MOST + 2):
        telegram.say(7, f"number {number}", date=1_764_000_000 + 60 * number)
    start(**over_telegram(telegram), messages_per_minute=MOST)
    until(lambda: len(heard(telegram, 7)) == MOST + 2)


def test_what_waited_is_no_flood_where_the_newest_comes_first(telegram: TelegramServer, start: Any) -> None:
    for number in range(MOST + 2):
        telegram.say(7, f"number {number}", date=1_764_000_000 - 120 * number)
    start(**over_telegram(telegram), messages_per_minute=MOST)
    until(lambda: len(heard(telegram, 7)) == MOST + 2)


def test_what_is_brought_again_and_again_is_no_flood(telegram: TelegramServer, start: Any) -> None:
    start(**over_telegram(telegram), messages_per_minute=MOST)
    for _ in range(MOST + 5):
        telegram.say(7, "the same", message_id=1)
    telegram.say(7, "another")
    until(lambda: len(heard(telegram, 7)) == 2)
    assert not any("at once" in said for said in telegram.texts(7))


def test_nobody_is_told_that_what_was_read_and_is_brought_again_is_too_much(
    telegram: TelegramServer, start: Any
) -> None:
    start(**over_telegram(telegram), messages_per_minute=MOST)
    for number in (1, 2, 3, 3):
        telegram.say(7, f"number {number}", code="en", message_id=number)
    telegram.say(8, "hello")
    until(lambda: telegram.texts(8) and len(heard(telegram, 7)) == MOST)
    assert not any(TOLD in said for said in telegram.texts(7))


def test_that_it_is_too_much_is_said_again_where_it_could_not_be_sent(
    telegram: TelegramServer, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception, "TRY_AGAIN_SECONDS", 0.0)
    start(**over_telegram(telegram), messages_per_minute=1)
    telegram.say(7, "one", code="en")
    until(lambda: heard(telegram, 7))
    telegram.answers.append((500, {"description": "Internal Server Error"}))
    for number in range(3):
        telegram.say(7, f"number {number}", code="en")
    until(lambda: any(TOLD in said for said in telegram.texts(7)))
    assert not telegram.answers


def test_it_is_said_in_the_language_of_who_writes(content: Content) -> None:
    frozen = FrozenPath(content)
    assert frozen.slow_down("", language="pl", hint="en").text.startswith("To było dużo naraz")
    assert frozen.slow_down("", language=None, hint="pl").text.startswith("To było dużo naraz")
