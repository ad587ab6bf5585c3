"""The sign that somebody is typing: shown while one of the staff writes, and never for the robot, which would deceive people.

Who sees it stands here; how it looks is the channel's and the page's.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.cases import State
from bot.models import Case, Conversation, InboxMessage


@dataclass(frozen=True)
class Seer:
    """Who sees that somebody writes to them.

    Attributes:
        address: encrypted; None on the page.
        last_message: the provider's id of the last thing that they wrote.

    """

    conversation_id: str
    channel: str
    address: str | None
    last_message: str


def seer_of(session: Session, case_id: int, staff_id: str) -> Seer | None:
    """Who sees that a member of staff writes in a case: nobody where it is not theirs, or the person said STOP."""
    statement = (
        select(Conversation.id, Conversation.channel, Conversation.address, InboxMessage.provider_id)
        .join(Case, Case.conversation_id == Conversation.id)
        .join(InboxMessage, InboxMessage.conversation_id == Conversation.id)
        .where(Case.id == case_id, Case.state == State.CLAIMED, Case.owner == staff_id)
        .where(Conversation.stopped_at.is_(None))
        .order_by(InboxMessage.id.desc())
        .limit(1)
    )
    row = session.execute(statement).one_or_none()
    return Seer(*row) if row is not None else None
