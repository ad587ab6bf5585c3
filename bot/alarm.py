"""Cases that nobody takes: who is told of them when, stored before it is sent. How it is sent: `bot.alert_ways`.

A new case is told at once. After its target time the team is reminded, after twice that the next team is told, after three times
those on call. Each step is one conditional UPDATE together with the alerts that it makes, so that a restart, or a second process,
neither forgets one nor tells it twice.

Nobody gets more than a few messages a minute by one way: what is more waits for the next minute and goes as one message, so that
many cries at once, or somebody who makes them up, hide none. The cases themselves stand in the queue all the while.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import structlog
from sqlalchemy import Row, Select, or_, select, update
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
AT_ONCE = 1000
MINUTE = timedelta(minutes=1)
MOST_A_MINUTE = 3  # messages by one way to the same people; the first cries of a night are told at once, and one by one
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
    """A word to staff about a case. `minutes`: how long it has been waiting; `to`: e-mail addresses, of use by mail only."""

    id: int
    case_id: int
    way: Way
    reason: Reason
    to: tuple[str, ...]
    kind: str
    language: str | None
    minutes: int
    attempts: int


@dataclass(frozen=True)
class Message:
    """What is sent at once by one way to the same people: one alert, or several together."""

    alerts: tuple[Alert, ...]

    @property
    def id(self) -> int:
        """Of its last alert: sent again together with further ones it is another message."""
        return max(alert.id for alert in self.alerts)

    @property
    def way(self) -> Way:
        """How it goes."""
        return self.alerts[0].way

    @property
    def to(self) -> tuple[str, ...]:
        """Whom it goes to by mail."""
        return self.alerts[0].to

    @property
    def cases(self) -> tuple[Alert, ...]:
        """The latest alert about each case."""
        return tuple({alert.case_id: alert for alert in self.alerts}.values())


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
    # Looked at twice a second: whole objects of some hundred cases would take a good part of that.
    columns = (Case.kind, Case.alert_step, Case.waiting_since, Case.opened_at)
    waiting = session.execute(_waiting().with_only_columns(*columns)).all()
    if not waiting:
        return False
    plan = duty.plan_of(session)
    is_open = plan.is_open(now)
    return any(_due(case, plan, now, is_open=is_open) > case.alert_step for case in waiting)


def lease(session: Session, *, now: datetime) -> list[Message]:
    """What to send now; nobody else gets it for a minute.

    Alerts of cases that somebody took meanwhile are let go. Those to people who have had enough messages within a minute wait, to
    go together.
    """
    due = _still_needed(session, session.scalars(_to_send(now)).all())
    had = _messages_since(session, now - MINUTE)
    messages = []
    for whom, rows in due.items():
        already = had.get(whom, [])
        if len(already) >= MOST_A_MINUTE:
            _hold(session, rows, until=min(already) + MINUTE)
            continue
        fits = len(already) + len(rows) <= MOST_A_MINUTE
        taken = [_take(session, part, now=now) for part in ([[row] for row in rows] if fits else [rows])]
        messages += [Message(alerts) for alerts in taken if alerts]
    return messages


def record_sent(session: Session, message: Message, *, now: datetime) -> None:
    """A message was taken by whoever brings it."""
    ids = [alert.id for alert in message.alerts]
    session.execute(update(StaffAlert).where(StaffAlert.id.in_(ids)).values(sent_at=now))


def record_failure(session: Session, message: Message, reason: str, *, now: datetime) -> None:
    """A message could not be sent: its alerts are tried again, and given up in the end."""
    for alert in message.alerts:
        this = update(StaffAlert).where(StaffAlert.id == alert.id)
        if alert.attempts >= MOST_ATTEMPTS:
            log.error("alert_given_up", way=alert.way, case=alert.case_id, reason=reason)
            session.execute(this.values(failure=reason[:64]))
            continue
        pause = min(FIRST_PAUSE * 2 ** (alert.attempts - 1), LONGEST_PAUSE)
        session.execute(this.values(next_try_at=now + pause))
    attempts = max(alert.attempts for alert in message.alerts)
    count = len(message.alerts)
    log.warning("alert_not_sent", way=message.way, alerts=count, attempt=attempts, reason=reason)


Whom = tuple[str, tuple[str, ...]]  # a way, and the addresses of those it goes to


def _still_needed(session: Session, rows: Sequence[StaffAlert]) -> Mapping[Whom, list[StaffAlert]]:
    """The alerts about cases that wait, by whom they are for; the others are let go."""
    about = {row.case_id for row in rows}
    waiting = set(session.scalars(select(Case.id).where(Case.id.in_(about), Case.state == State.WAITING)))
    over = [row.id for row in rows if row.case_id not in waiting]
    if over:
        session.execute(update(StaffAlert).where(StaffAlert.id.in_(over)).values(failure=TAKEN))
    needed: defaultdict[Whom, list[StaffAlert]] = defaultdict(list)
    for row in rows:
        if row.case_id in waiting:
            needed[row.way, tuple(row.to)].append(row)
    return needed


def _messages_since(session: Session, since: datetime) -> Mapping[Whom, list[datetime]]:
    """When something was sent, or tried, to whom; alerts that went together count once."""
    statement = select(StaffAlert.way, StaffAlert.to, StaffAlert.told_at, StaffAlert.told_with).where(
        StaffAlert.told_at > since
    )
    went: defaultdict[Whom, list[datetime]] = defaultdict(list)
    for way, to, at, _ in {(way, tuple(to), at, one) for way, to, at, one in session.execute(statement)}:
        went[way, to].append(at)
    return went


def _hold(session: Session, rows: Sequence[StaffAlert], *, until: datetime) -> None:
    ids = [row.id for row in rows]
    statement = update(StaffAlert).where(StaffAlert.id.in_(ids)).values(next_try_at=until)
    session.execute(statement.execution_options(synchronize_session=False))


def _take(session: Session, rows: Sequence[StaffAlert], *, now: datetime) -> tuple[Alert, ...]:
    """The alerts of one message, those of them that no other process has taken."""
    ids = [row.id for row in rows]
    statement = (
        update(StaffAlert)
        .where(StaffAlert.id.in_(ids), StaffAlert.next_try_at <= now)
        .values(next_try_at=now + LEASE, attempts=StaffAlert.attempts + 1, told_at=now, told_with=ids[0])
        .returning(StaffAlert.id)
        .execution_options(synchronize_session=False)
    )
    taken = set(session.scalars(statement))
    return tuple(
        Alert(
            row.id,
            row.case_id,
            Way(row.way),
            Reason(row.reason),
            tuple(row.to),
            row.kind,
            row.language,
            row.minutes + int((now - row.created_at).total_seconds() // 60),
            row.attempts + 1,
        )
        for row in rows
        if row.id in taken
    )


def _waiting() -> Select[tuple[Case]]:
    """The waiting cases that have a step to go."""
    has_step = or_(Case.alert_step < STEPS_OF_ASKED, (Case.kind != ASKED) & (Case.alert_step < len(STEPS)))
    return select(Case).where(Case.state == State.WAITING, Case.waiting_since.is_not(None), has_step).order_by(Case.id)


def _to_send(now: datetime) -> Select[tuple[StaffAlert]]:
    open_ones = (StaffAlert.sent_at.is_(None), StaffAlert.failure.is_(None), StaffAlert.next_try_at <= now)
    return select(StaffAlert).where(*open_ones).order_by(StaffAlert.id).limit(AT_ONCE)


def _due(case: Case | Row[Any], plan: Plan, now: datetime, *, is_open: bool) -> int:
    """How many steps the time of a case has come for; `is_open`: whether somebody is there by the plan."""
    if case.kind == ASKED and not is_open:
        return 0
    last = STEPS_OF_ASKED if case.kind == ASKED else len(STEPS)
    return min(1 + _minutes(case, now) // plan.target(case.kind), last)


def _minutes(case: Case | Row[Any], now: datetime) -> int:
    since: datetime = case.waiting_since or case.opened_at
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
