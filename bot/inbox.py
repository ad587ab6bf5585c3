"""The inbox: accepting messages once each, and handing them out one conversation at a time, in order.

Accepted means stored: `accept` commits before anybody is told. A worker claims a conversation for a short time; what a killed
worker had claimed is free again when that time is over.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot.models import Conversation, InboxMessage
from knowledge.database import changed

CLAIM = timedelta(seconds=30)


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

    """

    provider_id: str
    kind: Kind
    body: str
    hint: str | None = None


@dataclass(frozen=True)
class Turn:
    """One message to be answered, with what is known of its conversation."""

    inbox_id: int
    conversation_id: str
    kind: Kind
    body: str
    language: str | None
    hint: str | None
    slots: dict[str, Any]
    attempts: int


def address_hash(channel: str, address: str, *, key: bytes) -> str:
    """The keyed hash under which a channel's address is looked up: 64 hexadecimal digits."""
    return hmac.new(key, f"{channel}:{address}".encode(), hashlib.sha256).hexdigest()


def conversation_of(session: Session, channel: str, hashed: str, *, now: datetime) -> Conversation:
    """The conversation with an address; a new one where there is none."""
    found = session.scalar(
        select(Conversation).where(Conversation.channel == channel, Conversation.address_hash == hashed)
    )
    if found is None:
        found = Conversation(
            id=secrets.token_hex(16),
            channel=channel,
            address_hash=hashed,
            slots={},
            created_at=now,
            last_message_at=now,
        )
        session.add(found)
        session.flush()
    return found


def accept(session: Session, conversation: Conversation, message: Incoming, *, now: datetime) -> int | None:
    """Store a message.

    Returns:
        Its inbox id, or None where the same message was stored before.

    """
    row = InboxMessage(
        conversation_id=conversation.id,
        provider_id=message.provider_id,
        kind=message.kind,
        body=message.body,
        received_at=now,
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return None
    conversation.last_message_at = now
    if message.hint:
        conversation.hint = message.hint
    return row.id


def received_since(session: Session, conversation_id: str, since: datetime) -> int:
    """How many messages a conversation has sent since a moment: for the limit per minute."""
    statement = select(func.count()).where(
        InboxMessage.conversation_id == conversation_id, InboxMessage.received_at >= since
    )
    return session.scalar(statement) or 0


def claim_next(session: Session, worker: str, *, now: datetime) -> Turn | None:
    """The oldest unhandled message of a conversation that nobody has claimed, and the claim on it.

    Conversations that are claimed are passed over, so that each person is answered in order and by one worker.
    """
    candidates = session.execute(
        select(InboxMessage.conversation_id, func.min(InboxMessage.id))
        .join(Conversation, Conversation.id == InboxMessage.conversation_id)
        .where(InboxMessage.handled_at.is_(None), _is_free(now))
        .group_by(InboxMessage.conversation_id)
        .order_by(func.min(InboxMessage.id))
        .limit(10)
    ).all()
    for conversation_id, inbox_id in candidates:
        # The same condition again in the update: of two workers that read the same row one changes it.
        claimed = session.execute(
            update(Conversation)
            .where(Conversation.id == conversation_id, _is_free(now))
            .values(claimed_by=worker, claimed_until=now + CLAIM)
            .execution_options(synchronize_session=False)
        )
        if changed(claimed) == 1:
            return _turn(session, conversation_id, inbox_id)
    return None


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


def _is_free(now: datetime) -> Any:
    return or_(Conversation.claimed_until.is_(None), Conversation.claimed_until < now)


def _turn(session: Session, conversation_id: str, inbox_id: int) -> Turn | None:
    message = session.get(InboxMessage, inbox_id)
    conversation = session.get(Conversation, conversation_id)
    if message is None or conversation is None or message.handled_at is not None:
        return None
    message.attempts += 1
    return Turn(
        inbox_id=message.id,
        conversation_id=conversation_id,
        kind=Kind(message.kind),
        body=message.body,
        language=conversation.language,
        hint=conversation.hint,
        slots=dict(conversation.slots),
        attempts=message.attempts,
    )
