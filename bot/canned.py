"""Canned replies: what staff say often, written once in each language by editors and leads, and inserted by helpers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bot import audit
from bot.models import CannedReply, CannedText

LONGEST_NAME = 80
LONGEST_TEXT = 2000


class CannedError(ValueError):
    """A canned reply that can't be kept; `code` says why, for the one who wrote it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Canned:
    """A canned reply: its name among staff, and its text by language."""

    id: int
    name: str
    texts: Mapping[str, str]


def canned(session: Session) -> list[Canned]:
    """All of them, by name."""
    texts: dict[int, dict[str, str]] = {}
    for row in session.scalars(select(CannedText).order_by(CannedText.language)):
        texts.setdefault(row.reply_id, {})[row.language] = row.body
    rows = session.scalars(select(CannedReply).order_by(CannedReply.name, CannedReply.id))
    return [Canned(row.id, row.name, texts.get(row.id, {})) for row in rows]


def save(
    session: Session, reply_id: int | None, name: str, texts: Mapping[str, str], staff_id: str, *, now: datetime
) -> int:
    """Write a canned reply, a new one where `reply_id` is None; returns its id.

    Args:
        texts: by language; a language whose text is empty has none.

    Raises:
        CannedError: no name, no text at all, or one that is too long.
        LookupError: it is not there any more.

    """
    kept = {language: body for language, body in texts.items() if body}
    if not name or not kept:
        raise CannedError("canned_empty")
    if len(name) > LONGEST_NAME or any(len(body) > LONGEST_TEXT for body in kept.values()):
        raise CannedError("canned_too_long")
    row = session.get(CannedReply, reply_id) if reply_id is not None else CannedReply(name=name)
    if row is None:
        raise LookupError("there is no such canned reply any more")
    row.name, row.changed_by, row.changed_at = name, staff_id, now
    session.add(row)
    session.flush()
    session.execute(delete(CannedText).where(CannedText.reply_id == row.id))
    session.add_all(CannedText(reply_id=row.id, language=language, body=body) for language, body in kept.items())
    session.flush()
    audit.record(session, staff_id, "canned_saved", details={"canned": row.id}, now=now)
    return row.id


def remove(session: Session, reply_id: int, staff_id: str, *, now: datetime) -> None:
    """Remove a canned reply; what was sent with it stays. Raises LookupError where it is not there."""
    row = session.get(CannedReply, reply_id)
    if row is None:
        raise LookupError("there is no such canned reply any more")
    session.execute(delete(CannedText).where(CannedText.reply_id == reply_id))
    session.delete(row)
    audit.record(session, staff_id, "canned_removed", details={"canned": reply_id}, now=now)
