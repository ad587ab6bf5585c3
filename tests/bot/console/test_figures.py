"""The figures: what is counted, in whose time, for whom; and an export that no spreadsheet calculates."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session, sessionmaker

from bot import cases
from bot.cases import Outcome
from bot.figures import Wait, as_csv, figures, harmless
from bot.models import Case
from bot.staff import Role
from tests.bot.console.people import Person, case_of, do
from tests.bot.console.test_queue import open_case

Enter = Callable[..., TestClient]
MIDNIGHT = datetime(2026, 6, 1, 22, 30, tzinfo=UTC)  # half past midnight of the 2nd in Amsterdam


@pytest.fixture
def three(sessions: sessionmaker[Session]) -> list[int]:
    """Opened on 2 June, two of them answered by a person, after 2 and after 10 minutes."""
    with sessions.begin() as session:
        made = [
            open_case(session, "a", "urgent.abuse", "pl", "telegram"),
            open_case(session, "b", "urgent.suicide", "uk", "whatsapp"),
            open_case(session, "c", "urgent.abuse", "uk", "telegram"),
        ]
        for case in made:
            session.get_one(Case, case).opened_at = MIDNIGHT
        session.flush()
        for case, minutes in ((made[0], 2), (made[1], 10)):
            cases.claim(session, case, "ann", now=MIDNIGHT)
            cases.answer(session, case, "ann", now=MIDNIGHT + timedelta(minutes=minutes))
            cases.answer(session, case, "ann", now=MIDNIGHT + timedelta(minutes=30))
        cases.close(session, made[0], "ann", Outcome.HELPED, now=MIDNIGHT + timedelta(hours=1))
    return made


def test_cases_are_counted_by_the_days_and_hours_of_the_netherlands(
    sessions: sessionmaker[Session], three: list[int]
) -> None:
    with sessions() as session:
        assert figures(session, date(2026, 6, 1), date(2026, 6, 1)).cases == 0
        found = figures(session, date(2026, 6, 2), date(2026, 6, 2))
    assert found.cases == 3
    assert found.kinds == {"urgent.abuse": 2, "urgent.suicide": 1}
    assert found.languages == {"uk": 2, "pl": 1}
    assert found.channels == {"telegram": 2, "whatsapp": 1}
    assert {hour: count for hour, count in found.hours.items() if count} == {0: 3}
    assert found.outcomes == {"open": 2, "helped": 1}
    assert found.waits == {
        "": Wait(2, 6.0, pytest.approx(9.2)),
        "urgent.abuse": Wait(1, 2.0, 2.0),
        "urgent.suicide": Wait(1, 10.0, 10.0),
    }


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx"])
def test_no_cell_is_calculated(cell: str, sessions: sessionmaker[Session], three: list[int]) -> None:
    with sessions.begin() as session:
        session.get_one(Case, three[0]).language = cell
    with sessions() as session:
        written = as_csv(figures(session, date(2026, 6, 2), date(2026, 6, 2)))
    cells = [cell for row in csv.reader(io.StringIO(written, newline="")) for cell in row]
    assert f"'{cell}" in cells
    assert not any(one.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for one in cells)


def test_what_is_harmless_stays_as_it_is() -> None:
    assert harmless("urgent.abuse") == "urgent.abuse"


def test_leads_read_the_figures_and_nobody_else(
    app: Any, enter: Enter, person: Person, three: list[int], sessions: sessionmaker[Session]
) -> None:
    lead, ann, editor = enter("lead", Role.LEAD), enter("ann"), enter("ed", Role.EDITOR)
    for browser in (ann, editor):
        for path in ("/console/figures", "/console/figures.csv"):
            assert browser.get(path).status_code == 403
    page = lead.get("/console/figures").text  # the last thirty days: that of the one who cried today
    assert "Suicide" in page
    assert "Abuse" not in page
    page = lead.get("/console/figures?first=2026-06-02&last=2026-06-02").text
    assert "Abuse" in page
    assert "6 min" in page
    export = lead.get("/console/figures.csv?first=2026-06-02&last=2026-06-02")
    assert export.headers["content-disposition"] == 'attachment; filename="wegwijs-2026-06-02-2026-06-02.csv"'
    assert '"first_answer","all","2","6.0","9.2"' in export.text
    assert "No case was opened" in lead.get("/console/figures?first=2026-05-01&last=2026-05-02").text
    for days in ("first=x", "first=2026-06-03&last=2026-06-02", "last=0001-01-01"):
        assert lead.get(f"/console/figures?{days}").status_code == 422, days


def test_the_first_answer_by_a_person_is_remembered(
    enter: Enter, person: Person, sessions: sessionmaker[Session]
) -> None:
    ann, case = enter("ann"), case_of(sessions)
    do(ann, case, "claim")
    do(ann, case, "note", text="only for us")
    with sessions() as session:
        assert session.get_one(Case, case).first_answer_at is None
    do(ann, case, "say", text="hello")
    with sessions() as session:
        first = session.get_one(Case, case).first_answer_at
    do(ann, case, "say", text="still there?")
    do(ann, case, "close", outcome="helped")
    do(enter("lead", Role.LEAD), case, "reopen")
    do(ann, case, "claim")
    do(ann, case, "say", text="here again")
    with sessions() as session:
        assert session.get_one(Case, case).first_answer_at == first is not None
