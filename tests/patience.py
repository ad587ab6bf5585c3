"""Waiting for what happens by itself: long enough for a busy machine, no longer than it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def until(holds: Callable[[], Result], seconds: float = 60.0) -> Result:
    """What `holds` returns as soon as it is true; an assertion error after `seconds`."""
    end = time.monotonic() + seconds
    while not (result := holds()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
    return result
