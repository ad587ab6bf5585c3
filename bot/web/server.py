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
    """Closes a connection whose request does not come, or whose headers never end; the first one and every one after it."""

    _header_bytes = 0
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start the clock."""
        super().connection_made(transport)
        self._wait_for_request()

    def data_received(self, data: bytes) -> None:
        """Read on, unless headers have grown beyond all measure."""
        if self.cycle is None or self.cycle.response_complete:
            if self._patience is None:
                self._wait_for_request()
            self._header_bytes += len(data)
            if self._header_bytes > LARGEST_HEADERS and not self._is_whole(data):
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

    @staticmethod
    def _is_whole(data: bytes) -> bool:
        # Headers and the beginning of a body may come in one piece.
        return b"\r\n\r\n" in data[:LARGEST_HEADERS]

    def _wait_for_request(self) -> None:
        self._header_bytes = 0
        self._patience = self.loop.call_later(REQUEST_SECONDS, self.transport.close)

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
