"""The browser that the end-to-end tests use, and names that are neither https nor localhost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
FLAGS.append("--host-resolver-rules=MAP *.test 127.0.0.1")
ANSWER_MS = 15_000


@contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium of the machine, closed at the end."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield opened
        opened.close()
