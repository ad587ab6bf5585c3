"""OpenID Connect, the provider's side of signing in: where to send somebody, and who came back. What comes of it: `bot.sign_in`.

The authorization code flow with PKCE, state and nonce (OpenID Connect Core 1.0, RFC 7636, RFC 9207). Tokens are read by joserfc.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import time
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import Any, cast
from urllib.parse import urlencode

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization
from joserfc.jwt import JWTClaimsRegistry

ALGORITHMS = ["RS256", "PS256", "ES256"]  # signed with the provider's own key: never "none", never with a shared secret
SCOPE = "openid email"
SECONDS = 10.0  # to wait for the provider
BELIEVED_SECONDS = 3600.0  # its addresses and keys, after they were read
LEEWAY_SECONDS = 60  # that its clock may be off
LONGEST_ANSWER = 200_000  # bytes


class OpenIdError(RuntimeError):
    """The provider could not be asked, or what came back proves nobody; `code` says why, without anything of the person."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Asked:
    """What a browser was sent to the provider with, kept with that browser until it is back."""

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class Identity:
    """Somebody as the provider knows them. `email` only where the provider has verified it; `had_two_factors` as far as it says."""

    subject_hash: str
    email: str | None
    had_two_factors: bool


class Provider:
    """A provider of OpenID Connect.

    Args:
        issuer: its address, as it names itself.
        redirect_uri: our own address that it sends people back to.

    """

    def __init__(self, issuer: str, client_id: str, client_secret: str, redirect_uri: str) -> None:
        self._issuer, self._client_id, self._client_secret = issuer, client_id, client_secret
        self._redirect_uri = redirect_uri
        self._read: dict[str, tuple[float, dict[str, Any]]] = {}
        self._lock = asyncio.Lock()

    async def ask(self) -> tuple[str, Asked]:
        """Where to send a browser, and what to keep with it meanwhile. Raises OpenIdError."""
        asked = Asked(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))
        digest = hashlib.sha256(asked.verifier.encode()).digest()
        fields = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._redirect_uri,
            "scope": SCOPE,
            "state": asked.state,
            "nonce": asked.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        address = str((await self._metadata())["authorization_endpoint"])
        return f"{address}{'&' if '?' in address else '?'}{urlencode(fields)}", asked

    async def identify(self, asked: Asked, state: str, code: str, issuer: str, *, now: datetime) -> Identity:
        """Who came back.

        Args:
            asked: what this very browser was sent with.
            state, code, issuer: from the address that it came back to; `issuer` is empty where the provider does not say it.

        Raises:
            OpenIdError: the answer is not one to this question, or proves nobody.

        """
        if not compare_digest(asked.state.encode(), state.encode()):
            raise OpenIdError("state")
        if issuer and issuer != self._issuer:
            raise OpenIdError("iss")
        if not code:
            raise OpenIdError("no_code")
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": asked.verifier,
        }
        endpoint = str((await self._metadata())["token_endpoint"])
        answer = await self._answer_of("POST", endpoint, data=fields, auth=(self._client_id, self._client_secret))
        return _identity(await self._claims(str(answer.get("id_token", "")), asked.nonce, now=now))

    async def _claims(self, token: str, nonce: str, *, now: datetime) -> dict[str, Any]:
        for is_last in (False, True):
            keys = await self._kept("jwks_uri", anew=is_last)
            try:
                read = jwt.decode(token, KeySet.import_key_set(cast(KeySetSerialization, keys)), algorithms=ALGORITHMS)
                break
            except (JoseError, ValueError) as error:
                # Signed with a key that we have not read yet, perhaps: the provider changes them.
                if is_last:
                    raise OpenIdError("token") from error
        rules = JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            rules.validate(read.claims)
        except JoseError as error:
            raise OpenIdError("claims") from error
        claims = dict(read.claims)
        audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if claims.get("azp", self._client_id) != self._client_id or (len(audiences) > 1 and "azp" not in claims):
            raise OpenIdError("azp")
        return claims

    async def _metadata(self) -> dict[str, Any]:
        found = await self._kept("")
        if found.get("issuer") != self._issuer:
            raise OpenIdError("other_issuer")
        if not {"authorization_endpoint", "token_endpoint", "jwks_uri"} <= found.keys():
            raise OpenIdError("metadata")
        return found

    async def _kept(self, name: str, *, anew: bool = False) -> dict[str, Any]:
        """What the provider publishes: its metadata, or by the name of an entry there what stands at that address."""
        where = (
            str((await self._metadata())[name])
            if name
            else f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        )
        async with self._lock:
            read_at, found = self._read.get(name, (-BELIEVED_SECONDS, {}))
            if anew or time.monotonic() - read_at >= BELIEVED_SECONDS:
                found = await self._answer_of("GET", where)
                self._read[name] = time.monotonic(), found
        return found

    async def _answer_of(self, method: str, address: str, **given: Any) -> dict[str, Any]:
        try:
            async with httpx.AsyncClient(timeout=SECONDS) as client:
                answer = await client.request(method, address, headers={"Accept": "application/json"}, **given)
            if not answer.is_success or len(answer.content) > LONGEST_ANSWER:
                raise OpenIdError(f"status_{answer.status_code}")
            found = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise OpenIdError("away") from error
        if not isinstance(found, dict):
            raise OpenIdError("answer")
        return found


def _identity(claims: dict[str, Any]) -> Identity:
    named = f"{claims['iss']}\n{claims['sub']}"
    email, methods = claims.get("email"), claims.get("amr")
    return Identity(
        hashlib.sha256(named.encode()).hexdigest(),
        # Only the truth itself: providers that let people write any address of theirs say "false", or nothing.
        # ASCII only: "straße" and "strasse" are two domains, and one e-mail address as accounts are looked up.
        email if isinstance(email, str) and email.isascii() and claims.get("email_verified") is True else None,
        isinstance(methods, list) and "mfa" in methods,
    )
