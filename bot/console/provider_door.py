"""Signing in by OpenID Connect: to the provider, back, and the one-time code where the provider asked for no second factor.

What a browser was sent with, and who somebody is while only the code is missing, stand sealed in a cookie of a few minutes.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import structlog
from fastapi import APIRouter, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from bot import sign_in
from bot.addresses import AddressBook, UnreadableAddressError
from bot.console import access
from bot.console.door import sign_in_page
from bot.console.pages import page
from bot.conversations import utc_now
from bot.openid import Asked, OpenIdError, Provider
from bot.service import Service
from bot.settings import Settings
from bot.sign_in import Attempts, Identified, Proof
from knowledge.database import reading

COOKIE = "__Host-openid"
PATIENCE_SECONDS = 600
NOTED_A_MINUTE = 6  # refusals of one account, and of all who have none
RETURNS_A_MINUTE = 20  # from one address; at each the provider is asked who it is
OF_TOKENS = frozenset({"token", "claims", "azp"})  # why the provider's own answer proved nobody
BACK = "/console/sign-in/provider/back"
router = APIRouter(prefix="/console/sign-in/provider", include_in_schema=False)
log = structlog.get_logger()


def provider_of(settings: Settings) -> Provider | None:
    """The provider that is set up, if one is."""
    if not settings.oidc_issuer:
        return None
    secret = settings.oidc_client_secret.get_secret_value()
    return Provider(settings.oidc_issuer, settings.oidc_client_id, secret, f"{settings.public_url}{BACK}")


@router.get("")
async def leave_for(request: Request) -> Response:
    """To the provider."""
    provider: Provider | None = request.app.state.provider
    if provider is None:
        return _refused(request, "off", 404)
    try:
        address, asked = await provider.ask()
    except OpenIdError as error:
        return _refused(request, error.code, 502, "openid.away")
    response = RedirectResponse(address, 303)
    _keep(request, response, "asked", asdict(asked))
    return response


@router.get("/back")
async def come_back(request: Request, state: str = "", code: str = "", iss: str = "", error: str = "") -> Response:
    """From the provider: in, or on to the code."""
    service: Service = request.app.state.service
    provider: Provider | None = request.app.state.provider
    kept, now = _kept(request, "asked"), utc_now()
    if provider is None or kept is None or error:
        return _refused(request, "refused_there" if error else "not_asked")
    try:
        if not request.app.state.returns.allows(request.client.host if request.client else ""):
            raise OpenIdError("too_often")
        identity = await provider.identify(Asked(**kept), state, code, iss, now=now)
    except OpenIdError as wrong:
        if wrong.code in OF_TOKENS:
            await _note(request, None, wrong.code)
        return _refused(request, wrong.code)

    def find() -> Identified | None:
        with reading(service.sessions) as session:
            return sign_in.find_identified(session, identity)

    found, subject = await run_in_threadpool(find), identity.subject_hash
    if found is None:
        await _note(request, None, "no_account")
        return _refused(request, "no_account", 403, "openid.no_account")
    if identity.had_two_factors or service.settings.oidc_provides_second_factor:
        return _in(
            request,
            await service.writer.run(
                lambda session: sign_in.start_identified(session, found.staff_id, subject, now=now)
            ),
        )
    if not found.has_codes:
        await _note(request, found.staff_id, "no_second_factor")
        return _refused(request, "no_second_factor", 403, "openid.no_second_factor")
    response = page(request, "sign_in_code.html")
    _keep(request, response, "code", {"staff": found.staff_id, "subject": subject})
    return response


@router.post("/code")
async def enter_code(request: Request) -> Response:
    """The code of somebody whom the provider has sent without a second factor."""
    service: Service = request.app.state.service
    fields, kept, now = await access.form(request), _kept(request, "code"), utc_now()
    if kept is None:
        return _refused(request, "not_asked")
    staff_id, subject, attempts = str(kept["staff"]), str(kept["subject"]), Attempts(service.key)
    address = request.client.host if request.client else ""
    wait = await service.writer.run(lambda session: attempts.begin(session, staff_id, address, now=now))
    if wait is not None:
        seconds = int(wait.total_seconds()) + 1
        return page(request, "sign_in_code.html", code=429, problem="slow", seconds=seconds)

    def prove() -> Proof | None:
        with reading(service.sessions) as session:
            account = sign_in.account_by_id(session, staff_id, book=service.addresses)
        return sign_in.prove_code(account, fields.get("code", "")[:64], now=now)

    def begin(session: Session) -> str | None:
        return sign_in.start(session, staff_id, proof, subject_hash=subject, now=now) if proof is not None else None

    proof = await run_in_threadpool(prove)
    token = await service.writer.run(begin)
    if token is None:
        await _note(request, staff_id, "wrong_code")
        return page(request, "sign_in_code.html", code=401, problem="wrong_code")
    await service.writer.run(lambda session: attempts.forgive(session, staff_id, address))
    return _in(request, token)


def _in(request: Request, token: str | None) -> Response:
    """A page that goes on by itself: browsers hold the cookie back while a redirect still comes from another site."""
    if token is None:
        return _refused(request, "no_account", 403, "openid.no_account")
    response = page(request, "signed_in.html")
    access.keep(response, token)
    _forget(response)
    return response


async def _note(request: Request, staff_id: str | None, reason: str) -> None:
    """Only what somebody has gone to the provider for, and not without end: the log is not for strangers to fill."""
    service: Service = request.app.state.service
    if request.app.state.refusals.allows(staff_id or ""):
        now = utc_now()
        await service.writer.run(lambda session: sign_in.note_refused(session, staff_id, reason, now=now))


def _refused(request: Request, reason: str, code: int = 401, problem: str = "openid.failed") -> Response:
    log.warning("openid_refused", reason=reason)
    response = sign_in_page(request, code=code, problem=problem)
    _forget(response)
    return response


def _keep(request: Request, response: Response, what: str, data: dict[str, Any]) -> None:
    sealed = _box(request).seal(json.dumps({"what": what, **data}))
    # Not "strict", which would not come back from the provider.
    response.set_cookie(COOKIE, sealed, max_age=PATIENCE_SECONDS, path="/", secure=True, httponly=True, samesite="lax")


def _kept(request: Request, what: str) -> dict[str, Any] | None:
    try:
        sealed = _box(request).read(request.cookies.get(COOKIE, ""), not_older=PATIENCE_SECONDS)
    except UnreadableAddressError:
        return None
    data: dict[str, Any] = json.loads(sealed)
    return data if data.pop("what") == what else None


def _forget(response: Response) -> None:
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")


def _box(request: Request) -> AddressBook:
    return AddressBook(request.app.state.service.key, purpose="openid")
