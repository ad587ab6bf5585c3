"""Reading a request's body: no more of it than a message can have, and not longer than a slow phone needs."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import unquote_plus

from starlette.requests import ClientDisconnect, Request

LARGEST_BODY = 64 * 1024  # bytes
BODY_SECONDS = 15.0
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


class UnfinishedBodyError(ValueError):
    """A body was not read to its end; `beginning` is what was read."""

    def __init__(self, beginning: bytes) -> None:
        super().__init__(f"a body was read up to {len(beginning)} bytes")
        self.beginning = beginning


class BodyTooLargeError(UnfinishedBodyError):
    """There is more than is read."""


class BodyTooSlowError(UnfinishedBodyError):
    """The rest did not come in time, or the client went away."""


async def read_body(request: Request, *, most: int = LARGEST_BODY) -> bytes:
    """The whole body.

    Raises:
        BodyTooLargeError: it has more than `most` bytes; the rest is not read.
        BodyTooSlowError: it did not come within `BODY_SECONDS`, or the client went away.

    """
    read = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                read += chunk
                if len(read) > most:
                    raise BodyTooLargeError(bytes(read[:most]))
    except (TimeoutError, ClientDisconnect):
        raise BodyTooSlowError(bytes(read)) from None
    return bytes(read)


def readable(raw: bytes) -> str:
    """What a person may have meant by a body that is no JSON: a form, escaped letters, another encoding."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252", "replace")
    return unquote_plus(_ESCAPED.sub(lambda code: chr(int(code[1], 16)), text))
