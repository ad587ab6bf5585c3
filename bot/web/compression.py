"""Compresses what the chat page is made of, for slow networks.

Only that: a compressed answer tells by its length whether what somebody guesses stands in it, so nothing with a conversation, a
token or a form of the console is compressed.
"""

from __future__ import annotations

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

PAGES = frozenset({"/", "/embed", "/widget.js", "/widget.json"})
FOLDER = "/static/"


class Compression:
    """Starlette's own compression, for the paths that hold nothing of anybody."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._compressed = GZipMiddleware(app, compresslevel=6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and its response back."""
        is_public = scope["type"] == "http" and (scope["path"] in PAGES or scope["path"].startswith(FOLDER))
        await (self._compressed if is_public else self._app)(scope, receive, send)
