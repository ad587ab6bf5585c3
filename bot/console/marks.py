"""What is read once for all who have the queue open: each change wakes them all at the same instant."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from bot.console import views

BELIEVED = timedelta(milliseconds=500)  # where another process changes something, nobody here announces it
Result = TypeVar("Result")


class Once:
    """Makes each thing once between two announcements.

    Args:
        generation: something that is another one after every announcement.

    """

    def __init__(self, generation: Callable[[], object]) -> None:
        self._generation = generation
        self._lock = threading.Lock()
        self._of: object = None
        self._since: datetime | None = None
        self._made: dict[Hashable, Any] = {}

    def read(self, key: Hashable, make: Callable[[], Result], *, now: datetime) -> Result:
        """What `make` gives, made by whoever asks first; the others wait for it. Anew after every announcement."""
        with self._lock:
            # Taken before making: what is announced meanwhile counts as not seen yet.
            generation = self._generation()
            if generation is not self._of or self._since is None or now - self._since >= BELIEVED:
                self._of, self._since, self._made = generation, now, {}
            if key not in self._made:
                self._made[key] = make()
            found: Result = self._made[key]
            return found


class QueueMarks:
    """A mark that changes whenever the queue does, and the ids of the cases that wait, as JSON."""

    def __init__(self, once: Once) -> None:
        self._once = once

    def read(self, session: Session, *, now: datetime) -> tuple[str, str]:
        """The marks of now."""

        def make() -> tuple[str, str]:
            return views.mark_of_queue(session, now=now), json.dumps(views.waiting(session))

        return self._once.read("marks", make, now=now)
