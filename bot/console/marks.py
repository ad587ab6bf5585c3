"""The marks of the queue, read once for all who have it open: each change wakes them all at the same instant."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from bot.console import views

BELIEVED = timedelta(milliseconds=500)  # where another process changes something, nobody here announces it


class QueueMarks:
    """A mark that changes whenever the queue does, and the ids of the cases that wait, as JSON.

    Args:
        generation: something that is another one after every announcement.

    """

    def __init__(self, generation: Callable[[], object]) -> None:
        self._generation = generation
        self._lock = threading.Lock()
        self._read: tuple[object, datetime, tuple[str, str]] | None = None

    def read(self, session: Session, *, now: datetime) -> tuple[str, str]:
        """The marks of now: read anew where something was announced since they were."""
        with self._lock:
            # Taken before reading: what is announced meanwhile counts as not read yet.
            generation = self._generation()
            if self._read is None or self._read[0] is not generation or now - self._read[1] >= BELIEVED:
                found = views.mark_of_queue(session, now=now), json.dumps(views.waiting(session))
                self._read = generation, now, found
            return self._read[2]
