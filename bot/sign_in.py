"""Signing in to the console, and sessions: password and one-time code or recovery code, slowed down where it fails; OpenID Connect.

An attempt counts as failed before it is looked at and is forgiven when it succeeds, so that many at the same instant count too.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from bot import audit, staff
from bot.addresses import AddressBook
from bot.models import SignInFailure, Staff, StaffSession
from bot.openid import Identity
from bot.staff import Role
from knowledge.database import changed

IDLE = timedelta(hours=1)
LONGEST = timedelta(hours=12)  # a shift, and then one signs in again
SEEN_EVERY = timedelta(minutes=1)
FREE_FAILURES = 5  # of an account from one address
FREE_FAILURES_OF_ACCOUNT = 30  # from anywhere: more, so that nobody locks a helper out with ease
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=15)
FORGIVEN_AFTER = timedelta(hours=24)


@dataclass(frozen=True)
class Account:
    """What an attempt is held against; everything is None where there is no such account."""

    staff_id: str | None
    password_hash: str | None
    totp_secret: str | None
    recovery_hashes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proof:
    """What a right code was: the time step of a one-time code, or the hash of a recovery code."""

    step: int | None = None
    recovery_hash: str | None = None


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in."""

    id: str
    name: str
    role: Role
    language: str
    csrf: str
    token_hash: str


@dataclass(frozen=True)
class Identified:
    """Somebody whom the provider of OpenID Connect has sent. `has_codes`: they have set up one-time codes here."""

    staff_id: str
    has_codes: bool


class Attempts:
    """Counts failures, by account and by account and network address; neither stands in the database as such."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def begin(self, session: Session, email: str, address: str, *, now: datetime) -> timedelta | None:
        """Count an attempt. Returns None where it may be looked at, else how long to wait."""
        keys = self._keys(email, address)
        rows = {row.key: row for row in session.scalars(select(SignInFailure).where(SignInFailure.key.in_(keys)))}
        for key, free in keys.items():
            row = rows.get(key)
            if row is None or row.failures < free or now - row.last_at > FORGIVEN_AFTER:
                continue
            wait = min(FIRST_WAIT * 2 ** min(row.failures - free, 16), LONGEST_WAIT) - (now - row.last_at)
            if wait > timedelta(0):
                return wait
        for key in keys:
            row = rows.get(key)
            if row is None:
                row = SignInFailure(key=key, failures=0, last_at=now)
                session.add(row)
            row.failures = row.failures + 1 if now - row.last_at <= FORGIVEN_AFTER else 1
            row.last_at = now
        session.flush()
        return None

    def forgive(self, session: Session, email: str, address: str) -> None:
        """Forget the failures of an attempt that succeeded."""
        session.execute(delete(SignInFailure).where(SignInFailure.key.in_(self._keys(email, address))))

    def _keys(self, email: str, address: str) -> dict[str, int]:
        account = staff.normal(email)
        return {
            self._hashed(f"{account}\n{address}"): FREE_FAILURES,
            self._hashed(account): FREE_FAILURES_OF_ACCOUNT,
        }

    def _hashed(self, text: str) -> str:
        return hmac.new(self._key, f"sign-in:{text}".encode(), hashlib.sha256).hexdigest()


def account_of(session: Session, email: str, *, book: AddressBook) -> Account:
    """What there is to hold an attempt against."""
    statement = select(Staff).where(Staff.email == staff.normal(email), Staff.is_active)
    found = session.scalars(statement).one_or_none()
    if found is None or found.password_hash is None:
        return Account(None, None, None)
    return Account(found.id, found.password_hash, book.read(found.totp_secret), tuple(found.recovery_hashes))


def account_by_id(session: Session, staff_id: str, *, book: AddressBook) -> Account:
    """What there is to hold the code of somebody against whom the provider has sent."""
    email = session.scalar(select(Staff.email).where(Staff.id == staff_id))
    return account_of(session, email or "", book=book)


def prove(account: Account, password: str, code: str, *, now: datetime) -> Proof | None:
    """Hold password and code against an account; takes some fifty milliseconds and needs no database."""
    is_right = staff.fits(password, account.password_hash)
    proof = prove_code(account, code, now=now)
    return proof if is_right else None


def prove_code(account: Account, code: str, *, now: datetime) -> Proof | None:
    """Hold a code alone against an account, of somebody who has shown in another way who they are."""
    code = "".join(code.split()).lower()
    step = staff.step_of(code, account.totp_secret, now=now) if account.totp_secret else None
    if step is not None:
        return Proof(step=step)
    recovery = staff.hashed(code.replace("-", ""))
    return Proof(recovery_hash=recovery) if recovery in account.recovery_hashes else None


def find_identified(session: Session, identity: Identity) -> Identified | None:
    """The account of somebody whom the provider has sent; None where there is none.

    The first time it is the one with the e-mail address that the provider has verified, and from then on the one that the
    provider's own name for them belongs to: an address can come to belong to somebody else.
    """
    same = select(Staff).where(Staff.is_active, Staff.openid_hash == identity.subject_hash)
    found = session.scalars(same).one_or_none()
    if found is None and identity.email is not None:
        first = select(Staff).where(
            Staff.is_active, Staff.openid_hash.is_(None), Staff.email == staff.normal(identity.email)
        )
        found = session.scalars(first).one_or_none()
    return Identified(found.id, found.password_hash is not None) if found is not None else None


def start_identified(session: Session, staff_id: str, subject_hash: str, *, now: datetime) -> str | None:
    """Begin the session of somebody whom the provider has sent with all it takes; None where the account was closed meanwhile."""
    found = session.get_one(Staff, staff_id, with_for_update=True, populate_existing=True)
    if not found.is_active or not _link(session, found, subject_hash, now=now):
        return None
    return _begin(session, staff_id, "openid", now=now)


def _link(session: Session, found: Staff, subject_hash: str, *, now: datetime) -> bool:
    """Whether an account is that of somebody whom the provider knows; the first time it becomes theirs.

    Only with all that it takes to come in: else one factor would keep its owner out, and count as somebody who is there.
    """
    if found.openid_hash is None:
        found.openid_hash = subject_hash
        audit.record(session, found.id, "openid_linked", now=now)
    return found.openid_hash == subject_hash


def start(
    session: Session, staff_id: str, proof: Proof, *, subject_hash: str | None = None, now: datetime
) -> str | None:
    """Begin a session.

    Args:
        subject_hash: of somebody whom the provider of OpenID Connect has sent, to whom the proof was all that was missing.

    Returns:
        The cookie's token, or None where the code was used before.

    """
    found = session.get_one(Staff, staff_id, with_for_update=True, populate_existing=True)
    if not found.is_active or found.password_hash is None:
        return None
    if proof.step is not None:
        if proof.step <= found.totp_step:
            return None
        found.totp_step = proof.step
    elif proof.recovery_hash in found.recovery_hashes:
        found.recovery_hashes = [one for one in found.recovery_hashes if one != proof.recovery_hash]
    else:
        return None
    by = "code" if proof.step is not None else "recovery_code"
    if subject_hash is None:
        return _begin(session, staff_id, by, now=now)
    return _begin(session, staff_id, f"openid_{by}", now=now) if _link(session, found, subject_hash, now=now) else None


def note_refused(session: Session, staff_id: str | None, reason: str, *, now: datetime) -> None:
    """Let the audit log show that somebody whom the provider has sent was not let in; `staff_id` where there is such an account."""
    audit.record(session, staff_id or audit.SYSTEM, "openid_refused", details={"reason": reason}, now=now)


def _begin(session: Session, staff_id: str, by: str, *, now: datetime) -> str:
    token = secrets.token_urlsafe(32)
    began = StaffSession(
        token_hash=staff.hashed(token), staff_id=staff_id, csrf=secrets.token_urlsafe(24), began_at=now, seen_at=now
    )
    session.add(began)
    audit.record(session, staff_id, "signed_in", details={"by": by}, now=now)
    return token


def person_of(session: Session, token: str, *, now: datetime) -> Person | None:
    """Who holds this token; None where the session is over or the account closed."""
    statement = (
        select(StaffSession, Staff)
        .join(Staff, Staff.id == StaffSession.staff_id)
        .where(
            StaffSession.token_hash == staff.hashed(token),
            StaffSession.seen_at > now - IDLE,
            StaffSession.began_at > now - LONGEST,
            Staff.is_active,
        )
    )
    row = session.execute(statement).one_or_none()
    if row is None:
        return None
    held, member = row
    return Person(member.id, member.name, Role(member.role), member.language, held.csrf, held.token_hash)


def note_seen(session: Session, token_hash: str, *, now: datetime) -> bool:
    """Note that somebody is there, once a minute; returns whether it was time to."""
    statement = update(StaffSession).where(
        StaffSession.token_hash == token_hash, StaffSession.seen_at < now - SEEN_EVERY
    )
    return changed(session.execute(statement.values(seen_at=now))) == 1


def end(session: Session, person: Person, *, now: datetime) -> None:
    """Sign out."""
    session.execute(delete(StaffSession).where(StaffSession.token_hash == person.token_hash))
    audit.record(session, person.id, "signed_out", now=now)


def delete_over(session: Session, *, now: datetime) -> None:
    """Delete the sessions that are over and the failures that are forgiven."""
    is_over = or_(StaffSession.seen_at <= now - IDLE, StaffSession.began_at <= now - LONGEST)
    session.execute(delete(StaffSession).where(is_over))
    session.execute(delete(SignInFailure).where(SignInFailure.last_at < now - FORGIVEN_AFTER))
