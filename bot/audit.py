"""The audit log: what was done, by whom and when, each entry chained to the one before it.

The digest of an entry covers its content and the digest of the entry before, so a removed or changed one shows; the end of the
chain is kept apart under a seal, so that removed last ones show too. Digests and seal are made with a key that does not stand in
the database: whoever can write there can't make the chain fit again. What can't be seen is that the whole database was set back to
an earlier copy; compare with the count and digest that `wegwijs staff audit --check` printed before.

Entries hold ids and codes, never what people wrote.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.models import AuditEntry, AuditHead

SYSTEM = "system"  # who acted where nobody of the staff did
PERSON = "person"  # the one whose case it is


KEYS = "audit_keys"  # where a session has them (`Session.info`): today's first, then earlier ones


@dataclass(frozen=True)
class Verdict:
    """Whether the log is whole; where not, `last_good` is the id of the last entry before the break, 0 for none.

    `digest` is that of the last good entry, to be compared later.
    """

    is_whole: bool
    entries: int
    last_good: int
    digest: str = ""


def key_from(secret: bytes) -> bytes:
    """The key of the log under a SECRET_KEY: one of its own, so that no other use of that key can make a digest."""
    return hashlib.blake2b(b"audit", key=secret[:64], digest_size=32).digest()


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
    key = _keys(session)[0]
    entry.digest = digest_of(entry, key)
    head.digest, head.entries = entry.digest, head.entries + 1
    head.seal = seal_of(head.digest, head.entries, key)
    session.add(entry)
    session.flush()


def latest(session: Session, count: int) -> list[AuditEntry]:
    """The last entries, the latest first."""
    return list(session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(count)))


def verify(session: Session) -> Verdict:
    """Go along the whole chain; what was written under an earlier key is verified with that."""
    keys, previous, count, last_good = _keys(session), "", 0, 0
    for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id)):
        if entry.previous != previous or not _is_one_of(entry.digest, [digest_of(entry, key) for key in keys]):
            return Verdict(False, count, last_good, previous)
        previous, count, last_good = entry.digest, count + 1, entry.id
    head = session.scalars(select(AuditHead)).one()
    is_sealed = _is_one_of(head.seal, [seal_of(head.digest, head.entries, key) for key in keys])
    return Verdict(is_sealed and head.digest == previous and head.entries == count, count, last_good, previous)


def seal_of(digest: str, entries: int, key: bytes) -> str:
    """The seal on the end of the chain."""
    return hmac.new(key, f"end:{entries}:{digest}".encode(), hashlib.sha256).hexdigest()


def digest_of(entry: AuditEntry, key: bytes) -> str:
    """The digest of an entry under a key; `previous` must be set."""
    return hmac.new(key, _content(entry), hashlib.sha256).hexdigest()


def _keys(session: Session) -> Sequence[bytes]:
    keys: Sequence[bytes] = session.info[KEYS]
    return keys


def _is_one_of(found: str, expected: Sequence[str]) -> bool:
    return any(hmac.compare_digest(found, one) for one in expected)


def _content(entry: AuditEntry) -> bytes:
    content = [
        entry.at.astimezone(UTC).isoformat(),
        entry.actor,
        entry.action,
        entry.case_id,
        entry.details,
        entry.previous,
    ]
    return json.dumps(content, sort_keys=True, ensure_ascii=True).encode()
