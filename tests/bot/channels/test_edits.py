"""What people change in their messages: nothing is answered twice, and a cry for help is heard there, too."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from actions.reply import Button, Reply
from bot.assistant_port import Outcome, Understood
from bot.inbox import Turn
from bot.service import Service
from tests.bot.channels.servers import TelegramServer, over_telegram
from tests.patience import until

CRY = "I want to kill myself"


class Hearing:
    """An assistant that hears a cry where the phrases hear none."""

    async def respond(self, turn: Turn) -> Outcome:
        if "dark" in turn.body:
            reply = Reply(language="en", text="call 113", topic="urgent.suicide", is_urgent=True)
            return Outcome((reply,), {"language": "en", "greeted": True})
        perhaps = "urgent.abuse" if "maybe" in turn.body else None
        button = Button(label="Menu", payload="/menu")
        understood = Understood("work.payslip", 0.9, "answer", perhaps)
        return Outcome(
            (Reply(language="en", text=f"heard {turn.body}", buttons=(button,)),), {"greeted": True}, understood
        )


@pytest.fixture
def edit(telegram: TelegramServer, start: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(Service, "load_assistant", lambda self: Hearing())
    start(**over_telegram(telegram))

    def change(said: str, times: int = 1, **more: Any) -> None:
        chat = {"id": 7, "type": more.pop("chat_type", "private")}
        content = more or {"text": said}
        edited = {"message_id": 1, "date": 1, "edit_date": 2, "chat": chat, **content}
        telegram.push(edited_message=edited, times=times)

    return change


def settled(telegram: TelegramServer) -> list[str]:
    """What was said up to the answer to one more message."""
    telegram.say(7, "last")
    until(lambda: any("last" in said for said in telegram.texts(7)))
    return [said for said in telegram.texts(7) if "last" not in said]


def test_an_edit_is_not_answered(telegram: TelegramServer, edit: Any, service: Service) -> None:
    edit("where is my payslip")
    assert settled(telegram) == []
    with service.engine.connect() as connection:
        handled = connection.execute(text("SELECT handled_at FROM inbox WHERE is_edit")).scalar_one()
    assert handled is not None


def test_a_cry_in_an_edit_gets_its_number_at_once_and_once(telegram: TelegramServer, edit: Any) -> None:
    edit(CRY, times=2)
    (help_,) = (said for said in settled(telegram) if "113" in said)
    assert help_


def test_a_second_edit_in_the_same_second_is_judged_too(telegram: TelegramServer, edit: Any) -> None:
    edit("I want")
    edit(CRY)
    assert any("113" in said for said in settled(telegram))


@pytest.mark.parametrize(("said", "heard"), [("it is so dark now", "call 113"), ("well, maybe", "heard well, maybe")])
def test_what_only_the_model_hears_is_answered(telegram: TelegramServer, edit: Any, said: str, heard: str) -> None:
    edit(said)
    assert settled(telegram)[0].startswith(heard)


def test_a_caption_that_becomes_a_cry_is_heard(telegram: TelegramServer, edit: Any) -> None:
    photo = [{"file_id": "a", "file_unique_id": "b", "width": 1, "height": 1}]
    edit("", photo=photo, caption=CRY)
    assert any("113" in said for said in settled(telegram))


def test_a_live_location_that_moves_and_a_group_say_nothing(telegram: TelegramServer, edit: Any) -> None:
    edit("", location={"latitude": 51.4, "longitude": 6.2, "live_period": 60})
    edit(CRY, chat_type="supergroup")
    assert settled(telegram) == []
