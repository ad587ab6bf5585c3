"""When staff are there and who is told: opening hours, closed days, teams, the on-call list, and how long each kind may wait.

One plan, which leads change in the console; the database keeps it in one row. What comes of a case that waits: `bot.alarm`.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import lru_cache
from itertools import pairwise
from typing import Annotated
from zoneinfo import ZoneInfo

from opening_hours import OpeningHours
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from bot import audit
from bot.models import DutyPlan
from bot.staff import TAKER, normal
from knowledge import formats
from nlu.urgency import IN_ORDER_OF_DANGER

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
ASKED = "asked"  # the kind of a case that the person asked for, without being in danger
KINDS = (*IN_ORDER_OF_DANGER, ASKED)
SUGGESTED_HOURS = ("09:00-17:00",) * 5 + ("",) * 2
LONGEST_TARGET = 7 * 24 * 60  # minutes
_SPAN = re.compile(r"([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)")
_TARGETS = {
    "urgent.medical": 5,
    "urgent.suicide": 5,
    "urgent.danger": 5,
    "urgent.abuse": 10,
    "urgent.exploitation": 10,
    "urgent.homeless_tonight": 15,
    ASKED: 60,
}
_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
_Email = Annotated[str, StringConstraints(pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+$", max_length=254)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Team(_Part):
    """Colleagues who take the same cases. Without kinds they take every kind, without languages every language."""

    name: _Name
    kinds: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    emails: tuple[_Email, ...] = ()

    @field_validator("kinds")
    @classmethod
    def _are_kinds(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := set(value) - set(KINDS):
            raise ValueError(f"no such kind: {', '.join(sorted(unknown))}")
        return value

    def takes(self, kind: str, language: str | None) -> bool:
        """Whether a case of this kind and language is theirs."""
        return (not self.kinds or kind in self.kinds) and (not self.languages or language in self.languages)


class Plan(_Part):
    """The whole plan.

    Attributes:
        name: of the organisation, as people are told whose helpers they are.
        hours: seven spans by Dutch time, Monday first ("09:00-12:00,13:00-17:00"); empty for a day without anybody. None as long
            as nobody has set any.
        on_holidays: whether the hours hold on public holidays of the Netherlands too.
        closed_days: days of one's own on which nobody is there.
        teams: in the order in which they are told.
        on_call: e-mail addresses that are told last.
        targets: minutes that a case of each kind may wait for somebody.

    """

    name: _Name = "Wegwijs"
    hours: tuple[str, ...] | None = SUGGESTED_HOURS
    on_holidays: bool = False
    closed_days: tuple[date, ...] = ()
    teams: tuple[Team, ...] = ()
    on_call: tuple[_Email, ...] = ()
    targets: dict[str, Annotated[int, Field(ge=1, le=LONGEST_TARGET)]] = Field(default_factory=lambda: dict(_TARGETS))

    @field_validator("hours")
    @classmethod
    def _are_spans(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is None:
            return None
        if len(value) != len(DAYS):
            raise ValueError("a week has seven days")
        return tuple(_spans(day) for day in value)

    @field_validator("targets")
    @classmethod
    def _are_for_every_kind(cls, value: dict[str, int]) -> dict[str, int]:
        if unknown := set(value) - set(KINDS):
            raise ValueError(f"no such kind: {', '.join(sorted(unknown))}")
        return {kind: value.get(kind, _TARGETS[kind]) for kind in KINDS}

    def is_open(self, now: datetime) -> bool:
        """Whether somebody is there at `now`, as far as was said: without hours somebody may be there at any time."""
        if self.hours is None:
            return True
        week = self._week()
        return week is not None and week.is_open(now.astimezone(AMSTERDAM))

    def closes(self, now: datetime) -> datetime | None:
        """When they who are there at `now` go home, by Dutch time; None where nobody is there or they never go."""
        week = self._week()
        return week.next_change(now.astimezone(AMSTERDAM)) if week is not None and self.is_open(now) else None

    def opens(self, now: datetime) -> datetime | None:
        """When somebody is there again, by Dutch time; None where somebody is there, or nobody ever will be."""
        week = self._week()
        return week.next_change(now.astimezone(AMSTERDAM)) if week is not None and not self.is_open(now) else None

    def target(self, kind: str) -> int:
        """Minutes that a case may wait for somebody."""
        return self.targets.get(kind, self.targets[ASKED])

    def _week(self) -> OpeningHours | None:
        if self.hours is None:
            return None
        return _week_of(self.hours, self.closed_days, "" if self.on_holidays else "PH off")


@lru_cache(maxsize=8)
def _week_of(hours: tuple[str, ...], closed_days: tuple[date, ...], holidays: str) -> OpeningHours | None:
    rules = [f"{day} {spans}" for day, spans in zip(DAYS, hours, strict=True) if spans]
    if not rules:
        return None
    rules += [holidays] if holidays else []
    rules += [f"{day:%Y} {_MONTHS[day.month - 1]} {day:%d} off" for day in closed_days]
    return OpeningHours("; ".join(rules), timezone=AMSTERDAM, country="NL")


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DEFAULT = Plan(hours=None)


class PlanChangedError(RuntimeError):
    """Somebody else changed the plan since it was read; nothing was stored."""


def plan_of(session: Session) -> Plan:
    """The plan that holds now; where nobody has saved one, the default one without hours."""
    return read(session)[0]


def read(session: Session) -> tuple[Plan, int]:
    """The plan, and its version, 0 for the default: who wants to change it has to have seen the latest."""
    row = session.get(DutyPlan, 1, populate_existing=True)
    return (Plan.model_validate(row.plan), row.version) if row is not None else (DEFAULT, 0)


def is_saved(session: Session) -> bool:
    """Whether somebody has saved a plan."""
    return read(session)[1] > 0


def change(session: Session, plan: Plan, staff_id: str, *, seen: int, now: datetime) -> None:
    """Store a new plan; the audit log says who did.

    Args:
        seen: the version that the change was made from.

    Raises:
        PlanChangedError: there is a newer one.

    """
    row = session.get(DutyPlan, 1, with_for_update=True, populate_existing=True)
    if seen != (row.version if row is not None else 0):
        raise PlanChangedError("the plan was changed in the meantime")
    session.merge(DutyPlan(id=1, plan=plan.model_dump(mode="json"), version=seen + 1, changed_at=now))
    session.flush()
    audit.record(session, staff_id, "duty_changed", details={"version": seen + 1}, now=now)


def has_staff(session: Session) -> bool:
    """Whether there is anybody who takes cases: somebody who has an account and has begun to use it."""
    return bool(session.scalar(select(exists().where(*TAKER))))


def when(moment: datetime, language: str, *, now: datetime) -> str:
    """A moment by Dutch time as people are told it: the time for today, the weekday within a week, the date after that."""
    local, today = moment.astimezone(AMSTERDAM), now.astimezone(AMSTERDAM).date()
    if local.date() == today:
        return f"{local:%H:%M}"
    if (local.date() - today).days < len(DAYS):
        return formats.weekday_and_time(local, language)
    return f"{formats.long_date(local.date(), language)}, {local:%H:%M}"


def addresses(text: str) -> tuple[str, ...]:
    """E-mail addresses as somebody types them, one a line or with commas between."""
    return tuple(normal(part) for part in re.split(r"[\s,;]+", text) if part)


def _spans(typed: str) -> str:
    """The times of one day in one notation ("9:00 – 12:00, 13.00-17.00" becomes "09:00-12:00,13:00-17:00")."""
    text = re.sub(r"\s", "", typed).replace("–", "-").replace(".", ":").rstrip(",")
    text = re.sub(r"(?<!\d)(\d)(?=:)", r"0\1", text)
    spans = text.split(",") if text else []
    for span in spans:
        begin, _, end = span.partition("-")
        if not _SPAN.fullmatch(span) or begin >= end:
            raise ValueError("write times as 09:00-17:00, with a comma between two")
    if any(one.split("-")[1] > two.split("-")[0] for one, two in pairwise(spans)):
        raise ValueError("times of one day stand in order and do not overlap")
    return ",".join(spans)
