"""Cases that nobody takes: who is told of them when, stored before it is sent. How it is sent: `bot.alert_ways`.

A new case is told at once. After its target time the team is reminded, after twice that the next team is told, after three times
those on call. Each step is one conditional UPDATE together with the alerts that it makes, so that a restart, or a second process,
neither forgets one nor tells it twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import structlog
from sqlalchemy import Select, or_, select, update
from sqlalchemy.orm import Session

from bot import duty
from bot.cases import State
from bot.duty import ASKED, Plan
from bot.models import Case, Staff, StaffAlert
from bot.staff import TAKES_CASES
from knowledge.database import changed

LEASE = timedelta(minutes=1)
FIRST_PAUSE = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(minutes=10)
MOST_ATTEMPTS = 20  # nearly three hours
AT_ONCE = 50
TAKEN = "taken"  # why an alert was never sent: nobody needs it any more

log = structlog.get_logger()


class Way(StrEnum):
    """How staff can be told."""

    MAIL = "mail"
    WEBHOOK = "webhook"
    TELEGRAM = "telegram"


class Reason(StrEnum):
    """Why staff are told. Each but `RETURNED` is a step, in this order; that stands for the first of a case that they had."""

    NEW = "new"
    REMINDER = "reminder"
    NEXT_TEAM = "next_team"
    ON_CALL = "on_call"
    RETURNED = "returned"


STEPS = (Reason.NEW, Reason.REMINDER, Reason.NEXT_TEAM, Reason.ON_CALL)
STEPS_OF_ASKED = 2  # who asked without being in danger: nobody is called out of bed


@dataclass(frozen=True)
class Alert:
    """A word to staff. `minutes`: how long the case has been waiting; `to`: e-mail addresses, of use by mail only."""

    id: int
    case_id: int
    way: Way
    reason: Reason
    to: tuple[str, ...]
    kind: str
    language: str | None
    minutes: int
    attempts: int


def escalate(session: Session, ways: Sequence[Way], *, now: datetime) -> int:
    """Take every waiting case as far as its time has come; returns how many went a step on.

    A service that was down for long tells each case once, to all whom the steps in between are for.
    """
    waiting = session.scalars(_waiting()).all()
    if not waiting:
        return 0
    plan, gone_on = duty.plan_of(session), 0
    is_open = plan.is_open(now)
    for case in waiting:
        step = _due(case, plan, now, is_open=is_open)
        if step > case.alert_step and _go_on(session, case, step):
            gone_on += 1
            _tell(session, case, plan, ways, STEPS[case.alert_step : step], now=now)
    return gone_on


def is_anything_due(session: Session, *, now: datetime) -> bool:
    """Whether there is something for `escalate` to do, or an alert to send; reads only."""
    alerts = _to_send(now).with_only_columns(StaffAlert.id).limit(1)
    if session.scalar(alerts) is not None:
        return True
    waiting = session.scalars(_waiting()).all()
    if not waiting:
        return False
    plan = duty.plan_of(session)
    is_open = plan.is_open(now)
    return any(_due(case, plan, now, is_open=is_open) > case.alert_step for case in waiting)


def lease(session: Session, *, now: datetime) -> list[Alert]:
    """Alerts to send now; nobody else gets them for a minute. Those of cases that somebody took meanwhile are let go."""
    leased = []
    for row in session.scalars(_to_send(now)).all():
        if session.scalar(select(Case.state).where(Case.id == row.case_id)) != State.WAITING:
            session.execute(update(StaffAlert).where(StaffAlert.id == row.id).values(failure=TAKEN))
            continue
        taken = session.execute(
            update(StaffAlert)
            .where(StaffAlert.id == row.id, StaffAlert.next_try_at == row.next_try_at)
            .values(next_try_at=now + LEASE, attempts=StaffAlert.attempts + 1)
            .execution_options(synchronize_session=False)
        )
        if changed(taken):
            way, reason, attempts = Way(row.way), Reason(row.reason), row.attempts + 1
            to = tuple(row.to)
            leased.append(Alert(row.id, row.case_id, way, reason, to, row.kind, row.language, row.minutes, attempts))
    return leased


def record_sent(session: Session, alert_id: int, *, now: datetime) -> None:
    """An alert was taken by whoever brings it."""
    session.execute(update(StaffAlert).where(StaffAlert.id == alert_id).values(sent_at=now))


def record_failure(session: Session, alert: Alert, reason: str, *, now: datetime) -> None:
    """An alert could not be sent: it is tried again, and given up in the end."""
    if alert.attempts >= MOST_ATTEMPTS:
        log.error("alert_given_up", way=alert.way, case=alert.case_id, reason=reason)
        session.execute(update(StaffAlert).where(StaffAlert.id == alert.id).values(failure=reason[:64]))
        return
    log.warning("alert_not_sent", way=alert.way, case=alert.case_id, attempt=alert.attempts, reason=reason)
    pause = min(FIRST_PAUSE * 2 ** (alert.attempts - 1), LONGEST_PAUSE)
    session.execute(update(StaffAlert).where(StaffAlert.id == alert.id).values(next_try_at=now + pause))


def _waiting() -> Select[tuple[Case]]:
    """The waiting cases that have a step to go."""
    has_step = or_(Case.alert_step < STEPS_OF_ASKED, (Case.kind != ASKED) & (Case.alert_step < len(STEPS)))
    return select(Case).where(Case.state == State.WAITING, Case.waiting_since.is_not(None), has_step).order_by(Case.id)


def _to_send(now: datetime) -> Select[tuple[StaffAlert]]:
    open_ones = (StaffAlert.sent_at.is_(None), StaffAlert.failure.is_(None), StaffAlert.next_try_at <= now)
    return select(StaffAlert).where(*open_ones).order_by(StaffAlert.id).limit(AT_ONCE)


def _due(case: Case, plan: Plan, now: datetime, *, is_open: bool) -> int:
    """How many steps the time of a case has come for; `is_open`: whether somebody is there by the plan."""
    if case.kind == ASKED and not is_open:
        return 0
    last = STEPS_OF_ASKED if case.kind == ASKED else len(STEPS)
    return min(1 + _minutes(case, now) // plan.target(case.kind), last)


def _minutes(case: Case, now: datetime) -> int:
    since = case.waiting_since or case.opened_at
    return max(int((now - since).total_seconds() // 60), 0)


def _go_on(session: Session, case: Case, step: int) -> bool:
    statement = update(Case).where(
        Case.id == case.id, Case.state == State.WAITING, Case.alert_step == case.alert_step, Case.kind == case.kind
    )
    gone = session.execute(statement.values(alert_step=step).execution_options(synchronize_session=False))
    return bool(changed(gone))


def _tell(
    session: Session, case: Case, plan: Plan, ways: Sequence[Way], steps: Sequence[Reason], *, now: datetime
) -> None:
    minutes, reason = _minutes(case, now), steps[-1]
    if reason is Reason.NEW and case.last_staff_at is not None:
        reason = Reason.RETURNED
    if reason is not Reason.NEW or not ways:
        log.warning("case_waits", case=case.id, kind=case.kind, reason=reason, minutes=minutes, ways=len(ways))
    to = _addresses(session, case, plan, steps) if Way.MAIL in ways else []
    for way in ways:
        if way is Way.MAIL and not to:
            log.warning("alert_for_nobody", case=case.id, reason=reason)
            continue
        session.add(
            StaffAlert(
                case_id=case.id,
                way=way,
                reason=reason,
                to=to if way is Way.MAIL else [],
                kind=case.kind,
                language=case.language,
                minutes=minutes,
                created_at=now,
                next_try_at=now,
                attempts=0,
            )
        )
    session.flush()


def _addresses(session: Session, case: Case, plan: Plan, steps: Iterable[Reason]) -> list[str]:
    """Whom the steps are for, each address once; where the plan names nobody, everybody who takes cases."""
    teams = [team.emails for team in plan.teams if team.takes(case.kind, case.language)]
    everybody = _takers(session)
    of_step = {
        Reason.NEW: teams[0] if teams else (),
        Reason.REMINDER: teams[0] if teams else (),
        Reason.NEXT_TEAM: teams[1] if len(teams) > 1 else (),
        Reason.ON_CALL: plan.on_call,
    }
    found = [address for step in steps for address in (of_step[step] or everybody)]
    if case.last_owner is not None:
        found += list(session.scalars(select(Staff.email).where(Staff.id == case.last_owner, Staff.is_active)))
    return list(dict.fromkeys(found))


def _takers(session: Session) -> list[str]:
    roles = [role.value for role in TAKES_CASES]
    return list(
        session.scalars(select(Staff.email).where(Staff.is_active, Staff.role.in_(roles)).order_by(Staff.email))
    )
