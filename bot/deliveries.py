"""Delivery marks: what people's phones have fetched is noted in memory and written now and then, not at every reading."""

from __future__ import annotations

import threading
from datetime import datetime

from bot import outbox
from bot.writer import Writer


class DeliveryMarks:
    """The highest reply that each conversation has fetched since the last writing; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_up_to: dict[str, int] = {}

    def note(self, conversation_id: str, cursor: int) -> None:
        """Replies up to `cursor` were fetched."""
        with self._lock:
            self._read_up_to[conversation_id] = max(cursor, self._read_up_to.get(conversation_id, 0))

    def write(self, writer: Writer, *, now: datetime) -> None:
        """Store what was noted; what can't be stored is noted again by the next reading."""
        with self._lock:
            noted, self._read_up_to = self._read_up_to, {}
        if noted:
            writer.call(lambda session: outbox.mark_delivered(session, noted, now=now))
