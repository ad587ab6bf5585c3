"""Who is at the door: the cookie, the session behind it, forms that are theirs, and what their role lets them do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Annotated, NoReturn
from urllib.parse import parse_qs, urlsplit

from fastapi import Depends, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from bot import audit, sign_in
from bot.conversations import utc_now
from bot.service import Service
from bot.sign_in import LONGEST, Person
from bot.staff import SEES_ALL_CASES, TAKES_CASES, WRITES_CANNED
from bot.web.body import BodyTooLargeError, read_body
from knowledge.database import reading

COOKIE = "__Host-staff"  # the name makes browsers insist on Secure and on this very host
LIVE = "x-live"  # a page that renews itself says so: it does not count as somebody being there


class SignedOutError(Exception):
    """Nobody is signed in with this request."""


@dataclass(frozen=True)
class Posted:
    """A form that somebody signed in has sent from a page of ours."""

    person: Person
    fields: Mapping[str, str]


async def _person(request: Request) -> Person:
    service: Service = request.app.state.service
    token, now = request.cookies.get(COOKIE, ""), utc_now()

    def look() -> Person | None:
        with reading(service.sessions) as session:
            return sign_in.person_of(session, token, now=now)

    found = await run_in_threadpool(look) if token else None
    if found is None:
        raise SignedOutError
    if LIVE not in request.headers:
        await service.writer.run(lambda session: sign_in.note_seen(session, found.token_hash, now=now))
    return found


SignedIn = Annotated[Person, Depends(_person)]


async def _taking_cases(request: Request, person: SignedIn) -> Person:
    if person.role not in TAKES_CASES:
        await refuse(request, person)
    return person


Helper = Annotated[Person, Depends(_taking_cases)]


async def _leading(request: Request, person: SignedIn) -> Person:
    if person.role not in SEES_ALL_CASES:
        await refuse(request, person)
    return person


Lead = Annotated[Person, Depends(_leading)]


async def _writing(request: Request, person: SignedIn) -> Person:
    if person.role not in WRITES_CANNED:
        await refuse(request, person)
    return person


Editor = Annotated[Person, Depends(_writing)]


async def _posted_by_editor(request: Request, person: Editor) -> Posted:
    return await posted_by(request, person)


FormOfEditor = Annotated[Posted, Depends(_posted_by_editor)]


async def _posted(request: Request, person: Helper) -> Posted:
    return await posted_by(request, person)


FormOfHelper = Annotated[Posted, Depends(_posted)]


async def posted_by(request: Request, person: Person) -> Posted:
    """The form of this request, refused where it does not come from a page of this session."""
    fields = await form(request)
    if not compare_digest(fields.get("csrf", "").encode(), person.csrf.encode()):
        await refuse(request, person)
    return Posted(person, fields)


async def form(request: Request) -> dict[str, str]:
    """The fields of a form, refused where another site sent it."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, "other_site")
    try:
        body = await read_body(request)
    except BodyTooLargeError:
        raise HTTPException(413, "too_long") from None
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[0].replace("\x00", "").replace("\r\n", "\n").strip() for name, values in fields.items()}


async def refuse(request: Request, person: Person, case_id: int | None = None) -> NoReturn:
    """Refuse with 403, and let the log show it."""
    service: Service = request.app.state.service
    now, details = utc_now(), {"method": request.method}
    await service.writer.run(
        lambda session: audit.record(session, person.id, "refused", case_id=case_id, details=details, now=now)
    )
    raise HTTPException(403, "not_allowed")


def keep(response: Response, token: str) -> None:
    """Give the browser the cookie."""
    response.set_cookie(
        COOKIE, token, max_age=int(LONGEST.total_seconds()), path="/", secure=True, httponly=True, samesite="strict"
    )


def drop(response: Response) -> None:
    """Take the cookie back."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
