"""Figures of the cases: how many of what, when, how soon a person answered, how they ended. Counts only, nothing of anybody."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from statistics import median, quantiles
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.models import Case

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NOT_KNOWN = "unknown"
STILL_OPEN = "open"
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what spreadsheets take for a formula, or hide one behind (OWASP)


@dataclass(frozen=True)
class Wait:
    """Minutes from the opening of a case to the first answer by a person: how many were answered, the middle, 9 of 10."""

    answered: int
    median: float
    ninety: float


@dataclass(frozen=True)
class Figures:
    """What happened between two days, both included, in the time of the Netherlands."""

    first: date
    last: date
    cases: int
    kinds: Mapping[str, int]
    languages: Mapping[str, int]
    channels: Mapping[str, int]
    hours: Mapping[int, int]
    outcomes: Mapping[str, int]
    waits: Mapping[str, Wait]  # by kind, and of all under ""


def figures(session: Session, first: date, last: date) -> Figures:
    """The figures of the cases that were opened from `first` to `last`."""
    since = datetime.combine(first, time.min, AMSTERDAM)
    until = datetime.combine(last + timedelta(days=1), time.min, AMSTERDAM)
    statement = select(
        Case.kind, Case.language, Case.channel, Case.opened_at, Case.first_answer_at, Case.outcome
    ).where(Case.opened_at >= since, Case.opened_at < until)
    rows = session.execute(statement).all()
    waited: dict[str, list[float]] = {"": []}
    for row in rows:
        if row.first_answer_at is not None:
            minutes = (row.first_answer_at - row.opened_at).total_seconds() / 60
            waited[""].append(minutes)
            waited.setdefault(row.kind, []).append(minutes)
    by_hour = Counter(row.opened_at.astimezone(AMSTERDAM).hour for row in rows)
    return Figures(
        first,
        last,
        len(rows),
        _counted(row.kind for row in rows),
        _counted(row.language or NOT_KNOWN for row in rows),
        _counted(row.channel for row in rows),
        {hour: by_hour[hour] for hour in range(24)},
        _counted(row.outcome or STILL_OPEN for row in rows),
        {kind: _wait(minutes) for kind, minutes in waited.items() if minutes},
    )


def as_csv(found: Figures) -> str:
    """The same figures as a table for a spreadsheet: part, name, count, and minutes where there are any."""
    out = io.StringIO()
    table = csv.writer(out, quoting=csv.QUOTE_ALL)
    table.writerow(["part", "name", "count", "median_minutes", "p90_minutes"])
    parts = {"kind": found.kinds, "language": found.languages, "channel": found.channels, "outcome": found.outcomes}
    for part, counts in parts.items():
        table.writerows([part, harmless(name), count, "", ""] for name, count in counts.items())
    table.writerows(["hour", f"{hour:02}", count, "", ""] for hour, count in found.hours.items())
    for kind, wait in found.waits.items():
        table.writerow(
            ["first_answer", harmless(kind or "all"), wait.answered, f"{wait.median:.1f}", f"{wait.ninety:.1f}"]
        )
    return out.getvalue()


def harmless(text: str) -> str:
    """A cell that no spreadsheet calculates: what looks like a formula begins with an apostrophe."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _counted(names: Iterable[str]) -> dict[str, int]:
    """How often each, the most frequent first."""
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))


def _wait(minutes: list[float]) -> Wait:
    ninety = quantiles(minutes, n=10, method="inclusive")[-1] if len(minutes) > 1 else minutes[0]
    return Wait(len(minutes), median(minutes), ninety)
