"""Insight: how often which topic was asked in which language and what came of it, for those who write answers and examples.

Counts only, by day: no text and nothing that tells who. They stay when messages are deleted, so nobody has to keep texts to learn
where the assistant fails.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from bot.models import Insight
from knowledge.database import changed, insert_or_ignore, table_of
from nlu.decision import Decision

_OPINIONS = {"feedback_bad": "wrong", "feedback_good": "helped"}


class Came(StrEnum):
    """What came of a message."""

    ANSWERED = "answered"
    ASKED_BACK = "asked_back"
    LOST = "lost"
    URGENT = "urgent"
    WRONG = "wrong"  # the person said so of the answer before
    HELPED = "helped"


_OF_DECISION = {
    Decision.ANSWER: Came.ANSWERED,
    Decision.CLARIFY: Came.ASKED_BACK,
    Decision.FALLBACK: Came.LOST,
    Decision.URGENT: Came.URGENT,
}


@dataclass(frozen=True)
class Line:
    """One topic in one language; where the assistant was lost, the topic is the one that it found likeliest."""

    topic: str
    language: str
    counts: Mapping[Came, int]

    @property
    def missed(self) -> int:
        """Messages without an answer, and answers that were called wrong."""
        return self.counts.get(Came.LOST, 0) + self.counts.get(Came.WRONG, 0)


def count(
    session: Session,
    understood: Mapping[str, Any],
    *,
    language: str | None,
    topic: str | None,
    now: datetime,
) -> None:
    """Count one message.

    Args:
        understood: what it was taken for, as `bot.assistant_port.Understood` stores it.
        topic: of the answer before, which an opinion is about.

    """
    label, came = str(understood["label"]), _OF_DECISION[Decision(understood["decision"])]
    if came is Came.ANSWERED and label in _OPINIONS:
        label, came = topic or "", Came(_OPINIONS[label])
    key = {"day": now.date(), "language": language or "", "label": label, "came": came.value}
    row = {f"of_{name}": value for name, value in key.items()}
    if not changed(session.connection().execute(_ONE_MORE, row)):
        insert_or_ignore(session, Insight, **key, count=0)
        session.connection().execute(_ONE_MORE, row)


def since(session: Session, day: date, *, language: str | None = None) -> list[Line]:
    """What was counted from a day on, the most often missed first."""
    statement = (
        select(Insight.label, Insight.language, Insight.came, func.sum(Insight.count))
        .where(Insight.day >= day)
        .group_by(Insight.label, Insight.language, Insight.came)
    )
    if language is not None:
        statement = statement.where(Insight.language == language)
    found: dict[tuple[str, str], Counter[Came]] = {}
    for label, spoken, came, number in session.execute(statement):
        found.setdefault((label, spoken), Counter())[Came(came)] = int(number)
    lines = [Line(label, spoken, counts) for (label, spoken), counts in found.items()]
    return sorted(lines, key=lambda line: (-line.missed, -sum(line.counts.values()), line.topic, line.language))


# The statement of every answer, made once.
_count = table_of(Insight).c
_ONE_MORE = (
    update(table_of(Insight))
    .where(*(_count[name] == bindparam(f"of_{name}") for name in ("day", "language", "label", "came")))
    .values(count=_count["count"] + 1)
)
