"""Accounts of the staff: adding, inviting, removing; password, one-time codes (TOTP) and recovery codes.

What a stolen database holds is of no use: passwords are hashed with argon2, secrets of the codes encrypted under SECRET_KEY,
everything else that opens a door hashed. Signing in and sessions: `bot.sign_in`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from bot import audit
from bot.addresses import AddressBook
from bot.models import Staff, StaffSession

INVITE = timedelta(days=3)
SHORTEST_PASSWORD = 12
RECOVERY_CODES = 10
STEP_SECONDS = 30  # RFC 6238
STEPS_EITHER_WAY = 1  # that a telephone's clock may be off
ISSUER = "Wegwijs"
LANGUAGES = ("nl", "en")  # of the console

_hasher = PasswordHasher()


class Role(StrEnum):
    """What somebody may do. Helpers take cases, leads see everybody's and the log, editors the content, admins all."""

    HELPER = "helper"
    LEAD = "lead"
    EDITOR = "editor"
    ADMIN = "admin"


TAKES_CASES = frozenset({Role.HELPER, Role.LEAD, Role.ADMIN})
SEES_ALL_CASES = frozenset({Role.LEAD, Role.ADMIN})
WRITES_CANNED = frozenset({Role.EDITOR, Role.LEAD, Role.ADMIN})


# Who can take cases: whoever has an account for it and has begun to use it, with a password or by OpenID Connect.
TAKER = (
    Staff.is_active,
    or_(Staff.password_hash.is_not(None), Staff.openid_hash.is_not(None)),
    Staff.role.in_([role.value for role in TAKES_CASES]),
)


class StaffError(ValueError):
    """What was asked for cannot be done with this account; `code` says why, for the one who asked."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Invited:
    """An account that was made or set back: the token of its one-time address, and its secret."""

    staff_id: str
    token: str
    otpauth: str


@dataclass(frozen=True)
class Member:
    """An account as a list shows it."""

    id: str
    name: str
    email: str
    role: Role
    is_active: bool
    has_begun: bool


def add(
    session: Session, name: str, email: str, role: Role, language: str, *, book: AddressBook, now: datetime
) -> Invited:
    """Make an account, or make a removed one anew. Raises StaffError where the e-mail address is taken or none."""
    email = normal(email)
    if "@" not in email or not name.strip():
        raise StaffError("no_email_or_name")
    found = _find(session, email)
    if found is not None and found.is_active:
        raise StaffError("email_taken")
    if found is None:
        found = Staff(id=secrets.token_hex(16), email=email, created_at=now, totp_secret="", totp_step=0)
        session.add(found)
    found.name, found.role, found.language, found.is_active = name.strip(), role, language, True
    invited = _invite(session, found, book=book, now=now)
    audit.record(session, audit.SYSTEM, "staff_added", details={"staff": found.id, "role": role.value}, now=now)
    return invited


def reset(session: Session, email: str, *, book: AddressBook, now: datetime) -> Invited:
    """Take password, codes and sessions from an account and invite anew. Raises StaffError where there is none."""
    found = _active(session, email)
    invited = _invite(session, found, book=book, now=now)
    audit.record(session, audit.SYSTEM, "staff_reset", details={"staff": found.id}, now=now)
    return invited


def remove(session: Session, email: str, *, now: datetime) -> str:
    """Close an account and end its sessions; returns its id. Raises StaffError where there is none.

    The row stays, so that the audit log goes on telling who did what.
    """
    found = _active(session, email)
    found.is_active, found.password_hash, found.recovery_hashes = False, None, []
    found.openid_hash = found.invite_hash = found.invite_until = None
    session.execute(delete(StaffSession).where(StaffSession.staff_id == found.id))
    audit.record(session, audit.SYSTEM, "staff_removed", details={"staff": found.id}, now=now)
    return found.id


def members(session: Session) -> list[Member]:
    """Everybody, by name."""
    rows = session.scalars(select(Staff).order_by(Staff.name, Staff.id))
    return [
        Member(row.id, row.name, row.email, Role(row.role), row.is_active, bool(row.password_hash or row.openid_hash))
        for row in rows
    ]


def takers(session: Session) -> list[tuple[str, str]]:
    """Id and name of everybody who can take cases, by name."""
    rows = session.execute(select(Staff.id, Staff.name).where(*TAKER).order_by(Staff.name, Staff.id))
    return [(row.id, row.name) for row in rows]


def taker(session: Session, staff_id: str) -> str:
    """The id again, of somebody who can take cases. Raises StaffError for anybody else."""
    if staff_id not in dict(takers(session)):
        raise StaffError("takes_no_cases")
    return staff_id


def find_invited(session: Session, token: str, *, now: datetime) -> Staff | None:
    """The account of a one-time address that still holds."""
    statement = select(Staff).where(Staff.invite_hash == hashed(token), Staff.invite_until > now, Staff.is_active)
    return session.scalars(statement).one_or_none()


def begin(session: Session, staff_id: str, password_hash: str, *, step: int, now: datetime) -> list[str]:
    """Set the password of somebody invited, who has shown the code of `step`; returns the recovery codes, to be shown once.

    Raises:
        StaffError: the invitation was used in the meantime.

    """
    found = session.get_one(Staff, staff_id, with_for_update=True, populate_existing=True)
    if found.invite_hash is None or not found.is_active:
        raise StaffError("invitation_used")
    codes = [secrets.token_hex(5) for _ in range(RECOVERY_CODES)]
    found.password_hash, found.totp_step = password_hash, step
    found.recovery_hashes = [hashed(code) for code in codes]
    found.invite_hash = found.invite_until = None
    audit.record(session, found.id, "staff_began", now=now)
    return codes


def otpauth_of(staff: Staff, *, book: AddressBook) -> str:
    """The address that an authenticator app takes as a QR code."""
    return pyotp.TOTP(book.read(staff.totp_secret)).provisioning_uri(name=staff.email, issuer_name=ISSUER)


def hash_password(password: str) -> str:
    """The argon2 hash; takes some fifty milliseconds. Raises StaffError where the password is too short."""
    if len(password) < SHORTEST_PASSWORD:
        raise StaffError("password_too_short")
    return _hasher.hash(password)


def fits(password: str, password_hash: str | None) -> bool:
    """Whether a password is the one; takes as long where there is no account."""
    try:
        return _hasher.verify(password_hash or _NOBODY, password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def step_of(code: str, secret: str, *, now: datetime) -> int | None:
    """The time step whose code this is; None where it is none of about now."""
    totp, current = pyotp.TOTP(secret), int(now.timestamp()) // STEP_SECONDS
    for step in range(current - STEPS_EITHER_WAY, current + STEPS_EITHER_WAY + 1):
        # As bytes: of two texts it takes none but ASCII, and a failure would tell that there is such an account.
        if hmac.compare_digest(totp.at(step * STEP_SECONDS).encode(), code.encode()):
            return step
    return None


def hashed(token: str) -> str:
    """The hash under which a random token is kept."""
    return hashlib.sha256(token.encode()).hexdigest()


def normal(email: str) -> str:
    """An e-mail address as it is looked up."""
    return email.strip().casefold()


def _invite(session: Session, staff: Staff, *, book: AddressBook, now: datetime) -> Invited:
    token, secret = secrets.token_urlsafe(24), pyotp.random_base32()
    staff.totp_secret, staff.totp_step = book.seal(secret), 0
    staff.password_hash, staff.openid_hash, staff.recovery_hashes = None, None, []
    staff.invite_hash, staff.invite_until = hashed(token), now + INVITE
    session.execute(delete(StaffSession).where(StaffSession.staff_id == staff.id))
    session.flush()
    return Invited(staff.id, token, otpauth_of(staff, book=book))


def _find(session: Session, email: str) -> Staff | None:
    return session.scalars(select(Staff).where(Staff.email == normal(email))).one_or_none()


def _active(session: Session, email: str) -> Staff:
    found = _find(session, email)
    if found is None or not found.is_active:
        raise StaffError("no_such_account")
    return found


_NOBODY = _hasher.hash(secrets.token_hex(16))
