"""A person's rights over their data: deleting it on request with a receipt, and deleting it by itself when its time is over."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from actions.reply import Effect, Reply
from bot import audit, cases
from bot.models import Attachment, Case, Conversation, Deletion, InboxMessage, OutboxMessage, Translation
from knowledge.database import changed
from knowledge.formats import long_date

MESSAGE_DAYS = "privacy.message_days"  # the parameter that says how long messages are kept, and that people are told


@dataclass(frozen=True)
class Receipt:
    """Proof of a deletion: nothing in it tells who it was."""

    number: str
    deleted_at: datetime
    messages: int


def delete_messages(session: Session, conversation_id: str, *, up_to: int, now: datetime) -> Receipt:
    """Delete what was said in a conversation up to the message that asks for it, and all that was remembered.

    That message's row stays with an empty text until `delete_expired` takes it: the receipt hangs on it. What the person wrote
    after it is another matter and is still answered.
    """
    mine = InboxMessage.conversation_id == conversation_id
    until = InboxMessage.id <= up_to
    count = session.scalar(select(func.count()).select_from(InboxMessage).where(mine, until)) or 0
    said = OutboxMessage.conversation_id == conversation_id
    session.execute(delete(OutboxMessage).where(said, OutboxMessage.answers <= up_to))
    session.execute(delete(InboxMessage).where(mine, InboxMessage.id < up_to))
    session.execute(delete(Translation).where(Translation.inbox_id == up_to))
    session.execute(update(InboxMessage).where(InboxMessage.id == up_to).values(body="", understood=None))
    session.execute(delete(Attachment).where(Attachment.inbox_id == up_to))  # the others went with their messages
    session.execute(update(Conversation).where(Conversation.id == conversation_id).values(slots={}, hint=None))
    _forget_cases(session, conversation_id, now=now)
    receipt = Receipt(secrets.token_hex(4).upper(), now, count)
    session.add(Deletion(receipt=receipt.number, deleted_at=now, messages=count))
    return receipt


def with_receipt(reply: Reply, receipt: Receipt) -> Reply:
    """The reply with date, count and number of the receipt filled in; any other reply as it is."""
    if reply.effect is not Effect.DELETE_DATA:
        return reply
    date = long_date(receipt.deleted_at.date(), reply.language)
    text = reply.text.format(date=date, messages=receipt.messages, receipt=receipt.number)
    return reply.model_copy(update={"text": text})


def forget(session: Session, conversation_id: str, *, now: datetime) -> None:
    """Remove a conversation with everything that hangs on it."""
    _forget_cases(session, conversation_id, now=now)
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
    has_case = select(Case.conversation_id).where(Case.state != cases.State.CLOSED, Case.conversation_id.is_not(None))
    session.execute(
        delete(Conversation).where(
            Conversation.last_message_at < limit,
            Conversation.id.not_in(has_messages),
            Conversation.id.not_in(has_case),
        )
    )
    return changed(gone)


def _forget_cases(session: Session, conversation_id: str, *, now: datetime) -> None:
    for case_id in cases.forget(session, conversation_id, now=now):
        audit.record(session, audit.SYSTEM, "case_ended_by_deletion", case_id=case_id, now=now)
