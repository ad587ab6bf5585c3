"""Reading a request's body: no more of it than a message can have, and not longer than a slow phone needs."""

from __future__ import annotations

import asyncio

from fastapi import HTTPException
from starlette.requests import ClientDisconnect, Request

LARGEST_BODY = 64 * 1024  # bytes
BODY_SECONDS = 15.0


class BodyTooLargeError(ValueError):
    """There is more than is read; `beginning` is what was."""

    def __init__(self, beginning: bytes) -> None:
        super().__init__(f"a body is not read beyond {len(beginning)} bytes")
        self.beginning = beginning


async def read_body(request: Request, *, most: int = LARGEST_BODY) -> bytes:
    """The whole body.

    Raises:
        BodyTooLargeError: it has more than `most` bytes; the rest is not read.
        HTTPException: 408, it did not come within `BODY_SECONDS`, or the client went away.

    """
    read = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                read += chunk
                if len(read) > most:
                    raise BodyTooLargeError(bytes(read[:most]))
    except (TimeoutError, ClientDisconnect):
        raise HTTPException(408, "error.too_slow") from None
    return bytes(read)
