"""The browser that the end-to-end tests use, and names that are neither https nor localhost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
FLAGS.append("--host-resolver-rules=MAP *.test 127.0.0.1")
ANSWER_MS = 15_000

# A phone with a voice of its own for Polish, and for English one that is its own or not.
VOICES = """
  window.spoken = [];
  window.voices = [{ lang: "en-GB", localService: LOCAL }, { lang: "pl_PL", localService: true }];
  Object.defineProperty(window, "speechSynthesis", { value: {
    getVoices: () => window.voices, addEventListener() {},
    speak: (one) => window.spoken.push(one.text), cancel: () => { window.spoken = []; },
  } });
  window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium of the machine, closed at the end."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield opened
        opened.close()
