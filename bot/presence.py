"""Presence: which of the staff have a case open right now. Kept in the database, so that every process of a service knows."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from bot.models import Presence, Staff
from knowledge.database import changed, insert_or_ignore

BELIEVED = timedelta(seconds=60)  # after a sign of life: whoever looks gives one more often


def look(session: Session, case_id: int, staff_id: str, *, now: datetime) -> bool:
    """Note that somebody looks at a case; returns whether that is new."""
    mine = (Presence.case_id == case_id, Presence.staff_id == staff_id)
    was_there = session.scalar(select(Presence.seen_at).where(*mine))
    if not changed(session.execute(update(Presence).where(*mine).values(seen_at=now))):
        insert_or_ignore(session, Presence, case_id=case_id, staff_id=staff_id, seen_at=now)
    return was_there is None or was_there <= now - BELIEVED


def leave(session: Session, case_id: int, staff_id: str) -> None:
    """Note that somebody looks at a case no more."""
    session.execute(delete(Presence).where(Presence.case_id == case_id, Presence.staff_id == staff_id))


def looking(session: Session, *, now: datetime) -> dict[int, list[tuple[str, str]]]:
    """By case, id and name of those who look at it."""
    statement = (
        select(Presence.case_id, Staff.id, Staff.name)
        .join(Staff, Staff.id == Presence.staff_id)
        .where(Presence.seen_at > now - BELIEVED)
        .order_by(Presence.case_id, Staff.name, Staff.id)
    )
    found: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    for case_id, staff_id, name in session.execute(statement):
        found[case_id].append((staff_id, name))
    return dict(found)


def delete_over(session: Session, *, now: datetime) -> None:
    """Delete what is not believed any more: of a process that was killed."""
    session.execute(delete(Presence).where(Presence.seen_at <= now - BELIEVED))
