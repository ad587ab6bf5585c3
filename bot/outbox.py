"""The outbox: replies stored in the transaction that marks the message handled, and read in order for delivery."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, exists, func, insert, select, update
from sqlalchemy.orm import Session, aliased

from actions.reply import Author, Reply
from bot import insight
from bot.assistant_port import Understood
from bot.bidi import isolated
from bot.models import Conversation, InboxMessage, OutboxMessage
from knowledge.database import changed, table_of

STATES = ("sent", "delivered", "read", "failed")  # in the order in which a messenger reports them
STAFF = "staff-"  # how the part of a word begins that staff say
WINDOW_CLOSED = "window_closed"  # why a reply is dead that goes out as soon as the person writes
STOPPED = "stopped"  # why one is dead that the person had been told of when they wrote STOP
INTERIM = "interim"  # the part of a word that is said before the answer, at most once a message


@dataclass(frozen=True)
class Delivery:
    """A stored reply, as the data of `Reply`. `id` grows with the order of delivery."""

    id: int
    conversation_id: str
    reply: dict[str, Any]
    created_at: datetime


class StoppedError(LookupError):
    """The person said STOP and has not written since: nothing is sent unasked."""


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
    understood: Mapping[str, Any] | None = None,
) -> None:
    """Mark a message handled and store its replies and the conversation's new state, all in the caller's transaction.

    Args:
        understood: what the message was taken for, as `bot.assistant_port.Understood` stores it.

    Raises:
        AlreadyHandledError: somebody else did so before; the caller's transaction has to be rolled back.

    """
    conversation_id = _mark_handled(session, inbox_id, now, understood)
    if understood is not None and replies:
        insight.count(session, understood, language=language, topic=slots.get("topic"), now=now)
    for number, reply in enumerate(replies):
        _add(session, inbox_id, conversation_id, str(number), reply, now=now)
    state = {"conversation": conversation_id, "new_slots": dict(slots), "spoken": language}
    session.connection().execute(_TURN_IS_OVER, state)


def store_help(session: Session, inbox_id: int, reply: Reply, *, now: datetime) -> int:
    """Store the help that an urgent message was given when it arrived, so that nobody answers it once more.

    A turn that somebody has with this person about an earlier message goes on.

    Returns:
        The id of the stored reply.

    """
    understood = Understood(str(reply.topic), None, "urgent").as_data()
    conversation_id = _mark_handled(session, inbox_id, now, understood)
    insight.count(session, understood, language=reply.language, topic=reply.topic, now=now)
    add_slots(session, conversation_id, {"topic": reply.topic, "asked": None})
    return _add(session, inbox_id, conversation_id, "0", reply, now=now)


def add_slots(session: Session, conversation_id: str, new: Mapping[str, Any]) -> None:
    """Change some of what is remembered of a conversation."""
    slots = dict(session.scalars(select(Conversation.slots).where(Conversation.id == conversation_id)).one())
    session.execute(update(Conversation).where(Conversation.id == conversation_id).values(slots={**slots, **new}))


def store_interim(session: Session, conversation_id: str, inbox_id: int, reply: Reply, *, now: datetime) -> bool:
    """Say something while messages stay to be answered; False where it was said since the last answer."""
    last = session.execute(
        select(OutboxMessage.part)
        .where(OutboxMessage.conversation_id == conversation_id)
        .order_by(OutboxMessage.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    if last == INTERIM:
        return False
    _add(session, inbox_id, conversation_id, INTERIM, reply, now=now)
    return True


def store_word(session: Session, conversation_id: str, reply: Reply, *, now: datetime) -> int:
    """Store what staff say, or a word about them: it answers no message in particular and hangs on the last one.

    Returns:
        The id of the stored reply.

    Raises:
        StoppedError: the person said STOP.
        LookupError: the person's messages are not there any more.

    """
    if session.scalar(select(Conversation.stopped_at).where(Conversation.id == conversation_id)) is not None:
        raise StoppedError("the person said STOP")
    last = session.scalar(select(func.max(InboxMessage.id)).where(InboxMessage.conversation_id == conversation_id))
    if last is None:
        raise LookupError("the conversation has no message any more")
    return _add(session, last, conversation_id, f"{STAFF}{secrets.token_hex(4)}", reply, now=now)


def stop(session: Session, inbox_id: int, conversation_id: str) -> bool:
    """Send nothing unasked from the moment on at which STOP was written, until they write again.

    Args:
        inbox_id: the message that says so.

    Returns:
        Whether it is so: not where they have written since.

    """
    stop_, other = aliased(InboxMessage), aliased(InboxMessage)
    said_at = select(func.coalesce(stop_.written_at, stop_.received_at)).where(stop_.id == inbox_id).scalar_subquery()
    # Of a button no messenger says when it was pressed: the order of arrival counts, as it does within the second that they tell.
    written_at = func.coalesce(other.written_at, said_at)
    is_later = (written_at > said_at) | ((written_at == said_at) & (other.id > inbox_id))
    later = exists().where(other.conversation_id == conversation_id, is_later)
    stopped = session.execute(
        update(Conversation)
        .where(Conversation.id == conversation_id, ~later)
        .values(stopped_at=said_at)
        .execution_options(synchronize_session=False)
    )
    return changed(stopped) == 1


def store_silence(
    session: Session,
    inbox_id: int,
    *,
    slots: Mapping[str, Any],
    language: str | None,
    now: datetime,
    understood: Mapping[str, Any] | None = None,
) -> None:
    """Mark a message handled that a person answers and not the assistant; raises as `store_answer` does."""
    store_answer(session, inbox_id, (), slots=slots, language=language, now=now, understood=understood)


def give_back(session: Session, conversation_id: str, *, since: datetime) -> None:
    """Let the assistant answer what came in `since` and after the last word of staff, and nobody has answered.

    Nothing to whoever said STOP: they may not hold the phone alone any more, and were promised that nothing comes.
    """
    if session.scalar(select(Conversation.stopped_at).where(Conversation.id == conversation_id)) is not None:
        return
    mine = OutboxMessage.conversation_id == conversation_id
    by_staff = OutboxMessage.reply["author"].as_string() == Author.STAFF.value
    last_word = session.scalar(select(func.max(OutboxMessage.created_at)).where(mine, by_staff))
    answered = select(OutboxMessage.answers).where(mine, OutboxMessage.part.not_like(f"{STAFF}%"))
    session.execute(
        update(InboxMessage)
        .where(
            InboxMessage.conversation_id == conversation_id,
            InboxMessage.received_at > max(since, last_word or since),
            InboxMessage.id.not_in(answered),
        )
        .values(handled_at=None, attempts=0)
        .execution_options(synchronize_session=False)
    )


def after(session: Session, conversation_id: str, cursor: int = 0) -> list[Delivery]:
    """The replies of a conversation with an id above `cursor`, in order."""
    rows = session.execute(
        select(OutboxMessage.id, OutboxMessage.reply, OutboxMessage.created_at)
        .where(OutboxMessage.conversation_id == conversation_id, OutboxMessage.id > cursor)
        .order_by(OutboxMessage.id)
    )
    return [Delivery(row.id, conversation_id, row.reply, row.created_at) for row in rows]


def mark_delivered(session: Session, read_up_to: Mapping[str, int], *, now: datetime) -> None:
    """Note which replies people's phones have fetched.

    Args:
        read_up_to: by conversation the highest id that was fetched.

    """
    for conversation_id, cursor in read_up_to.items():
        session.execute(
            update(OutboxMessage)
            .where(
                OutboxMessage.conversation_id == conversation_id,
                OutboxMessage.id <= cursor,
                OutboxMessage.delivered_at.is_(None),
            )
            .values(delivered_at=now)
            .execution_options(synchronize_session=False)
        )


def record_sent(session: Session, outbox_id: int, provider_id: str | None, *, now: datetime) -> None:
    """A messenger took a reply."""
    values = {"delivered_at": now, "provider_id": provider_id, "state": "sent", "next_try_at": None}
    session.execute(update(OutboxMessage).where(OutboxMessage.id == outbox_id).values(**values))


def record_retry(session: Session, outbox_id: int, when: datetime) -> None:
    """A messenger did not take a reply; it is tried again."""
    session.execute(update(OutboxMessage).where(OutboxMessage.id == outbox_id).values(next_try_at=when))


def record_failure(session: Session, outbox_id: int, reason: str) -> None:
    """A reply will never be sent; it stays in the outbox with the reason, to be seen (`wegwijs outbox`)."""
    session.execute(update(OutboxMessage).where(OutboxMessage.id == outbox_id).values(failure=reason))


def open_window(session: Session, conversation_id: str) -> None:
    """The person wrote: what they were only told of can go out now, before anything newer."""
    _at_the_window(session, conversation_id, failure=None, attempts=0, next_try_at=None)


def empty_window(session: Session, conversation_id: str) -> None:
    """The person wrote STOP: what they were only told of does not go out any more."""
    _at_the_window(session, conversation_id, failure=STOPPED)


def _at_the_window(session: Session, conversation_id: str, **values: Any) -> None:
    session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.conversation_id == conversation_id, OutboxMessage.failure == WINDOW_CLOSED)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def record_states(session: Session, states: Mapping[str, str]) -> None:
    """Note what a messenger says of replies that it took; reports come in any order and never step back.

    Args:
        states: by the provider's id: sent, delivered, read or failed.

    """
    rows = session.scalars(select(OutboxMessage).where(OutboxMessage.provider_id.in_(states)))
    for row in rows:
        state = states[str(row.provider_id)]
        if state in STATES and STATES.index(state) > STATES.index(row.state or STATES[0]):
            row.state = state


def _mark_handled(session: Session, inbox_id: int, now: datetime, understood: Mapping[str, Any] | None) -> str:
    values = {"message": inbox_id, "now": now, "taken_for": understood}
    found = session.connection().execute(_HANDLED, values).scalar_one_or_none()
    if found is None:
        raise AlreadyHandledError(f"message {inbox_id} was handled already")
    return str(found)


def _add(session: Session, inbox_id: int, conversation_id: str, part: str, reply: Reply, *, now: datetime) -> int:
    row = {
        "conversation_id": conversation_id,
        "answers": inbox_id,
        "part": part,
        "reply": isolated(reply).model_dump(mode="json"),
        "created_at": now,
    }
    return int(session.connection().execute(_INSERT, row).scalar_one())


# The statements of every answer, made once.
_message, _conversation = table_of(InboxMessage).c, table_of(Conversation).c
_HANDLED = (
    update(table_of(InboxMessage))
    .where(_message.id == bindparam("message"), _message.handled_at.is_(None))
    .values(handled_at=bindparam("now"), understood=bindparam("taken_for"))
    .returning(_message.conversation_id)
)
_INSERT = insert(table_of(OutboxMessage)).returning(table_of(OutboxMessage).c.id)
_TURN_IS_OVER = (
    update(table_of(Conversation))
    .where(_conversation.id == bindparam("conversation"))
    .values(slots=bindparam("new_slots"), language=bindparam("spoken"), claimed_by=None, claimed_until=None)
)
