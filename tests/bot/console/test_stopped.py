"""What the person sees of the one who has their case, and that one of a person who said STOP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session, sessionmaker

from bot.models import Conversation
from bot.typing_sign import Seer
from tests.bot.console.people import case_of, do
from tests.patience import until

BANNER = "The person wrote STOP"


def test_staff_see_the_stop_and_can_not_write_until_the_person_does(
    enter: Callable[..., TestClient], person: Any, sessions: sessionmaker[Session]
) -> None:
    helper, case = enter("ann"), case_of(sessions)
    do(helper, case, "claim")
    assert BANNER not in helper.get(f"/console/cases/{case}").text
    person.write("stop")
    until(lambda: BANNER in helper.get(f"/console/cases/{case}").text)
    refused = do(helper, case, "say", text="are you there?")
    assert refused.status_code == 409
    assert BANNER in refused.text
    assert "are you there?" not in str(person.hears())
    person.write("I am here again")
    until(lambda: BANNER not in helper.get(f"/console/cases/{case}").text)
    do(helper, case, "say", text="good")
    until(lambda: "good" in str(person.hears()))


def test_the_person_sees_that_the_one_who_has_their_case_is_writing_and_nobody_else_is_shown(
    app: Any, enter: Callable[..., TestClient], person: Any, sessions: sessionmaker[Session]
) -> None:
    ann, bob, case = enter("ann"), enter("bob"), case_of(sessions)
    do(ann, case, "claim")
    with sessions() as session:
        conversation = session.query(Conversation).one().id
    with app.state.announcer.listening(conversation) as listener:
        do(bob, case, "typing")
        assert not listener.is_typing
        assert do(ann, case, "typing").status_code == 204
        assert listener.is_typing


def test_a_messenger_that_hangs_keeps_nobody_from_writing(
    app: Any,
    enter: Callable[..., TestClient],
    person: Any,
    sessions: sessionmaker[Session],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = []

    async def hang(seer: Seer) -> None:
        await asyncio.sleep(5)
        shown.append(seer)

    ann, case = enter("ann"), case_of(sessions)
    do(ann, case, "claim")
    monkeypatch.setattr(app.state.channels, "show_typing", hang)
    assert do(ann, case, "typing").status_code == 204
    assert not shown
