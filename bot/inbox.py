"""The inbox: accepting messages once each, and handing them out one conversation at a time, in order.

Accepted means stored: `accept` commits before anybody is told. A worker claims a conversation for a short time; what a killed
worker had claimed is free again when that time is over.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import bindparam, case, func, or_, select, update
from sqlalchemy.orm import Session

from bot.models import Conversation, InboxMessage
from knowledge.database import insert_unless_there, table_of

CLAIM = timedelta(seconds=30)
CANDIDATES = 8  # rows to read for each conversation that is wanted: somebody may have sent several messages


class Kind(StrEnum):
    """What kind of message came in."""

    TEXT = "text"
    BUTTON = "button"
    LOCATION = "location"


@dataclass(frozen=True)
class Incoming:
    """A message as a channel hands it over.

    Attributes:
        provider_id: the provider's own id of the message: the same message delivered again has the same one.
        body: the text, the button's payload, or "lat,lon" in degrees.
        hint: the messenger's language setting.
        is_edit: whether it is the new text of a message that came before. Nothing is said to it but help in danger.

    """

    provider_id: str
    kind: Kind
    body: str
    hint: str | None = None
    is_edit: bool = False


@dataclass(frozen=True)
class Turn:
    """One message to be answered, with what is known of its conversation.

    Attributes:
        parsed: what the model made of the text, where it was read together with others.
        is_stopped: whether it was written before a STOP that holds: nothing is said to it but what keeps somebody safe.

    """

    inbox_id: int
    conversation_id: str
    kind: Kind
    body: str
    language: str | None
    hint: str | None
    slots: dict[str, Any]
    attempts: int
    parsed: Mapping[str, Any] | None = None
    is_edit: bool = False
    is_stopped: bool = False


def address_hash(channel: str, address: str, *, key: bytes) -> str:
    """The keyed hash under which a channel's address is looked up: 64 hexadecimal digits."""
    return hmac.new(key, f"{channel}:{address}".encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Found:
    """A conversation as a channel needs it: its id, and the language spoken in it so far."""

    id: str
    language: str | None


def address_hashes(channel: str, address: str, *, keys: Sequence[bytes]) -> tuple[str, ...]:
    """The hashes under which an address may be found: under today's key, and under those before it."""
    return tuple(address_hash(channel, address, key=key) for key in keys)


def find_conversation(session: Session, channel: str, *hashes: str) -> Found | None:
    """The conversation with an address, under the first of its hashes that is known; None where there is none."""
    for hashed in hashes:
        row = session.connection().execute(_FIND, {"channel": channel, "hashed": hashed}).one_or_none()
        if row is not None:
            return Found(row.id, row.language)
    return None


def move(session: Session, channel: str, old: Sequence[str], hashed: str, *, address: str) -> bool:
    """Let a conversation be found under another address, or under the hash of today's key.

    Args:
        old: the hashes of the address before.
        hashed: the hash of the address from now on.
        address: that one, encrypted.

    Returns:
        Whether there was one. Where the new address has a conversation already, both stay as they are.

    """
    found = find_conversation(session, channel, *old)
    if found is None or find_conversation(session, channel, hashed) is not None:
        return False
    values = {"address_hash": hashed, "address": address}
    session.execute(update(Conversation).where(Conversation.id == found.id).values(**values))
    return True


def conversation_of(session: Session, channel: str, hashed: str, *, now: datetime, address: str | None = None) -> Found:
    """The conversation with an address; a new one where there is none.

    Args:
        address: the encrypted address, for channels that send.

    """
    known = find_conversation(session, channel, hashed)
    if known is not None:
        return known
    values: dict[str, Any] = {
        "channel": channel,
        "address_hash": hashed,
        "slots": {},
        "created_at": now,
        "last_message_at": now,
    }
    values["address"] = address
    insert_unless_there(session, Conversation, id=secrets.token_hex(16), **values)
    found = find_conversation(session, channel, hashed)
    if found is None:
        raise LookupError("a conversation that was just begun is not there")
    return found


def accept(
    session: Session,
    conversation_id: str,
    message: Incoming,
    *,
    now: datetime,
    is_urgent: bool = False,
    written_at: datetime | None = None,
) -> int | None:
    """Store a message.

    Args:
        is_urgent: whether somebody may be in danger, so that it is taken before others.
        written_at: when, where the channel says so.

    Returns:
        Its inbox id, or None where the same message was stored before.

    """
    inbox_id = insert_unless_there(
        session,
        InboxMessage,
        conversation_id=conversation_id,
        provider_id=message.provider_id,
        kind=message.kind,
        body=message.body,
        received_at=now,
        written_at=written_at,
        is_urgent=is_urgent,
        is_edit=message.is_edit,
        attempts=0,
    )
    if inbox_id is not None:
        changes = {"conversation": conversation_id, "now": now, "new_hint": message.hint, "written": written_at}
        session.connection().execute(_WROTE, changes)
    return inbox_id


def is_stored(session: Session, conversation_id: str, provider_id: str) -> bool:
    """Whether a message was accepted before."""
    statement = select(InboxMessage.id).where(
        InboxMessage.conversation_id == conversation_id, InboxMessage.provider_id == provider_id
    )
    return session.execute(statement).first() is not None


def claim(session: Session, worker: str, *, now: datetime, limit: int = 1) -> list[Turn]:
    """Messages to answer, with the claim on their conversations: urgent ones of everybody first, then the oldest.

    Of each conversation one message is given out, and none of a conversation that somebody has claimed: so each person is
    answered in order and by one worker.
    """
    connection = session.connection()
    rows = connection.execute(_WAITING, {"now": now, "most": CANDIDATES * limit}).all()
    first: dict[str, Any] = {}
    for row in rows:
        if len(first) < limit:
            first.setdefault(row.conversation_id, row)
    if not first:
        return []
    # The same condition again in the update: of two workers that read the same row one changes it.
    claim = {"worker": worker, "now": now, "until": now + CLAIM, "conversations": list(first)}
    mine = set(connection.execute(_CLAIM, claim).scalars())
    turns = [_turn(row, row.attempts + 1) for row in first.values() if row.conversation_id in mine]
    connection.execute(_TRIED, {"messages": [turn.inbox_id for turn in turns]})
    return turns


def not_looked_at(session: Session, *, now: datetime, limit: int) -> list[Turn]:
    """Messages that nobody has judged yet while there is no model: each comes once, however many wait before it."""
    statement = _WAITING.where(InboxMessage.looked_at.is_(None))
    rows = session.connection().execute(statement, {"now": now, "most": limit}).all()
    turns = [_turn(row, row.attempts) for row in rows]
    session.execute(
        update(InboxMessage)
        .where(InboxMessage.id.in_([turn.inbox_id for turn in turns]))
        .values(looked_at=now)
        .execution_options(synchronize_session=False)
    )
    return turns


def release(session: Session, conversation_id: str, worker: str) -> None:
    """Give a claim back without having answered."""
    session.execute(
        update(Conversation)
        .where(Conversation.id == conversation_id, Conversation.claimed_by == worker)
        .values(claimed_by=None, claimed_until=None)
    )


def release_all(session: Session) -> None:
    """Forget every claim: for the start of a process that has the database to itself."""
    session.execute(update(Conversation).values(claimed_by=None, claimed_until=None))


def _turn(row: Any, attempts: int) -> Turn:
    return Turn(
        inbox_id=row.id,
        conversation_id=row.conversation_id,
        kind=Kind(row.kind),
        body=row.body,
        language=row.language,
        hint=row.hint,
        slots=dict(row.slots),
        attempts=attempts,
        is_edit=row.is_edit,
        is_stopped=row.stopped_at is not None,
    )


# The statements of every message, made once: putting one together takes longer than SQLite takes to run it.
_message, _conversation = table_of(InboxMessage).c, table_of(Conversation).c
_IS_FREE = or_(_conversation.claimed_until.is_(None), _conversation.claimed_until < bindparam("now"))
_FIND = select(_conversation.id, _conversation.language).where(
    _conversation.channel == bindparam("channel"), _conversation.address_hash == bindparam("hashed")
)
_WROTE = (
    update(table_of(Conversation))
    .where(_conversation.id == bindparam("conversation"))
    .values(
        last_message_at=bindparam("now"),
        hint=func.coalesce(bindparam("new_hint"), _conversation.hint),
        # Whoever writes wants to be answered; what they wrote before the STOP and comes after it does not say so.
        stopped_at=case((_conversation.stopped_at > bindparam("written"), _conversation.stopped_at)),
    )
)
_WAITING = (
    select(
        _message.id,
        _message.conversation_id,
        _message.kind,
        _message.body,
        _message.attempts,
        _message.is_edit,
        _conversation.language,
        _conversation.hint,
        _conversation.slots,
        _conversation.stopped_at,
    )
    .join(table_of(Conversation), _conversation.id == _message.conversation_id)
    .where(_message.handled_at.is_(None), _IS_FREE)
    .order_by(_message.is_urgent.desc(), _message.id)
    .limit(bindparam("most"))
)
_CLAIM = (
    update(table_of(Conversation))
    .where(_conversation.id.in_(bindparam("conversations", expanding=True)), _IS_FREE)
    .values(claimed_by=bindparam("worker"), claimed_until=bindparam("until"))
    .returning(_conversation.id)
)
_TRIED = (
    update(table_of(InboxMessage))
    .where(_message.id.in_(bindparam("messages", expanding=True)))
    .values(attempts=_message.attempts + 1)
)
