"""A person who said STOP, as the one sees it who has their case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy.orm import Session, sessionmaker

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
