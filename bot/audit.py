"""The audit log: what was done, by whom and when, each entry chained to the one before it.

The digest of an entry covers its content and the digest of the entry before, so a removed or changed one shows; the end of the
chain is kept apart, so that removed last ones show too. Entries hold ids and codes, never what people wrote.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.models import AuditEntry, AuditHead

SYSTEM = "system"  # who acted where nobody of the staff did
PERSON = "person"  # the one whose case it is


@dataclass(frozen=True)
class Verdict:
    """Whether the log is whole; where not, `last_good` is the id of the last entry before the break, 0 for none."""

    is_whole: bool
    entries: int
    last_good: int


def record(
    session: Session,
    actor: str,
    action: str,
    *,
    now: datetime,
    case_id: int | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry, in the transaction of what it tells of.

    Args:
        actor: the id of a member of staff, or `SYSTEM`.
        action: a code such as `case_claimed`.
        details: ids and codes only.

    """
    # Locked, so that entries of several processes stand in one line.
    head = session.execute(select(AuditHead).with_for_update().execution_options(populate_existing=True)).scalar_one()
    entry = AuditEntry(
        at=now, actor=actor, action=action, case_id=case_id, details=dict(details or {}), previous=head.digest
    )
    entry.digest = _digest(entry)
    head.digest, head.entries = entry.digest, head.entries + 1
    session.add(entry)
    session.flush()


def verify(session: Session) -> Verdict:
    """Go along the whole chain."""
    previous, count, last_good = "", 0, 0
    for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id)):
        if entry.previous != previous or entry.digest != _digest(entry):
            return Verdict(False, count, last_good)
        previous, count, last_good = entry.digest, count + 1, entry.id
    head = session.scalars(select(AuditHead)).one()
    return Verdict(head.digest == previous and head.entries == count, count, last_good)


def _digest(entry: AuditEntry) -> str:
    content = [
        entry.at.astimezone(UTC).isoformat(),
        entry.actor,
        entry.action,
        entry.case_id,
        entry.details,
        entry.previous,
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
