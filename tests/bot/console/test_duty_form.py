"""The duty plan in the console: leads change it, what is wrong is said and nothing typed is lost."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError
from sqlalchemy.orm import Session, sessionmaker

from bot import duty
from bot.console.duty import as_fields, as_plan
from bot.duty import Plan, Team
from bot.models import AuditEntry
from bot.staff import Role

LANGUAGES = ("en", "pl", "ro")
PLAN = Plan(
    name="Fair",
    hours=("09:00-12:00,13:00-17:00", *["10:00-16:00"] * 4, "", ""),
    on_holidays=True,
    closed_days=(date(2026, 12, 24),),
    teams=(Team(name="Polski", kinds=("urgent.danger",), languages=("pl", "ro"), emails=("a@example.org",)),),
    on_call=("b@example.org", "c@example.org"),
    targets={"urgent.danger": 2},
)
Enter = Callable[..., TestClient]


def test_the_form_shows_a_plan_whole() -> None:
    assert as_plan(as_fields(PLAN), LANGUAGES) == PLAN
    assert as_plan(as_fields(Plan()), LANGUAGES) == Plan()


@pytest.mark.parametrize(
    ("field", "typed", "wrong"),
    [
        ("name", "", "name"),
        ("hours.3", "nine to five", "hours"),
        ("closed_days", "24-13-2026", "closed_days"),
        ("target.asked", "soon", "targets"),
        ("team.0.name", "", "teams"),
        ("team.0.languages", "pl xx", "teams"),
        ("team.1.emails", "a@example.org", "teams"),
        ("on_call", "b@example.org c", "on_call"),
    ],
)
def test_what_is_wrong_is_named_by_its_part(field: str, typed: str, wrong: str) -> None:
    with pytest.raises(ValidationError) as caught:
        as_plan({**as_fields(PLAN), field: typed}, LANGUAGES)
    assert {fault["loc"][0] for fault in caught.value.errors()} == {wrong}


def test_dates_are_read_as_people_write_them() -> None:
    assert as_plan({**as_fields(PLAN), "closed_days": "24-12-2026\n5/5/2027"}, LANGUAGES).closed_days == (
        date(2026, 12, 24),
        date(2027, 5, 5),
    )


def test_a_lead_changes_the_plan_and_others_do_not(enter: Enter, app: Any, sessions: sessionmaker[Session]) -> None:
    helper, lead = enter("ann"), enter("lead", Role.LEAD)
    assert helper.get("/console/duty").status_code == 403
    shown = lead.get("/console/duty").text
    assert "These are a suggestion" in shown
    assert 'value="09:00-17:00"' in shown
    assert "Set the duty plan" in lead.get("/console/queue").text
    assert "Set the duty plan" not in helper.get("/console/queue").text
    csrf = re.search(r'name="csrf" value="([^"]+)"', shown)[1]
    fields = {**as_fields(PLAN), "csrf": csrf, "version": "0"}

    refused = lead.post("/console/duty", data={**fields, "hours.0": "never", "name": "<Fair>"})
    assert refused.status_code == 422
    assert "Write times as" in refused.text
    assert 'value="never"' in refused.text
    assert 'value="&lt;Fair&gt;"' in refused.text
    assert lead.post("/console/duty", data={**fields, "csrf": "x"}).status_code == 403

    saved = lead.post("/console/duty", data=fields)
    assert (saved.status_code, "It holds from now on" in saved.text) == (200, True)
    assert "Set the duty plan" not in lead.get("/console/queue").text
    late = lead.post("/console/duty", data={**fields, "name": "Mine"})
    assert (late.status_code, 'value="Mine"' in late.text) == (409, True)
    with sessions() as session:
        assert duty.read(session) == (PLAN, 1)
        assert "duty_changed" in [entry.action for entry in session.query(AuditEntry)]
