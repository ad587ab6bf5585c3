"""Tells open browser connections that their conversation has something new. What it is they read from the database."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

QUEUE = "queue"  # what the console listens to: any conversation may have become a case


class Announcer:
    """One event a listening connection, set from any thread."""

    def __init__(self) -> None:
        self._listeners: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._loop: asyncio.AbstractEventLoop | None = None
        self.generation = object()  # another one after every announcement

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take the loop that the connections live on."""
        self._loop = loop

    def announce(self, conversation_id: str) -> None:
        """Wake everybody who listens to a conversation, and the queues of the console."""
        self.generation = object()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake, conversation_id)
            if conversation_id != QUEUE:
                self._loop.call_soon_threadsafe(self._wake, QUEUE)

    def listeners(self, conversation_id: str) -> int:
        """How many listen to a conversation, or to the queue."""
        return len(self._listeners.get(conversation_id, ()))

    @contextmanager
    def listening(self, conversation_id: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever the conversation has something new, for as long as the block runs."""
        event = asyncio.Event()
        self._listeners[conversation_id].add(event)
        try:
            yield event
        finally:
            self._listeners[conversation_id].discard(event)
            if not self._listeners[conversation_id]:
                del self._listeners[conversation_id]

    def _wake(self, conversation_id: str) -> None:
        for event in self._listeners.get(conversation_id, ()):
            event.set()
