"""Signing in and out, and the one-time address at which somebody new chooses a password and sets up the codes.

By OpenID Connect: `bot.console.provider_door`.
"""

from __future__ import annotations

from typing import Any

import segno
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from bot import sign_in, staff
from bot.console import access
from bot.console.access import SignedIn
from bot.console.pages import page
from bot.conversations import utc_now
from bot.service import Service
from bot.sign_in import Attempts
from bot.staff import StaffError
from bot.web.events import QUEUE
from knowledge.database import reading

router = APIRouter(prefix="/console", include_in_schema=False)


@router.get("/sign-in")
async def ask(request: Request) -> Response:
    """The form."""
    return sign_in_page(request)


def sign_in_page(request: Request, **shown: Any) -> Response:
    """The form, with the way to the provider where one is set up."""
    return page(request, "sign_in.html", has_provider=request.app.state.provider is not None, **shown)


@router.post("/sign-in")
async def enter(request: Request) -> Response:
    """Sign in; says the same whatever was wrong."""
    service: Service = request.app.state.service
    fields, now = await access.form(request), utc_now()
    email, address = fields.get("email", "")[:254], request.client.host if request.client else ""
    attempts = Attempts(service.key)
    wait = await service.writer.run(lambda session: attempts.begin(session, email, address, now=now))
    if wait is not None:
        seconds = int(wait.total_seconds()) + 1
        shown = sign_in_page(request, code=429, problem="slow", seconds=seconds, email=email)
        shown.headers["Retry-After"] = str(seconds)
        return shown

    def account() -> sign_in.Account:
        with reading(service.sessions) as session:
            return sign_in.account_of(session, email, book=service.addresses)

    held_against = await run_in_threadpool(account)
    async with request.app.state.passwords:
        password, code = fields.get("password", "")[:1000], fields.get("code", "")[:64]
        proof = await run_in_threadpool(sign_in.prove, held_against, password, code, now=now)
    staff_id, token = held_against.staff_id, None
    if proof is not None and staff_id is not None:
        token = await service.writer.run(lambda session: sign_in.start(session, staff_id, proof, now=now))
    if token is None:
        return sign_in_page(request, code=401, problem="wrong", email=email)
    await service.writer.run(lambda session: attempts.forgive(session, email, address))
    response = RedirectResponse("/console", 303)
    access.keep(response, token)
    return response


@router.post("/sign-out")
async def leave(request: Request, person: SignedIn) -> Response:
    """End the session."""
    await access.posted_by(request, person)
    service: Service = request.app.state.service
    await service.writer.run(lambda session: sign_in.end(session, person, now=utc_now()))
    request.app.state.announcer.announce(QUEUE)  # so that what else is open in this browser ends, too
    response = RedirectResponse("/console/sign-in", 303)
    access.drop(response)
    return response


@router.get("/welcome/{token}")
async def welcome(request: Request, token: str) -> Response:
    """The form for somebody invited."""
    return await _welcome(request, token)


@router.post("/welcome/{token}")
async def begin(request: Request, token: str) -> Response:
    """Set password and codes; shows the recovery codes, once."""
    service: Service = request.app.state.service
    fields, now = await access.form(request), utc_now()

    def look() -> tuple[str, str] | None:
        with reading(service.sessions) as session:
            found = staff.find_invited(session, token, now=now)
            return (found.id, service.addresses.read(found.totp_secret)) if found is not None else None

    invited = await run_in_threadpool(look)
    if invited is None:
        return await _welcome(request, token)
    step = staff.step_of("".join(fields.get("code", "").split()), invited[1], now=now)
    if step is None:
        return await _welcome(request, token, problem="wrong_code")
    try:
        async with request.app.state.passwords:
            password_hash = await run_in_threadpool(staff.hash_password, fields.get("password", "")[:1000])
        codes = await service.writer.run(
            lambda session: staff.begin(session, invited[0], password_hash, step=step, now=now)
        )
    except StaffError as error:
        return await _welcome(request, token, problem=error.code)
    return page(request, "recovery.html", codes=codes)


async def _welcome(request: Request, token: str, **shown: Any) -> Response:
    service: Service = request.app.state.service
    now = utc_now()

    def look() -> tuple[str, str] | None:
        with reading(service.sessions) as session:
            found = staff.find_invited(session, token, now=now)
            return (found.name, staff.otpauth_of(found, book=service.addresses)) if found is not None else None

    found = await run_in_threadpool(look)
    if found is None:
        return page(request, "message.html", code=404, key="invitation_over")
    name, otpauth = found
    picture = segno.make(otpauth, error="m").svg_data_uri(scale=5, border=4, light="white")
    shown = {"name": name, "otpauth": otpauth, "picture": picture, **shown}
    return page(request, "welcome.html", code=422 if "problem" in shown else 200, **shown)
