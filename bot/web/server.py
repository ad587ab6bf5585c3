"""The HTTP server: uvicorn with a time limit on requests that never finish arriving."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_SECONDS = 10.0  # from opening a connection to the end of the first request's headers
MOST_CONNECTIONS = 2000
SWITCH_SECONDS = 0.002
LARGEST_HEADERS = 32 * 1024  # bytes


class ImpatientProtocol(HttpToolsProtocol):
    """Closes a connection whose first request does not come, and one whose headers never end."""

    def connection_made(self, transport: Any) -> None:
        """Start the clock."""
        super().connection_made(transport)
        self._header_bytes = 0
        self._patience: asyncio.TimerHandle | None = self.loop.call_later(REQUEST_SECONDS, transport.close)

    def data_received(self, data: bytes) -> None:
        """Read on, unless headers have grown beyond all measure."""
        if self._patience is not None:
            self._header_bytes += len(data)
            if self._header_bytes > LARGEST_HEADERS and self.cycle is None:
                self.transport.close()
                return
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """The request is there: stop the clock."""
        self._calm()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits any more."""
        self._calm()
        super().connection_lost(exc)

    def _calm(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


def run(app: FastAPI, *, host: str, port: int) -> None:
    """Serve until told to stop."""
    # A thread that computes an answer keeps the others waiting for this long: the default of 5 ms is most of an answer.
    sys.setswitchinterval(SWITCH_SECONDS)
    # No WebSockets: the chat uses server-sent events, and Rasa keeps a release of `websockets` that uvicorn can't import.
    uvicorn.run(
        app,
        host=host,
        port=port,
        http=ImpatientProtocol,
        loop="uvloop",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=5,
    )
