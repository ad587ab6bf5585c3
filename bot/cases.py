"""Cases: somebody who needs a person. Waiting, claimed by one member of staff, closed, and waiting again when reopened.

The rules stand here and in the database: each change of state is one conditional UPDATE, so of two people at the same instant one
wins. What the person in the conversation is told, and the audit log: `bot.desk`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, func, literal, select, update
from sqlalchemy import case as sql_case
from sqlalchemy.orm import Session

from bot import audit
from bot.models import Case, Conversation, InboxMessage, Note
from knowledge.database import changed, insert_unless_there, table_of
from nlu.urgency import IN_ORDER_OF_DANGER

CASE_DAYS = "privacy.case_days"  # the parameter that says how long closed cases are kept
STAFF_PATIENCE = timedelta(minutes=10)  # of silence, after which a conversation goes back to the bot
LEAST_PRIORITY = 10


class State(StrEnum):
    """Where a case stands."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    CLOSED = "closed"


class Outcome(StrEnum):
    """How a case ended. Staff choose among all but the last, which the person's own wish brings about."""

    HELPED = "helped"
    REFERRED = "referred"
    NO_ANSWER = "no_answer"
    NOT_URGENT = "not_urgent"
    DELETED = "deleted"


class Consent(StrEnum):
    """Whether staff may read what the person wrote before they came."""

    YES = "yes"
    NO = "no"


class CaseStateError(RuntimeError):
    """The case is not in the state, or not with the person, that this needs; what was asked for did not happen."""


@dataclass(frozen=True)
class Returned:
    """A conversation that went back to the bot: whose it was, and since when there is a case."""

    case_id: int
    conversation_id: str
    owner: str
    opened_at: datetime


@dataclass(frozen=True)
class OpenCase:
    """The case of a conversation that is not closed.

    `consent` is None while the person has not said; `was_read`: it was opened anew, and what was said before may be read.
    """

    id: int
    kind: str
    state: State
    consent: Consent | None
    was_read: bool


def priority_of(kind: str) -> int:
    """How urgent a kind is: 1 comes first."""
    return IN_ORDER_OF_DANGER.index(kind) + 1 if kind in IN_ORDER_OF_DANGER else LEAST_PRIORITY


def open_case(session: Session, conversation_id: str, kind: str, *, language: str | None, now: datetime) -> int | None:
    """Open a case for a conversation, or make the open one as urgent as this.

    Returns:
        The id of a new case; None where there was one.

    """
    channel = session.scalars(select(Conversation.channel).where(Conversation.id == conversation_id)).one()
    case_id = insert_unless_there(
        session,
        Case,
        conversation_id=conversation_id,
        kind=kind,
        priority=priority_of(kind),
        channel=channel,
        language=language,
        state=State.WAITING,
        opened_at=now,
        waiting_since=now,
        alert_step=0,
    )
    if case_id is None:
        session.execute(
            update(Case)
            .where(
                Case.conversation_id == conversation_id, Case.state != State.CLOSED, Case.priority > priority_of(kind)
            )
            .values(
                kind=kind,
                priority=priority_of(kind),
                # Whoever waits waits anew: staff have not been told of this yet.
                alert_step=0,
                waiting_since=sql_case((Case.state == State.WAITING, literal(now, Case.waiting_since.type))),
            )
            .execution_options(synchronize_session=False)
        )
    return case_id


def count_open(session: Session) -> int:
    """How many cases are not closed."""
    return session.scalar(select(func.count()).where(Case.state != State.CLOSED)) or 0


def find_open(session: Session, conversation_id: str) -> OpenCase | None:
    """The case of a conversation that is not closed."""
    statement = select(Case.id, Case.kind, Case.state, Case.consent, Case.read_until).where(
        Case.conversation_id == conversation_id, Case.state != State.CLOSED
    )
    row = session.execute(statement).one_or_none()
    if row is None:
        return None
    consent = Consent(row.consent) if row.consent else None
    return OpenCase(row.id, row.kind, State(row.state), consent, was_read=row.read_until is not None)


def decide(session: Session, conversation_id: str, consent: Consent, *, now: datetime) -> int | None:
    """Note what the person says of staff reading the chat; returns the open case, None where there is none."""
    return _decide(session, conversation_id, consent, now=now)


def decide_by_button(
    session: Session, conversation_id: str, case_id: int, consent: Consent, *, now: datetime
) -> int | None:
    """The same of the case that a button names: one of an older case does nothing. It also takes an earlier yes or no back."""
    return _decide(session, conversation_id, consent, Case.id == case_id, now=now)


def decide_by_word(session: Session, conversation_id: str, consent: Consent, *, now: datetime) -> int | None:
    """The same of a typed yes or no, which counts once, and only until staff say something: after that it may answer them."""
    return _decide(session, conversation_id, consent, Case.consent.is_(None), Case.hello_at.is_(None), now=now)


def decide_by_answering(session: Session, conversation_id: str, inbox_id: int, *, now: datetime) -> int | None:
    """Take it for a yes that somebody who has not said anything answers staff who have said hello.

    Args:
        inbox_id: the message, which counts where it came after the hello.

    """
    came = select(InboxMessage.received_at).where(InboxMessage.id == inbox_id).scalar_subquery()
    with_staff = (Case.state == State.CLAIMED, Case.consent.is_(None), Case.hello_at < came)
    return _decide(session, conversation_id, Consent.YES, *with_staff, now=now)


def _decide(
    session: Session, conversation_id: str, consent: Consent, *only: ColumnElement[bool], now: datetime
) -> int | None:
    statement = (
        update(Case)
        .where(Case.conversation_id == conversation_id, Case.state != State.CLOSED, *only)
        .values(consent=consent, consent_at=now, **_TAKEN_BACK[consent])
        .returning(Case.id)
        .execution_options(synchronize_session=False)
    )
    case_id = session.execute(statement).scalar_one_or_none()
    if case_id is not None:
        audit.record(session, audit.PERSON, f"consent_{consent.value}", case_id=case_id, now=now)
    return case_id


def note_stop(session: Session, conversation_id: str, *, now: datetime) -> None:
    """Note in the log of the open case that the person said STOP: staff can't write to them until they write again."""
    found = find_open(session, conversation_id)
    if found is not None:
        audit.record(session, audit.PERSON, "said_stop", case_id=found.id, now=now)


def kind_with_staff(session: Session, conversation_id: str) -> str | None:
    """The kind of the case where a member of staff has this conversation; None where the bot has it."""
    return session.connection().execute(_WITH_STAFF, {"conversation": conversation_id}).scalar_one_or_none()


def claim(session: Session, case_id: int, staff_id: str, *, now: datetime) -> str:
    """Take a waiting case; returns its conversation.

    Raises:
        CaseStateError: somebody else has it, or it is closed.

    """
    values: dict[str, Any] = {
        "state": State.CLAIMED,
        "owner": staff_id,
        "claimed_at": now,
        "last_staff_at": now,
        "last_owner": None,
        "waiting_since": None,
    }
    return _change(session, case_id, {"state": State.WAITING}, values)


def answer(session: Session, case_id: int, staff_id: str, *, now: datetime) -> str:
    """Note that the owner says something to the person; returns the conversation.

    Raises:
        CaseStateError: the case is not theirs.

    """
    values = {
        "last_staff_at": now,
        "hello_at": func.coalesce(Case.hello_at, literal(now, Case.hello_at.type)),
        "first_answer_at": func.coalesce(Case.first_answer_at, literal(now, Case.first_answer_at.type)),
    }
    return _change(session, case_id, _owned_by(staff_id), values)


def check_owner(session: Session, case_id: int, staff_id: str) -> str:
    """The conversation of a case that is theirs; raises CaseStateError where it is not."""
    return _change(session, case_id, _owned_by(staff_id), {"owner": staff_id})


def hand_over(session: Session, case_id: int, staff_id: str, to: str, *, now: datetime) -> str:
    """Give a case to a colleague, whose time begins anew; returns the conversation. Raises CaseStateError: not theirs."""
    return _change(session, case_id, _owned_by(staff_id), {"owner": to, "claimed_at": now, "last_staff_at": now})


def hand_back(session: Session, case_id: int, staff_id: str, *, now: datetime) -> Returned:
    """Let a case go, so that it waits again. Raises CaseStateError where it is not theirs."""
    values = {"owner": None, **_waits_again(now)}
    conversation_id = _change(session, case_id, _owned_by(staff_id), values)
    opened_at = session.scalars(select(Case.opened_at).where(Case.id == case_id)).one()
    return Returned(case_id, conversation_id, staff_id, opened_at)


def close(session: Session, case_id: int, staff_id: str, outcome: Outcome, *, now: datetime) -> str:
    """End a case; returns the conversation. Raises CaseStateError where it is not theirs."""
    values = {"state": State.CLOSED, "owner": None, "closed_at": now, "outcome": outcome}
    return _change(session, case_id, _owned_by(staff_id), values)


def reopen(session: Session, case_id: int, *, now: datetime) -> str:
    """Let a closed case wait again; returns the conversation.

    A yes was said to the case as it stood: what was said until its end stays to be read, and for what came after that the person
    is asked anew, as in a new case. A no holds.

    Raises:
        CaseStateError: it is not closed, its conversation is gone, or has another open case.

    """
    conversation_id = session.scalar(select(Case.conversation_id).where(Case.id == case_id))
    others = select(Case.id).where(Case.conversation_id == conversation_id, Case.state != State.CLOSED)
    if conversation_id is None or session.execute(others).first():
        raise CaseStateError(f"case {case_id} can't be reopened")
    is_no = Case.consent == Consent.NO
    values = {
        **_waits_again(now),
        "closed_at": None,
        "outcome": None,
        "read_until": sql_case((Case.consent == Consent.YES, Case.closed_at), else_=Case.read_until),
        "consent": sql_case((is_no, Case.consent)),
        "consent_at": sql_case((is_no, Case.consent_at)),
        # Whoever comes says hello anew, and after a no reads what is said from then on, as the person is told: in between they
        # wrote to the bot, or to others.
        "hello_at": None,
    }
    return _change(session, case_id, {"state": State.CLOSED}, values)


def take_back_silent(session: Session, *, now: datetime) -> list[Returned]:
    """Take the cases whose owner was silent too long from them."""
    is_silent = (Case.state == State.CLAIMED, Case.last_staff_at <= now - STAFF_PATIENCE)
    found = session.execute(select(Case.id, Case.conversation_id, Case.owner, Case.opened_at).where(*is_silent))
    back = []
    for row in found.all():
        taken = session.execute(
            update(Case)
            .where(Case.id == row.id, *is_silent)
            .values(owner=None, last_owner=row.owner, **_waits_again(now))
            .execution_options(synchronize_session=False)
        )
        if changed(taken) and row.conversation_id is not None:
            back.append(Returned(row.id, row.conversation_id, row.owner, row.opened_at))
    return back


def write_note(session: Session, case_id: int, staff_id: str, body: str, *, now: datetime) -> None:
    """Write a note on a case."""
    session.add(Note(case_id=case_id, author=staff_id, body=body, written_at=now))
    session.flush()


def forget(session: Session, conversation_id: str, *, now: datetime) -> list[int]:
    """Remove what cases hold of somebody: the notes, and to whom they belong. Open ones end; returns their ids."""
    mine = select(Case.id).where(Case.conversation_id == conversation_id)
    session.execute(delete(Note).where(Note.case_id.in_(mine)).execution_options(synchronize_session=False))
    ended = list(session.scalars(mine.where(Case.state != State.CLOSED)))
    session.execute(
        update(Case)
        .where(Case.id.in_(ended))
        .values(state=State.CLOSED, owner=None, closed_at=now, outcome=Outcome.DELETED)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(Case)
        .where(Case.conversation_id == conversation_id)
        .values(
            conversation_id=None, consent=None, consent_at=None, hello_at=None, first_answer_at=None, read_until=None
        )
        .execution_options(synchronize_session=False)
    )
    return ended


def delete_expired(session: Session, *, days: int, now: datetime) -> int:
    """Delete the cases that were closed more than `days` ago, with their notes; returns how many went."""
    old = select(Case.id).where(Case.state == State.CLOSED, Case.closed_at < now - timedelta(days=days))
    session.execute(delete(Note).where(Note.case_id.in_(old)).execution_options(synchronize_session=False))
    return changed(session.execute(delete(Case).where(Case.id.in_(old)).execution_options(synchronize_session=False)))


def _waits_again(now: datetime) -> dict[str, Any]:
    return {"state": State.WAITING, "claimed_at": None, "waiting_since": now, "alert_step": 0}


def _owned_by(staff_id: str) -> dict[str, Any]:
    return {"state": State.CLAIMED, "owner": staff_id}


def _change(session: Session, case_id: int, expected: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """Change a case that is as expected; the one place where states change."""
    statement = (
        update(Case)
        .where(Case.id == case_id, Case.conversation_id.is_not(None))
        .where(*(getattr(Case, name) == value for name, value in expected.items()))
        .values(**values)
        .returning(Case.conversation_id)
        .execution_options(synchronize_session=False)
    )
    conversation_id = session.execute(statement).scalar_one_or_none()
    if conversation_id is None:
        raise CaseStateError(f"case {case_id} is not in the state that this needs")
    return conversation_id


# What goes with a decision: a no takes back what an earlier yes let be read.
_TAKEN_BACK: dict[Consent, dict[str, Any]] = {Consent.YES: {}, Consent.NO: {"read_until": None}}
_case = table_of(Case).c
_WITH_STAFF = select(_case.kind).where(
    _case.conversation_id == bindparam("conversation"), _case.state == State.CLAIMED.value
)
