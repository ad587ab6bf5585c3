"""The outbox: replies stored in the transaction that marks the message handled, and read in order for delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from actions.reply import Reply
from bot.bidi import isolated
from bot.models import Conversation, InboxMessage, OutboxMessage
from knowledge.database import changed

INTERIM = "interim"  # the part of a word that is said before the answer, at most once a message


@dataclass(frozen=True)
class Delivery:
    """A stored reply. `id` grows with the order of delivery."""

    id: int
    conversation_id: str
    reply: Reply
    created_at: datetime


class AlreadyHandledError(RuntimeError):
    """The message was answered by another worker in the meantime: what this one thought of is dropped."""


def store_answer(
    session: Session,
    inbox_id: int,
    replies: Sequence[Reply],
    *,
    slots: Mapping[str, Any],
    language: str | None,
    now: datetime,
) -> None:
    """Mark a message handled and store its replies and the conversation's new state, all in the caller's transaction.

    Raises:
        AlreadyHandledError: somebody else did so before; the caller's transaction has to be rolled back.

    """
    marked = session.execute(
        update(InboxMessage)
        .where(InboxMessage.id == inbox_id, InboxMessage.handled_at.is_(None))
        .values(handled_at=now)
    )
    if changed(marked) != 1:
        raise AlreadyHandledError(f"message {inbox_id} was handled already")
    message = session.get_one(InboxMessage, inbox_id)
    for number, reply in enumerate(replies):
        _add(session, message, str(number), reply, now)
    conversation = session.get_one(Conversation, message.conversation_id)
    conversation.slots = dict(slots)
    conversation.language = language
    conversation.claimed_by = conversation.claimed_until = None


def store_interim(session: Session, inbox_id: int, reply: Reply, *, now: datetime) -> bool:
    """Say something while the message stays to be answered; False where that was done before."""
    said = session.scalar(
        select(OutboxMessage.id).where(OutboxMessage.answers == inbox_id, OutboxMessage.part == INTERIM)
    )
    if said is None:
        _add(session, session.get_one(InboxMessage, inbox_id), INTERIM, reply, now)
    return said is None


def undelivered(session: Session, conversation_id: str, *, after: int = 0) -> list[Delivery]:
    """The replies of a conversation with an id above `after`, in order."""
    rows = session.scalars(
        select(OutboxMessage)
        .where(OutboxMessage.conversation_id == conversation_id, OutboxMessage.id > after)
        .order_by(OutboxMessage.id)
    )
    return [Delivery(row.id, row.conversation_id, Reply.model_validate(row.reply), row.created_at) for row in rows]


def mark_delivered(session: Session, conversation_id: str, *, up_to: int, now: datetime) -> None:
    """Note that the person's side has fetched every reply up to an id."""
    session.execute(
        update(OutboxMessage)
        .where(
            OutboxMessage.conversation_id == conversation_id,
            OutboxMessage.id <= up_to,
            OutboxMessage.delivered_at.is_(None),
        )
        .values(delivered_at=now)
    )


def _add(session: Session, message: InboxMessage, part: str, reply: Reply, now: datetime) -> None:
    session.add(
        OutboxMessage(
            conversation_id=message.conversation_id,
            answers=message.id,
            part=part,
            reply=isolated(reply).model_dump(mode="json"),
            created_at=now,
        )
    )
