"""What the console shows: the queue, a case with its transcript, the audit log. Reads only; who may see what is decided here."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import and_, func, select
from sqlalchemy import case as sql_case
from sqlalchemy.orm import Session

from bot import presence
from bot.cases import Consent, State
from bot.inbox import Kind
from bot.models import (
    Attachment,
    AuditEntry,
    Case,
    Conversation,
    InboxMessage,
    Note,
    OutboxMessage,
    Staff,
    Translation,
)
from bot.outbox import INTERIM, STAFF
from bot.sign_in import Person
from bot.staff import SEES_ALL_CASES

MOST_SHOWN = 100  # on a page: more is no help to anybody, and each open console draws it anew at each change
LOG_SHOWN = 200
LARGEST_ID = 2**63 - 1  # that a database holds


@dataclass(frozen=True)
class Row:
    """A case in the queue. `minutes`: since when it has waited this time, or since it was opened where it does not wait."""

    id: int
    kind: str
    priority: int
    language: str | None
    channel: str
    state: str
    owner: str | None
    owner_name: str | None
    minutes: int
    watchers: Sequence[tuple[str, str]] = ()  # ids and names of those who have it open

    def others(self, staff_id: str) -> list[str]:
        """The names of those who have it open, but for one."""
        return [name for one, name in self.watchers if one != staff_id]


@dataclass(frozen=True)
class Line:
    """One thing that was said or noted.

    `state` is how far a reply has come, `understood` what the bot took a message for, `is_with_bot` whether the bot answered it, or
    it is such an answer; what it says in danger does not count.
    """

    at: datetime
    author: str
    text: str
    reply: dict[str, Any] | None = None
    kind: str | None = None
    state: str | None = None
    name: str | None = None
    understood: dict[str, Any] | None = None
    translation: str | None = None
    inbox_id: int | None = None
    file: Attachment | None = None
    is_with_bot: bool = False


@dataclass(frozen=True)
class Opened:
    """A case as its page shows it.

    Without consent neither topic nor what was said before staff came is in it, and nothing that was said after its end.
    `is_stopped`: the person said STOP, and is not written to until they write again. `was_read`:
    it was opened anew, and what was said until its first end is in it all the same.
    """

    row: Row
    outcome: str | None
    topic: str | None
    lines: Sequence[Line]
    notes: Sequence[Line]
    consent: str | None
    is_stopped: bool
    was_read: bool


class Filter(BaseModel):
    """Which cases are wanted, as it stands in the address of the queue; an empty field wants all."""

    model_config = ConfigDict(frozen=True)

    kind: str = ""
    language: str = ""
    channel: str = ""
    owner: Literal["", "me", "nobody"] = ""
    page: int = Field(1, ge=1, le=1000)


@dataclass(frozen=True)
class Choices:
    """What there is to choose from."""

    kinds: Sequence[str]
    languages: Sequence[str]
    channels: Sequence[str]


def choices(session: Session, *, closed: bool) -> Choices:
    """The kinds, languages and channels of the cases that are open, or closed; the most urgent kind first."""
    shown = Case.state == State.CLOSED if closed else Case.state != State.CLOSED
    rows = session.execute(select(Case.kind, Case.priority, Case.language, Case.channel).where(shown).distinct()).all()
    kinds = dict.fromkeys(row.kind for row in sorted(rows, key=lambda row: (row.priority, row.kind)))
    languages = sorted({row.language for row in rows if row.language is not None})
    return Choices(list(kinds), languages, sorted({row.channel for row in rows}))


def waiting(session: Session) -> list[int]:
    """The ids of all cases that wait."""
    return list(session.scalars(select(Case.id).where(Case.state == State.WAITING).order_by(Case.id)))


def queue(session: Session, chosen: Filter, staff_id: str, *, closed: bool, now: datetime) -> tuple[list[Row], bool]:
    """The open cases that are wanted, waiting ones and the most urgent first; or the closed ones, the latest first.

    Returns:
        One page of them, and whether there are more.

    """
    statement = select(*_ROW).outerjoin(Staff, Staff.id == Case.owner)
    statement = statement.offset((chosen.page - 1) * MOST_SHOWN).limit(MOST_SHOWN + 1)
    for column, value in ((Case.kind, chosen.kind), (Case.language, chosen.language), (Case.channel, chosen.channel)):
        if value:
            statement = statement.where(column == value)
    if chosen.owner:
        statement = statement.where(Case.owner == staff_id if chosen.owner == "me" else Case.owner.is_(None))
    if closed:
        statement = statement.where(Case.state == State.CLOSED).order_by(Case.closed_at.desc())
    else:
        waits = sql_case((Case.state == State.WAITING, 0), else_=1)
        statement = statement.where(Case.state != State.CLOSED).order_by(waits, Case.priority, Case.id)
    there = presence.looking(session, now=now)
    rows = [_row(found, now, there.get(found.id, ())) for found in session.execute(statement)]
    return rows[:MOST_SHOWN], len(rows) > MOST_SHOWN


def mark_of_queue(session: Session, *, now: datetime) -> str:
    """A mark that changes whenever the queue does."""
    statement = select(Case.id, Case.kind, Case.state, Case.owner).where(Case.state != State.CLOSED).order_by(Case.id)
    marks = (session.execute(statement).all(), presence.looking(session, now=now))
    return hashlib.sha256(repr(marks).encode()).hexdigest()


def mark_of_case(session: Session, row: Row, staff_id: str) -> str:
    """A mark for one of the staff: it changes whenever something happens in a case, or a colleague begins or ends looking."""
    conversation_id = conversation_of(session, row.id)[0]
    said = select(
        func.max(OutboxMessage.id), func.count(OutboxMessage.delivered_at), func.count(OutboxMessage.failure)
    ).where(OutboxMessage.conversation_id == conversation_id)
    came = select(func.max(InboxMessage.id), func.count(InboxMessage.understood)).where(
        InboxMessage.conversation_id == conversation_id
    )
    files = select(func.count(Attachment.media_type), func.count(Attachment.failure)).where(
        Attachment.conversation_id == conversation_id
    )
    noted = select(func.max(Note.id)).where(Note.case_id == row.id)
    consent = select(Case.consent).where(Case.id == row.id)
    marks = [session.execute(one).one() for one in (said, came, files, noted, consent)]
    return hashlib.sha256(repr((marks, row.kind, row.state, row.owner, row.others(staff_id))).encode()).hexdigest()


def find(session: Session, case_id: int, *, now: datetime) -> Row | None:
    """A case without what was said in it."""
    statement = select(*_ROW).outerjoin(Staff, Staff.id == Case.owner).where(Case.id == case_id)
    found = session.execute(statement).one_or_none()
    if found is None:
        return None
    return _row(found, now, presence.looking(session, now=now).get(case_id, ()))


def may_see(person: Person, row: Row) -> bool:
    """A case that waits may be read by all who take cases; one that is taken or closed by its owner and by leads."""
    return row.state == State.WAITING or row.owner == person.id or person.role in SEES_ALL_CASES


def conversation_of(session: Session, case_id: int) -> tuple[str | None, str | None]:
    """The conversation of a case, and the language spoken in it."""
    statement = (
        select(Case.conversation_id, func.coalesce(Conversation.language, Case.language))
        .outerjoin(Conversation, Conversation.id == Case.conversation_id)
        .where(Case.id == case_id)
    )
    found = session.execute(statement).one_or_none()
    return (found[0], found[1]) if found is not None else (None, None)


def opened(session: Session, row: Row, language: str) -> Opened:
    """A case with its notes and its transcript, with what there is of it in a language by machine."""
    case = session.get_one(Case, row.id)
    slots: dict[str, Any] = {}
    lines: list[Line] = []
    stopped_at: datetime | None = None
    if case.conversation_id is not None:
        lines = _what_was_said(session, case.conversation_id, language)
        stopped_at = session.scalar(select(Conversation.stopped_at).where(Conversation.id == case.conversation_id))
    if case.closed_at is not None:
        # What the person writes to the bot after that is not of this case, whatever they said of it.
        lines = [line for line in lines if line.at <= case.closed_at]
    if case.conversation_id is not None and case.consent == Consent.YES and case.closed_at is None:
        slots = session.scalars(select(Conversation.slots).where(Conversation.id == case.conversation_id)).one()
    elif case.consent != Consent.YES:
        # What the person writes to staff who have said hello is meant for them; all before that is not, and neither is what
        # they write to the bot when it answers again.
        lines = [line for line in lines if _is_for_staff(line, case)]
    notes = session.execute(
        select(Note, Staff.name)
        .outerjoin(Staff, Staff.id == Note.author)
        .where(Note.case_id == row.id)
        .order_by(Note.id)
    )
    written = [Line(note.written_at, "note", note.body, name=name) for note, name in notes]
    is_stopped = stopped_at is not None and case.closed_at is None
    was_read = case.read_until is not None
    return Opened(row, case.outcome, slots.get("topic"), lines, written, case.consent, is_stopped, was_read)


def _is_for_staff(line: Line, case: Case) -> bool:
    """Whether staff may read a line without a yes: what is said to them, and what a yes of before the case was reopened was for."""
    if case.read_until is not None and line.at <= case.read_until:
        return True
    return case.hello_at is not None and line.at >= case.hello_at and not line.is_with_bot


def log(session: Session) -> list[tuple[AuditEntry, str | None]]:
    """The latest entries of the audit log with the names of who acted."""
    statement = (
        select(AuditEntry, Staff.name)
        .outerjoin(Staff, Staff.id == AuditEntry.actor)
        .order_by(AuditEntry.id.desc())
        .limit(LOG_SHOWN)
    )
    return [(entry, name) for entry, name in session.execute(statement)]


# Columns and no objects: a queue of a hundred cases is drawn at every change.
_ROW = (
    Case.id,
    Case.kind,
    Case.priority,
    Case.language,
    Case.channel,
    Case.state,
    Case.owner,
    Case.opened_at,
    Case.waiting_since,
    Case.closed_at,
    Staff.name,
)


def _row(case: Any, now: datetime, watchers: Sequence[tuple[str, str]]) -> Row:
    since = case.waiting_since if case.state == State.WAITING and case.waiting_since is not None else case.opened_at
    minutes = int(((case.closed_at or now) - since).total_seconds() // 60)
    return Row(
        case.id,
        case.kind,
        case.priority,
        case.language,
        case.channel,
        case.state,
        case.owner,
        case.name,
        max(minutes, 0),
        watchers,
    )


def _what_was_said(session: Session, conversation_id: str, language: str) -> list[Line]:
    files = {
        file.inbox_id: file
        for file in session.scalars(select(Attachment).where(Attachment.conversation_id == conversation_id))
    }
    went = session.scalars(
        select(OutboxMessage).where(OutboxMessage.conversation_id == conversation_id).order_by(OutboxMessage.id)
    ).all()
    with_bot = {one.answers for one in went if _is_of_bot(one)}
    of_message = and_(Translation.inbox_id == InboxMessage.id, Translation.language == language)
    came = session.execute(
        select(
            InboxMessage.received_at,
            InboxMessage.kind,
            InboxMessage.body,
            InboxMessage.understood,
            Translation.body,
            InboxMessage.id,
        )
        .outerjoin(Translation, of_message)
        .where(InboxMessage.conversation_id == conversation_id, InboxMessage.body != "")
        .order_by(InboxMessage.id)
    )
    lines = [
        Line(
            at,
            "person",
            "" if kind == Kind.LOCATION else body,
            kind=kind,
            understood=understood,
            translation=translation,
            inbox_id=inbox_id,
            file=files.get(inbox_id),
            is_with_bot=inbox_id in with_bot,
        )
        for at, kind, body, understood, translation, inbox_id in came
    ]
    lines += [
        Line(
            one.created_at,
            one.reply.get("author", "bot"),
            one.reply["text"],
            reply=one.reply,
            state=_state(one),
            is_with_bot=_is_of_bot(one),
        )
        for one in went
    ]
    return sorted(lines, key=lambda line: (line.at, line.author != "person"))


def _is_of_bot(message: OutboxMessage) -> bool:
    is_word = message.part == INTERIM or message.part.startswith(STAFF)
    return not is_word and not message.reply.get("is_urgent")


def _state(message: OutboxMessage) -> str:
    if message.failure is not None or message.state == "failed":
        return "failed"
    if message.delivered_at is None:
        return "on_its_way"
    return message.state if message.state in ("delivered", "read") else "sent"
