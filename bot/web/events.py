"""Tells open browser connections that their conversation has something new. What it is they read from the database."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

QUEUE = "queue"  # what the console listens to: any conversation may have become a case


class Listener(asyncio.Event):
    """The event of a listening connection; `is_typing`: a person is writing to the one who listens."""

    is_typing = False


class Announcer:
    """One event a listening connection, set from any thread."""

    def __init__(self) -> None:
        self._listeners: defaultdict[str, set[Listener]] = defaultdict(set)
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

    def announce_typing(self, conversation_id: str) -> None:
        """Tell those who listen to a conversation that a person is writing to them; from the loop."""
        for listener in self._listeners.get(conversation_id, ()):
            listener.is_typing = True
            listener.set()

    def listeners(self, conversation_id: str) -> int:
        """How many listen to a conversation, or to the queue."""
        return len(self._listeners.get(conversation_id, ()))

    @contextmanager
    def listening(self, conversation_id: str) -> Iterator[Listener]:
        """An event that is set whenever the conversation has something new, for as long as the block runs."""
        event = Listener()
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
