"""Dead letters: replies that will never reach a messenger by themselves. Staff see which, since when and why, and can try again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from actions.reply import Author
from bot import audit
from bot.cases import State
from bot.models import Case, Conversation, OutboxMessage
from knowledge.database import changed

MOST_SHOWN = 200
REFUSED_LATER = "failed"  # the provider took it and said afterwards that it did not arrive


@dataclass(frozen=True)
class DeadLetter:
    """A reply that did not arrive, without what it says or to whom.

    Attributes:
        topic: of a knowledge answer; None for anything else, and where there is a case: who may know it sees it there.
        by_staff: whether a person wrote or sent it.
        reason: a code, such as `blocked` or `gave_up: http_500`.
        case_id: the open case of the conversation, where there is one.

    """

    id: int
    channel: str
    topic: str | None
    by_staff: bool
    created_at: datetime
    attempts: int
    reason: str
    case_id: int | None


def dead_letters(session: Session) -> list[DeadLetter]:
    """The latest first."""
    is_open = and_(Case.conversation_id == OutboxMessage.conversation_id, Case.state != State.CLOSED)
    statement = (
        select(OutboxMessage, Conversation.channel, Case.id)
        .join(Conversation, Conversation.id == OutboxMessage.conversation_id)
        .outerjoin(Case, is_open)
        .where(is_dead())
        .order_by(OutboxMessage.id.desc())
        .limit(MOST_SHOWN)
    )
    return [
        DeadLetter(
            row.id,
            channel,
            row.reply.get("topic") if case_id is None else None,
            row.reply.get("author") == Author.STAFF,
            row.created_at,
            row.attempts,
            row.failure or REFUSED_LATER,
            case_id,
        )
        for row, channel, case_id in session.execute(statement)
    ]


def count(session: Session) -> int:
    """How many there are."""
    return session.scalar(select(func.count()).select_from(OutboxMessage).where(is_dead())) or 0


def try_again(session: Session, outbox_id: int, staff_id: str, *, now: datetime) -> bool:
    """Put a reply back in line, as if it had never been tried; returns whether it was a dead one, of nobody who said STOP."""
    stopped = select(Conversation.id).where(Conversation.stopped_at.is_not(None))
    revived = session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id == outbox_id, is_dead(), OutboxMessage.conversation_id.not_in(stopped))
        .values(failure=None, state=None, provider_id=None, delivered_at=None, attempts=0, next_try_at=None)
        .execution_options(synchronize_session=False)
    )
    if not changed(revived):
        return False
    audit.record(session, staff_id, "message_retried", details={"outbox": outbox_id}, now=now)
    return True


def is_dead() -> ColumnElement[bool]:
    """What a dead reply is, as a condition: one that we gave up, or that the provider took and did not bring."""
    return or_(OutboxMessage.failure.is_not(None), OutboxMessage.state == REFUSED_LATER)
