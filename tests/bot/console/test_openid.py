"""Signing in by OpenID Connect, with a provider on loopback that keeps to the standard, and with ones that do not."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pyotp
import pytest
from fastapi.testclient import TestClient
from joserfc import jws, jwt
from joserfc.jwk import OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from bot import duty, sign_in, staff
from bot.console.provider_door import BACK, RETURNS_A_MINUTE
from bot.models import AuditEntry, Staff, StaffSession
from bot.service import Service
from bot.settings import SettingsError, read_settings
from bot.staff import Role
from tests.bot.channels.servers import Loopback
from tests.bot.console.conftest import BASE, browser_of
from tests.conftest import NOW

CLIENT, SECRET = "wegwijs", "a secret of the client: with signs"
BACK_TO = f"{BASE}{BACK}"


class Provider(Loopback):
    """A provider where ann@example.org is signed in; `changes` are made to what it says of her."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "first", "use": "sig", "alg": "RS256"})
        self.published = [self.key]
        self.changes: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.sign: Callable[[dict[str, Any]], str] = self._signed
        self.asked: list[dict[str, str]] = []
        self.redeemed = 0
        self._codes: dict[str, dict[str, str]] = {}
        super().__init__(
            Starlette(
                routes=[
                    Route("/.well-known/openid-configuration", self._configuration),
                    Route("/keys", self._keys),
                    Route("/authorize", self._authorize),
                    Route("/token", self._token, methods=["POST"]),
                ]
            )
        )

    async def _configuration(self, _request: Request) -> Response:
        entries = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        found = {name: f"{self.url}/{path}" for name, path in entries.items()}
        return JSONResponse({"issuer": self.url, **found, **self.metadata})

    async def _keys(self, _request: Request) -> Response:
        return JSONResponse({"keys": [key.as_dict(private=False) for key in self.published]})

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        expected = {
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": BACK_TO,
            "code_challenge_method": "S256",
        }
        if any(asked.get(name) != value for name, value in expected.items()) or "openid" not in asked["scope"].split():
            return Response(status_code=400)
        self.asked.append(asked)
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        back = {"code": code, "state": asked["state"], "iss": self.url}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}", 302)

    async def _token(self, request: Request) -> Response:
        self.redeemed += 1
        fields = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        given = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        asked = self._codes.pop(fields["code"], None)  # a code is good once
        digest = hashlib.sha256(fields["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        is_right = asked is not None and asked["code_challenge"] == challenge and fields["redirect_uri"] == BACK_TO
        if request.headers["authorization"] != f"Basic {given}" or not is_right or asked is None:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "sub": "248289761001", "iat": now, "exp": now + 300}
        claims |= {"nonce": asked["nonce"], "email": "Ann@example.org", "email_verified": True, "amr": ["pwd", "mfa"]}
        claims = {name: value for name, value in {**claims, **self.changes}.items() if value is not None}
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": self.sign(claims)})

    def _signed(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)


@pytest.fixture
def provider(service: Service) -> Iterator[Provider]:
    """Set up in the service before its application is made."""
    made = Provider()
    given = {"oidc_issuer": made.url, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET, "public_url": BASE}
    service.settings = read_settings(**{**service.settings.model_dump(), **given, "_env_file": None})
    yield made
    made.stop()


@pytest.fixture
def browser(provider: Provider, app: Any) -> TestClient:
    return browser_of(app)


@pytest.fixture
def invited(service: Service) -> None:
    """Ann has an account, and has not opened her one-time address."""
    with service.sessions.begin() as session:
        staff.add(session, "ann", "ann@example.org", Role.HELPER, "en", book=service.addresses, now=NOW)


def to_provider_and_back(browser: TestClient, **instead: str) -> Any:
    """Go the whole way; returns what stands at its end."""
    return browser.get(back_from_provider(browser, **instead))


def back_from_provider(browser: TestClient, **instead: str) -> str:
    """Where the provider sends the browser back to."""
    away = browser.get("/console/sign-in/provider", follow_redirects=False)
    assert away.status_code == 303
    back = urlsplit(httpx.get(away.headers["location"]).headers["location"])
    fields = {name: values[0] for name, values in parse_qs(back.query).items()}
    return f"{back.path}?{urlencode({**fields, **instead})}"


def test_with_two_factors_there_one_is_in_and_counts_as_staff(
    browser: TestClient, invited: None, service: Service, provider: Provider
) -> None:
    assert "Sign in with your organisation" in browser.get("/console/sign-in", headers={"accept-language": "en"}).text
    with service.sessions() as session:
        assert not duty.has_staff(session)
    answer = to_provider_and_back(browser)
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert all(word in cookie for word in ("__Host-staff=", "HttpOnly", "Secure", "SameSite=strict"))
    assert 'content="0;url=/console"' in answer.text  # a redirect would still come from the other site
    assert browser.get("/console").url.path == "/console/queue"
    with service.sessions() as session:
        assert duty.has_staff(session)
        assert staff.takers(session) == [(session.query(Staff).one().id, "ann")]
        did = [(entry.action, entry.details) for entry in session.query(AuditEntry).order_by(AuditEntry.id)]
    assert did[-2:] == [("openid_linked", {}), ("signed_in", {"by": "openid"})]
    assert len({one["state"] for one in provider.asked} | {one["nonce"] for one in provider.asked}) == 2


def test_after_the_first_time_the_providers_own_name_counts_and_not_the_address(
    browser: TestClient, app: Any, invited: None, provider: Provider
) -> None:
    to_provider_and_back(browser)
    provider.changes = {"email": "married@example.org"}
    assert to_provider_and_back(browser_of(app)).status_code == 200
    provider.changes = {"sub": "somebody else who has her address now"}
    assert to_provider_and_back(browser_of(app)).status_code == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "of another attempt"},
        {"nonce": None},
        {"aud": "another service"},
        {"aud": [CLIENT, "another service"]},
        {"azp": "another service"},
        {"iss": "https://id.example.org"},
        {"exp": 1},
        {"exp": None},
        {"iat": 2**33},
        {"sub": None},
    ],
)
def test_a_token_that_is_not_for_us_or_not_for_now_lets_nobody_in(
    browser: TestClient, invited: None, provider: Provider, service: Service, changes: dict[str, Any]
) -> None:
    provider.changes = changes
    refused(to_provider_and_back(browser), service, 401)


@pytest.mark.parametrize(
    "changes", [{"email": "eve@example.org"}, {"email_verified": False}, {"email_verified": "true"}, {"email": None}]
)
def test_without_an_account_of_a_verified_address_nobody_is_let_in(
    browser: TestClient, invited: None, provider: Provider, service: Service, changes: dict[str, Any]
) -> None:
    provider.changes = changes
    refused(to_provider_and_back(browser), service, 403)


def none_at_all(claims: dict[str, Any]) -> str:
    parts = [json.dumps({"alg": "none"}), json.dumps(claims)]
    return ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts) + "."


def with_the_secret(claims: dict[str, Any]) -> str:
    return jws.serialize_compact({"alg": "HS256"}, json.dumps(claims), OctKey.import_key(SECRET))


def with_a_key_of_their_own(claims: dict[str, Any]) -> str:
    own = RSAKey.generate_key(2048, {"kid": "first"})
    return jwt.encode({"alg": "RS256", "kid": "first"}, claims, own)


@pytest.mark.parametrize("sign", [none_at_all, with_the_secret, with_a_key_of_their_own, lambda _claims: "no token"])
def test_a_token_that_the_provider_did_not_sign_lets_nobody_in(
    browser: TestClient, invited: None, provider: Provider, service: Service, sign: Callable[[dict[str, Any]], str]
) -> None:
    provider.sign = sign
    refused(to_provider_and_back(browser), service, 401)


@pytest.mark.parametrize(
    "instead",
    [{"state": "of another"}, {"code": ""}, {"code": "made up"}, {"iss": "https://x.org"}, {"error": "denied"}],
)
def test_an_address_that_is_no_answer_to_this_browser_lets_nobody_in(
    browser: TestClient, invited: None, service: Service, instead: dict[str, str]
) -> None:
    refused(to_provider_and_back(browser, **instead), service, 401)


def test_the_answer_of_one_browser_is_of_no_use_in_another_and_of_none_twice(
    browser: TestClient, app: Any, invited: None, service: Service
) -> None:
    address, other = back_from_provider(browser), browser_of(app)
    refused(other.get(address), service, 401)
    back_from_provider(other)  # who has begun an attempt of their own, neither
    refused(other.get(address), service, 401)
    assert browser.get(address).status_code == 200
    assert browser.get(address).status_code == 401


def test_a_provider_that_changes_its_keys_is_followed(
    browser: TestClient, app: Any, invited: None, provider: Provider
) -> None:
    assert to_provider_and_back(browser).status_code == 200
    provider.key = RSAKey.generate_key(2048, {"kid": "second"})
    provider.published = [provider.key]
    assert to_provider_and_back(browser_of(app)).status_code == 200


@pytest.mark.parametrize("metadata", [{"issuer": "https://id.example.org"}, {"jwks_uri": None, "token_endpoint": 1}])
def test_a_provider_that_says_it_is_another_or_is_away_is_told_and_passwords_go_on(
    browser: TestClient, provider: Provider, metadata: dict[str, Any]
) -> None:
    provider.metadata = metadata
    if "issuer" not in metadata:
        provider.stop()
    answer = browser.get("/console/sign-in/provider", headers={"accept-language": "en"})
    assert answer.status_code == 502
    assert "does not answer" in answer.text
    assert 'name="password"' in answer.text


def test_without_a_second_factor_there_the_code_is_asked_here(
    browser: TestClient, account: Callable[..., str], provider: Provider, service: Service
) -> None:
    totp = pyotp.TOTP(account("ann"))
    provider.changes = {"amr": ["pwd"]}
    asks = to_provider_and_back(browser)
    assert 'name="code"' in asks.text
    assert browser.get("/console").url.path == "/console/sign-in"
    form = "/console/sign-in/provider/code"
    assert browser.post(form, data={"code": "000000"}).status_code == 401
    assert browser.post(form, data={"code": totp.now()}, headers={"origin": "https://evil.example"}).status_code == 403
    assert browser.post(form, data={"code": totp.now()}).status_code == 200
    assert browser.get("/console").url.path == "/console/queue"
    with service.sessions() as session:
        assert session.query(AuditEntry).order_by(AuditEntry.id.desc()).first().details == {"by": "openid_code"}


def test_guessing_codes_is_slowed(browser: TestClient, account: Callable[..., str], provider: Provider) -> None:
    totp = pyotp.TOTP(account("ann"))
    provider.changes = {"amr": None}
    to_provider_and_back(browser)
    codes = [browser.post("/console/sign-in/provider/code", data={"code": "000000"}).status_code for _ in range(6)]
    assert codes == [401] * sign_in.FREE_FAILURES + [429]
    assert browser.post("/console/sign-in/provider/code", data={"code": totp.now()}).status_code == 429


def test_a_code_without_having_come_from_the_provider_is_none(
    browser: TestClient, account: Callable[..., str], service: Service
) -> None:
    code = pyotp.TOTP(account("ann")).now()
    refused(browser.post("/console/sign-in/provider/code", data={"code": code}), service, 401)
    back_from_provider(browser)  # the cookie of somebody who is not back yet, neither
    refused(browser.post("/console/sign-in/provider/code", data={"code": code}), service, 401)


def test_who_has_no_codes_here_and_no_second_factor_there_is_not_let_in(
    browser: TestClient, invited: None, provider: Provider, service: Service
) -> None:
    provider.changes = {"amr": ["pwd"]}
    refused(to_provider_and_back(browser), service, 403)
    with service.sessions() as session:
        assert session.query(Staff).one().openid_hash is None
        assert not duty.has_staff(session)  # or people would be promised somebody who can't come in


def test_an_account_belongs_to_nobody_at_the_provider_before_the_second_factor(
    browser: TestClient, app: Any, account: Callable[..., str], provider: Provider
) -> None:
    totp = pyotp.TOTP(account("ann"))
    provider.changes = {"amr": None, "sub": "who has her address, and not her codes"}
    assert 'name="code"' in to_provider_and_back(browser).text
    provider.changes = {"amr": None}
    other = browser_of(app)
    assert 'name="code"' in to_provider_and_back(other).text
    form, code = "/console/sign-in/provider/code", {"code": totp.now()}
    assert other.post(form, data=code).status_code == 200
    assert browser.post(form, data={"code": totp.at(time.time() + 30)}).status_code == 401


def test_the_audit_log_shows_who_came_from_the_provider_and_was_not_let_in_but_strangers_cannot_fill_it(
    browser: TestClient, account: Callable[..., str], provider: Provider, service: Service
) -> None:
    account("ann")
    provider.changes = {"amr": None}
    to_provider_and_back(browser)
    browser.post("/console/sign-in/provider/code", data={"code": "000000"})
    for changes in ({"nonce": "another"}, *[{"email": "eve@example.org"}] * 9):
        provider.changes = changes
        to_provider_and_back(browser)
    to_provider_and_back(browser, error="denied")
    to_provider_and_back(browser, state="of another")
    with service.sessions() as session:
        ann = session.query(Staff).one().id
        noted = [
            (entry.actor, entry.details["reason"])
            for entry in session.query(AuditEntry).order_by(AuditEntry.id)
            if entry.action == "openid_refused"
        ]
    assert noted == [(ann, "wrong_code"), ("system", "claims"), *[("system", "no_account")] * 5]


def test_an_address_that_only_looks_the_same_to_us_is_another(
    browser: TestClient, service: Service, provider: Provider
) -> None:
    with service.sessions.begin() as session:
        staff.add(session, "ann", "ann@strasse.example", Role.HELPER, "en", book=service.addresses, now=NOW)
    provider.changes = {"email": "ann@straße.example"}
    refused(to_provider_and_back(browser), service, 403)


def test_an_operator_can_say_that_the_provider_always_asks_for_two(
    provider: Provider, service: Service, invited: None, request: pytest.FixtureRequest
) -> None:
    service.settings = service.settings.model_copy(update={"oidc_provides_second_factor": True})
    browser = browser_of(request.getfixturevalue("app"))
    provider.changes = {"amr": None}
    assert to_provider_and_back(browser).status_code == 200
    assert browser.get("/console").url.path == "/console/queue"


def test_whoever_is_removed_or_set_back_is_out_and_is_linked_anew(
    browser: TestClient, app: Any, invited: None, service: Service
) -> None:
    to_provider_and_back(browser)
    with service.sessions.begin() as session:
        staff.reset(session, "ann@example.org", book=service.addresses, now=NOW)
    assert browser.get("/console").url.path == "/console/sign-in"
    assert to_provider_and_back(browser).status_code == 200
    with service.sessions.begin() as session:
        staff.remove(session, "ann@example.org", now=NOW)
    refused(to_provider_and_back(browser_of(app)), service, 403)


def test_without_a_provider_the_way_to_one_is_not_there(app: Any) -> None:
    browser = browser_of(app)
    assert "/console/sign-in/provider" not in browser.get("/console/sign-in").text
    assert browser.get("/console/sign-in/provider").status_code == 404
    assert browser.get(f"{BACK}?state=x&code=y").status_code == 401


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"oidc_issuer": "https://id.example.org"}, ("OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")),
        ({"oidc_client_secret": "secretword"}, ("OIDC_ISSUER", "OIDC_CLIENT_ID")),
        ({"oidc_issuer": "https://id.org", "oidc_client_id": "x", "oidc_client_secret": "secretword"}, ("PUBLIC_URL",)),
        ({"oidc_issuer": "http://id.example.org"}, ("OIDC_ISSUER", "https://")),
    ],
)
def test_half_set_it_stops_the_start_with_a_sentence(given: dict[str, str], names: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError) as stopped:
        read_settings(_env_file=None, **given)
    assert all(name in str(stopped.value) for name in names)
    assert "secretword" not in str(stopped.value)


def refused(answer: Any, service: Service, code: int) -> None:
    assert answer.status_code == code
    with service.sessions() as session:
        assert session.query(StaffSession).count() == 0


def test_an_address_cannot_have_the_provider_asked_without_end(
    browser: TestClient, provider: Provider, invited: None
) -> None:
    provider.changes = {"email": "eve@example.org"}
    for _ in range(RETURNS_A_MINUTE):
        assert to_provider_and_back(browser).status_code == 403
    refused = to_provider_and_back(browser)
    assert refused.status_code == 401
    assert "Inloggen met je organisatie is niet gelukt" in refused.text
    assert provider.redeemed == RETURNS_A_MINUTE
