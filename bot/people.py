"""A person's rights over their data: deleting it on request with a receipt, and deleting it by itself when its time is over."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from actions.reply import Reply
from bot.models import Conversation, Deletion, InboxMessage, OutboxMessage
from knowledge.database import changed
from knowledge.formats import long_date

MESSAGE_DAYS = "privacy.message_days"  # the parameter that says how long messages are kept, and that people are told


@dataclass(frozen=True)
class Receipt:
    """Proof of a deletion: nothing in it tells who it was."""

    number: str
    deleted_at: datetime
    messages: int


def delete_messages(session: Session, conversation_id: str, *, keep: int, now: datetime) -> Receipt:
    """Delete every message of a conversation but the one that asks for it, which `forget` takes once its answer was fetched.

    Its text is emptied here, so that nothing the person wrote is left.
    """
    mine = InboxMessage.conversation_id == conversation_id
    count = session.scalar(select(func.count()).select_from(InboxMessage).where(mine)) or 0
    session.execute(delete(OutboxMessage).where(OutboxMessage.conversation_id == conversation_id))
    session.execute(delete(InboxMessage).where(mine, InboxMessage.id != keep))
    last = session.get_one(InboxMessage, keep)
    last.body = ""
    receipt = Receipt(secrets.token_hex(4).upper(), now, count)
    session.add(Deletion(receipt=receipt.number, deleted_at=now, messages=count))
    return receipt


def with_receipt(reply: Reply, receipt: Receipt) -> Reply:
    """The reply with date, count and number of the receipt filled in."""
    date = long_date(receipt.deleted_at.date(), reply.language)
    text = reply.text.format(date=date, messages=receipt.messages, receipt=receipt.number)
    return reply.model_copy(update={"text": text})


def forget(session: Session, conversation_id: str) -> None:
    """Remove a conversation with everything that hangs on it."""
    session.execute(delete(OutboxMessage).where(OutboxMessage.conversation_id == conversation_id))
    session.execute(delete(InboxMessage).where(InboxMessage.conversation_id == conversation_id))
    session.execute(delete(Conversation).where(Conversation.id == conversation_id))


def delete_expired(session: Session, *, days: int, now: datetime) -> int:
    """Delete handled messages older than `days` and conversations without a message since; returns how many messages went."""
    limit = now - timedelta(days=days)
    old = select(InboxMessage.id).where(InboxMessage.received_at < limit, InboxMessage.handled_at.is_not(None))
    session.execute(delete(OutboxMessage).where(OutboxMessage.answers.in_(old)))
    gone = session.execute(
        delete(InboxMessage).where(InboxMessage.received_at < limit, InboxMessage.handled_at.is_not(None))
    )
    has_messages = select(InboxMessage.conversation_id)
    session.execute(
        delete(Conversation).where(Conversation.last_message_at < limit, Conversation.id.not_in(has_messages))
    )
    return changed(gone)
