"""Around every request: security headers on whatever goes out, errors of ours included, and no error without an answer.

Plain ASGI, because Starlette's own base costs two milliseconds a request.
"""

from __future__ import annotations

from pathlib import Path

import structlog
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATIC = Path(__file__).parent / "static"


def framed_by(ancestors: str) -> str:
    """The page's content security policy: no script or style from anywhere but here, in frames of `ancestors` only."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        f"manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors {ancestors}"
    )


SECURITY_HEADERS = {
    "Content-Security-Policy": framed_by("'none'"),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "geolocation=(self), camera=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Browsers take this from https only, so the page on a local network without it goes on working.
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
}

log = structlog.get_logger()


class Shell:
    """The outermost of our middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and its response back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith(("/api/", "/console")):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            log.exception("request_failed", method=scope["method"])
            if has_started:
                raise
            await JSONResponse({"detail": "error.server"}, 500)(scope, receive, send_with_headers)
