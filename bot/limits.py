"""How much one conversation and one address may ask for: counted in memory, per process.

Addresses are generous: a whole dormitory shares one, and mobile networks put thousands of people behind one. What these limits
stop is a single machine that fills the disk.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bot.frozen import FrozenPath
from bot.inbox import Incoming, Kind
from nlu.urgency import Urgency

WINDOW_SECONDS = 60.0
URGENT_PER_MINUTE = 60  # urgent messages of one person that are taken beyond their ordinary limit
MOST_KEYS = 20_000  # kept at once; the one that was quiet longest is forgotten first
NOT_PRESSED = frozenset({"/cannot_read", "/group"})  # what channels say of messages without words


class Window:
    """How often something may happen within a minute, by key.

    Args:
        most: how often.
        clock: seconds that only grow.

    """

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._times: OrderedDict[str, list[float]] = OrderedDict()

    def allows(self, key: str) -> bool:
        """Count one more; False where that is one too many, and then it does not count."""
        has_room = self.has_room(key)
        if has_room:
            self.count(key)
        return has_room

    def has_room(self, key: str, *, at: float | None = None) -> bool:
        """Whether one more may happen, at a second of the clock; now where none is given."""
        return len(self._within(key, at)) < self._most

    def count(self, key: str, *, at: float | None = None) -> None:
        """Count one that happened."""
        self._within(key, at).append(self._clock() if at is None else at)

    def _within(self, key: str, at: float | None) -> list[float]:
        now = self._clock() if at is None else at
        # Messengers bring what waited in any order: the minute before counts, and so does the one after.
        times = [one for one in self._times.pop(key, ()) if abs(one - now) < WINDOW_SECONDS]
        self._times[key] = times
        while len(self._times) > MOST_KEYS:
            self._times.popitem(last=False)
        return times


class PerPerson:
    """How many messages of one person are read in a minute; what nobody may miss has limits of its own, by what it is about.

    Args:
        per_minute: ordinary messages.
        clock: seconds that only grow.

    """

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._ordinary = Window(per_minute, clock=clock)
        self._urgent = Window(URGENT_PER_MINUTE, clock=clock)

    def has_room(self, person: str, matter: str, *, at: float | None = None) -> bool:
        """Whether one more is read, written at a second of the clock; `matter` as `matter_of` says."""
        return self._window(matter).has_room(f"{person}:{matter}", at=at)

    def count(self, person: str, matter: str, *, at: float | None = None) -> None:
        """Count one that is read."""
        self._window(matter).count(f"{person}:{matter}", at=at)

    def allows(self, person: str, matter: str) -> bool:
        """Count one more that is written now; False where that is one too many, and then it does not count."""
        return self._window(matter).allows(f"{person}:{matter}")

    def _window(self, matter: str) -> Window:
        return self._urgent if matter else self._ordinary


def matter_of(incoming: Incoming, judged: Urgency | None, frozen: FrozenPath) -> str:
    """What a message is about that nobody may miss: the first of each kind is always heard. Empty for any other.

    Args:
        judged: what the phrases make of it.

    """
    if judged is not None:
        return judged.label
    if incoming.kind is Kind.BUTTON:
        # The help behind a button, or a yes to staff. Pictures without end are no buttons.
        return "" if incoming.body in NOT_PRESSED else "button"
    return "stop" if frozen.stopped(incoming.body, language=None, hint=None) is not None else ""


class Slots:
    """How many of something may be open at once, by key."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    def has_room(self, key: str) -> bool:
        """Whether one more may be opened."""
        return self._open[key] < self._most

    @contextmanager
    def taken(self, key: str) -> Iterator[None]:
        """Hold one as long as the block runs."""
        self._open[key] += 1
        try:
            yield
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]
