"""The tables of the durable way of a message: conversations, the inbox and the outbox; and of the cases that staff take over."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from knowledge.database import Base


class Conversation(Base):
    """One person on one channel, known only by a keyed hash of the channel's address."""

    __tablename__ = "conversation"
    __table_args__ = (UniqueConstraint("channel", "address_hash"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    channel: Mapped[str] = mapped_column(String(16))
    address_hash: Mapped[str] = mapped_column(String(64))
    # Encrypted (`bot.addresses`); only messengers have one, the page is read by whoever holds its token.
    address: Mapped[str | None]
    language: Mapped[str | None] = mapped_column(String(8))
    hint: Mapped[str | None] = mapped_column(String(8))
    slots: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime]
    last_message_at: Mapped[datetime]
    # Which worker is having a turn with this person, and until when that may be believed.
    claimed_by: Mapped[str | None] = mapped_column(String(32))
    claimed_until: Mapped[datetime | None]
    # When they wrote STOP; they are sent nothing unasked until they write something later.
    stopped_at: Mapped[datetime | None]


class InboxMessage(Base):
    """A message that was accepted; kept until it is handled and past that until retention removes it.

    `written_at`: when, by the messenger's clock; None where it does not say, and on the page.
    `is_urgent`: a phrase made it at least possible that somebody is in danger. `looked_at`: when it was judged without the model.
    `is_edit`: it is the new text of a message that was answered when it came.
    """

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("conversation_id", "provider_id"),
        CheckConstraint("kind IN ('text', 'button', 'location')", name="kind"),
        Index(
            "ix_inbox_unhandled",
            "is_urgent",
            "id",
            sqlite_where=text("handled_at IS NULL"),
            postgresql_where=text("handled_at IS NULL"),
        ),
        {"sqlite_autoincrement": True},  # an id is never given out twice
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversation.id", ondelete="CASCADE"))
    provider_id: Mapped[str] = mapped_column(String(128))
    kind: Mapped[str] = mapped_column(String(16))
    body: Mapped[str]
    received_at: Mapped[datetime]
    written_at: Mapped[datetime | None]
    handled_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    is_urgent: Mapped[bool] = mapped_column(default=False, server_default=false())
    looked_at: Mapped[datetime | None]
    is_edit: Mapped[bool] = mapped_column(default=False, server_default=false())
    # What it was taken for (`bot.assistant_port.Understood`), for staff.
    understood: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class OutboxMessage(Base):
    """A reply that was decided, in the order in which it is to be delivered.

    `part` is unique for the message that is answered, so that no answer can be given twice.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("answers", "part"),
        {"sqlite_autoincrement": True},  # clients read what is above their cursor: an id used twice would never be read
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversation.id", ondelete="CASCADE"), index=True)
    answers: Mapped[int] = mapped_column(ForeignKey("inbox.id", ondelete="CASCADE"))
    part: Mapped[str] = mapped_column(String(16))
    reply: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]
    # Of messengers: how often it was tried, when next, why it never will be, and what the provider says of it.
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    next_try_at: Mapped[datetime | None]
    failure: Mapped[str | None] = mapped_column(String(64))
    provider_id: Mapped[str | None] = mapped_column(String(128))
    state: Mapped[str | None] = mapped_column(String(16))


class Attachment(Base):
    """A file that came with a message while a person had the conversation (`bot.attachments`); reference and data encrypted."""

    __tablename__ = "attachment"
    __table_args__ = (UniqueConstraint("inbox_id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    inbox_id: Mapped[int] = mapped_column(ForeignKey("inbox.id", ondelete="CASCADE"))
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversation.id", ondelete="CASCADE"), index=True)
    reference: Mapped[str]
    media_type: Mapped[str | None] = mapped_column(String(32))
    data: Mapped[bytes | None] = mapped_column(deferred=True)
    failure: Mapped[str | None] = mapped_column(String(32))
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    next_try_at: Mapped[datetime | None]


class Deletion(Base):
    """A receipt: that somebody's data was deleted, when and how much; nothing that tells who."""

    __tablename__ = "deletion"

    receipt: Mapped[str] = mapped_column(String(16), primary_key=True)
    deleted_at: Mapped[datetime]
    messages: Mapped[int]


class Insight(Base):
    """How often a topic was asked in a language on a day and what came of it (`bot.insight`): a count and no text."""

    __tablename__ = "insight"

    day: Mapped[date] = mapped_column(primary_key=True)
    language: Mapped[str] = mapped_column(String(8), primary_key=True)
    label: Mapped[str] = mapped_column(String(64), primary_key=True)
    came: Mapped[str] = mapped_column(String(16), primary_key=True)
    count: Mapped[int]


class Case(Base):
    """Somebody who needs a person. `last_staff_at`: when the owner last did something for them.

    `consent`: whether staff may read what was said before they came; None while the person has not said. `hello_at`: when staff
    first said something in it, since it was opened anew where it was; `first_answer_at`: when they first did at all. `read_until`:
    of a case that was opened anew, until when what was said may be read by the yes of before. `waiting_since`: since when it has
    waited; `alert_step`: how far it was told since (`bot.alarm`); `last_owner`: from whom it was taken for being silent.

    The conversation is let go of when the person has their data deleted; what is left tells nothing of who it was.
    """

    __tablename__ = "staff_case"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'claimed', 'closed')", name="state"),
        CheckConstraint("(state = 'claimed') = (owner IS NOT NULL)", name="owner"),
        Index(
            "uq_staff_case_open",
            "conversation_id",
            unique=True,
            sqlite_where=text("state <> 'closed'"),
            postgresql_where=text("state <> 'closed'"),
        ),
        Index("ix_staff_case_queue", "state", "priority", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    conversation_id: Mapped[str | None] = mapped_column(ForeignKey("conversation.id", ondelete="SET NULL"))
    kind: Mapped[str] = mapped_column(String(64))
    priority: Mapped[int]
    channel: Mapped[str] = mapped_column(String(16))
    language: Mapped[str | None] = mapped_column(String(8))
    state: Mapped[str] = mapped_column(String(8))
    owner: Mapped[str | None] = mapped_column(String(32))
    opened_at: Mapped[datetime]
    claimed_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(32))
    last_staff_at: Mapped[datetime | None]
    consent: Mapped[str | None] = mapped_column(String(3))
    consent_at: Mapped[datetime | None]
    hello_at: Mapped[datetime | None]
    first_answer_at: Mapped[datetime | None]
    read_until: Mapped[datetime | None]
    waiting_since: Mapped[datetime | None]
    alert_step: Mapped[int] = mapped_column(default=0, server_default="0")
    last_owner: Mapped[str | None] = mapped_column(String(32))


class StaffAlert(Base):
    """A word to staff about a case, to be sent one way, and how far that has come. Nothing of the person is in it.

    `way`: mail, webhook or telegram; `reason`: why it is sent, a code of `bot.alarm`; `to`: e-mail addresses of staff; `told_at`:
    when it was last tried; `told_with`: the first of those that went with it then.
    """

    __tablename__ = "staff_alert"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("staff_case.id", ondelete="CASCADE"), index=True)
    way: Mapped[str] = mapped_column(String(8))
    reason: Mapped[str] = mapped_column(String(16))
    to: Mapped[list[str]] = mapped_column(JSON)
    kind: Mapped[str] = mapped_column(String(64))
    language: Mapped[str | None] = mapped_column(String(8))
    minutes: Mapped[int]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime]
    told_at: Mapped[datetime | None] = mapped_column(index=True)
    told_with: Mapped[int | None]
    failure: Mapped[str | None] = mapped_column(String(64))


class Presence(Base):
    """A member of staff who has a case open right now; believed for a short time after `seen_at`."""

    __tablename__ = "staff_presence"

    case_id: Mapped[int] = mapped_column(ForeignKey("staff_case.id", ondelete="CASCADE"), primary_key=True)
    staff_id: Mapped[str] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), primary_key=True)
    seen_at: Mapped[datetime]


class Translation(Base):
    """What a machine made of a message in the language of staff; goes with the message."""

    __tablename__ = "translation"

    inbox_id: Mapped[int] = mapped_column(ForeignKey("inbox.id", ondelete="CASCADE"), primary_key=True)
    language: Mapped[str] = mapped_column(String(8), primary_key=True)
    body: Mapped[str]


class CannedReply(Base):
    """Something that staff say often, by its name among them; the words: `CannedText`."""

    __tablename__ = "canned_reply"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(80))
    changed_by: Mapped[str] = mapped_column(String(32))
    changed_at: Mapped[datetime]


class CannedText(Base):
    """A canned reply in one language."""

    __tablename__ = "canned_text"

    reply_id: Mapped[int] = mapped_column(ForeignKey("canned_reply.id", ondelete="CASCADE"), primary_key=True)
    language: Mapped[str] = mapped_column(String(8), primary_key=True)
    body: Mapped[str]


class Note(Base):
    """What staff write about a case for each other."""

    __tablename__ = "staff_note"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("staff_case.id", ondelete="CASCADE"), index=True)
    author: Mapped[str] = mapped_column(String(32))
    body: Mapped[str]
    written_at: Mapped[datetime]


class AuditEntry(Base):
    """One thing that was done; never changed and never removed (`bot.audit`)."""

    __tablename__ = "audit"
    __table_args__ = (UniqueConstraint("previous"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(32))
    action: Mapped[str] = mapped_column(String(32))
    case_id: Mapped[int | None]  # no foreign key: the entry outlives the case
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    previous: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))


class AuditHead(Base):
    """The end of the audit log's chain, in one row: without it the last entries could go unnoticed."""

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint("id = 1", name="single_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[str] = mapped_column(String(64))
    entries: Mapped[int]
    seal: Mapped[str] = mapped_column(String(64), default="")


class DutyPlan(Base):
    """When staff are there and who is told of a case (`bot.duty.Plan`), in one row; without one the default plan holds."""

    __tablename__ = "duty_plan"
    __table_args__ = (CheckConstraint("id = 1", name="single_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    plan: Mapped[dict[str, Any]] = mapped_column(JSON)
    version: Mapped[int]
    changed_at: Mapped[datetime]


class Staff(Base):
    """A member of staff. `invite_hash`: of their one-time address; `totp_step`: the last code used.

    `openid_hash`: of whom the provider of OpenID Connect knows them as, once they came from there.
    """

    __tablename__ = "staff"
    __table_args__ = (
        UniqueConstraint("email"),
        Index("uq_staff_openid_hash", "openid_hash", unique=True),
        CheckConstraint("role IN ('helper', 'lead', 'editor', 'admin')", name="role"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    email: Mapped[str] = mapped_column(String(254))
    role: Mapped[str] = mapped_column(String(8))
    language: Mapped[str] = mapped_column(String(8))
    password_hash: Mapped[str | None]
    totp_secret: Mapped[str]  # encrypted (`bot.addresses`)
    totp_step: Mapped[int] = mapped_column(default=0)
    recovery_hashes: Mapped[list[str]] = mapped_column(JSON, default=list)
    is_active: Mapped[bool] = mapped_column(default=True)
    openid_hash: Mapped[str | None] = mapped_column(String(64))
    invite_hash: Mapped[str | None] = mapped_column(String(64))
    invite_until: Mapped[datetime | None]
    created_at: Mapped[datetime]


class StaffSession(Base):
    """Somebody of the staff who is signed in, known by the hash of the cookie's token."""

    __tablename__ = "staff_session"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    staff_id: Mapped[str] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    began_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class SignInFailure(Base):
    """How often signing in failed of late, by the keyed hash of an account, or of an account and a network address."""

    __tablename__ = "sign_in_failure"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[datetime]
