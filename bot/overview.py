"""What an operator wants to know of channels and outbox; `wegwijs channels` and `wegwijs outbox` print it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from bot.dead_letters import is_dead
from bot.models import Conversation, InboxMessage, OutboxMessage


@dataclass(frozen=True)
class Traffic:
    """What goes over one channel."""

    last_in: datetime | None
    last_out: datetime | None
    waiting: int
    dead: int


@dataclass(frozen=True)
class Stuck:
    """A reply that waits or is dead, without what it says or to whom."""

    id: int
    channel: str
    conversation: str
    created_at: datetime
    attempts: int
    next_try_at: datetime | None
    failure: str | None


def traffic(session: Session, channel: str) -> Traffic:
    """The figures of a channel. For the page, which fetches, nothing waits and nothing is dead."""
    mine = Conversation.channel == channel
    of_inbox = select(func.max(InboxMessage.received_at)).join(Conversation).where(mine)
    of_outbox = select(func.max(OutboxMessage.delivered_at)).join(Conversation).where(mine)
    replies = (
        select(func.count())
        .select_from(OutboxMessage)
        .join(Conversation)
        .where(mine, Conversation.address.is_not(None))
    )
    return Traffic(
        session.scalar(of_inbox),
        session.scalar(of_outbox),
        session.scalar(replies.where(OutboxMessage.delivered_at.is_(None), OutboxMessage.failure.is_(None))) or 0,
        session.scalar(replies.where(is_dead())) or 0,
    )


def stuck(session: Session, *, limit: int = 50) -> list[Stuck]:
    """The oldest replies that wait for a messenger or will never reach it."""
    rows = session.execute(
        select(OutboxMessage, Conversation.channel)
        .join(Conversation)
        .where(Conversation.address.is_not(None), or_(OutboxMessage.delivered_at.is_(None), is_dead()))
        .order_by(OutboxMessage.id)
        .limit(limit)
    )
    return [
        Stuck(
            row.id,
            channel,
            row.conversation_id,
            row.created_at,
            row.attempts,
            row.next_try_at,
            row.failure or row.state,
        )
        for row, channel in rows
    ]
