"""When staff are there: hours by Dutch time, holidays, closed days; what may be written into the plan and what not."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy.orm import Session, sessionmaker

from bot import audit, duty
from bot.duty import Plan, PlanChangedError, Team
from tests.conftest import NOW

MONDAY_MORNING = NOW  # 11:00 in Amsterdam


@pytest.mark.parametrize(
    ("moment", "plan", "opens"),
    [
        (datetime(2026, 11, 27, 15, 59, tzinfo=UTC), Plan(), None),
        (datetime(2026, 11, 27, 16, 0, tzinfo=UTC), Plan(), "2026-11-30 09:00"),
        (datetime(2026, 7, 6, 7, 0, tzinfo=UTC), Plan(), None),  # summer time: nine o'clock
        (datetime(2026, 12, 25, 10, 0, tzinfo=UTC), Plan(), "2026-12-28 09:00"),
        (datetime(2026, 12, 25, 10, 0, tzinfo=UTC), Plan(on_holidays=True), None),
        (MONDAY_MORNING, Plan(closed_days=(date(2026, 11, 23),)), "2026-11-24 09:00"),
        (MONDAY_MORNING, Plan(hours=("09:00-10:00,12:00-17:00", *[""] * 6)), "2026-11-23 12:00"),
    ],
)
def test_somebody_is_there_within_the_hours_and_not_on_holidays(
    moment: datetime, plan: Plan, opens: str | None
) -> None:
    assert plan.is_open(moment) is (opens is None)
    found = plan.opens(moment)
    assert (f"{found:%Y-%m-%d %H:%M}" if found else None) == opens
    assert (plan.closes(moment) is None) is (opens is not None)


def test_without_hours_nobody_is_ever_there() -> None:
    plan = Plan(hours=("",) * 7)
    assert (plan.is_open(NOW), plan.opens(NOW), plan.closes(NOW)) == (False, None, None)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("9:00 – 17:00", "09:00-17:00"),
        ("9.00-12.30, 13:00-24:00", "09:00-12:30,13:00-24:00"),
        (" ", ""),
    ],
)
def test_times_are_read_as_people_type_them(typed: str, kept: str) -> None:
    assert Plan(hours=(typed, *[""] * 6)).hours[0] == kept


@pytest.mark.parametrize("typed", ["9-17", "17:00-09:00", "25:00-26:00", "09:00-12:00,11:00-13:00", "always", "PH off"])
def test_times_that_make_no_sense_are_refused(typed: str) -> None:
    with pytest.raises(ValidationError, match="times"):
        Plan(hours=(typed, *[""] * 6))


@given(st.lists(st.text(max_size=12), min_size=7, max_size=7))
def test_whatever_is_typed_is_refused_or_can_be_reckoned_with(hours: list[str]) -> None:
    try:
        plan = Plan(hours=tuple(hours))
    except ValidationError:
        return
    assert plan.is_open(NOW) is (plan.opens(NOW) is None and plan._week() is not None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"targets": {"urgent.danger": 0}},
        {"targets": {"urgent.flood": 5}},
        {"on_call": ("nobody",)},
        {"on_call": ("a@b.nl\nBcc: c@d.nl",)},
        {"teams": ({"name": "x", "kinds": ("urgent.flood",)},)},
        {"name": " "},
    ],
)
def test_a_plan_that_could_not_be_followed_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Plan.model_validate(wrong)


def test_every_kind_has_a_target_whatever_was_stored() -> None:
    assert set(Plan(targets={"urgent.danger": 3}).targets) == set(duty.KINDS)
    assert Plan(targets={"urgent.danger": 3}).target("urgent.danger") == 3


def test_a_team_takes_what_it_is_for() -> None:
    team = Team(name="Polski", kinds=("urgent.danger",), languages=("pl",))
    assert team.takes("urgent.danger", "pl")
    assert not team.takes("urgent.danger", None)
    assert not team.takes("asked", "pl")
    assert Team(name="all").takes("asked", None)


def test_a_change_is_kept_stands_in_the_log_and_is_refused_over_a_newer_one(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        assert duty.read(session) == (Plan(hours=None), 0)
        assert not duty.is_saved(session)
        duty.change(session, Plan(name="Fair"), "ann", seen=0, now=NOW)
    with sessions.begin() as session:
        assert duty.read(session) == (Plan(name="Fair"), 1)
        assert audit.verify(session).entries == 1
    with sessions() as session, pytest.raises(PlanChangedError):
        duty.change(session, Plan(name="Other"), "bob", seen=0, now=NOW)


def test_a_moment_is_told_by_how_far_it_is() -> None:
    assert duty.when(datetime(2026, 11, 23, 16, 0, tzinfo=UTC), "en", now=NOW) == "17:00"
    assert duty.when(datetime(2026, 11, 24, 8, 0, tzinfo=UTC), "nl", now=NOW) == "dinsdag 09:00"
    assert duty.when(datetime(2026, 12, 28, 8, 0, tzinfo=UTC), "en", now=NOW) == "28 December 2026, 09:00"
