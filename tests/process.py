"""The service as its own process, for tests that look at it from outside."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx

from tests.patience import until

ROOT = Path(__file__).parents[1]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """`wegwijs serve` on a free port, with a database of its own.

    Args:
        port: a free one where it is not given.
        settings: environment variables beside those.

    """

    def __init__(self, folder: Path, port: int | None = None, **settings: str) -> None:
        self._folder = folder
        self._settings = settings
        self.port = port or free_port()
        self.log = folder / "log.jsonl"
        self.start()

    def start(self) -> None:
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bot", "serve", "--port", str(self.port)],
                cwd=ROOT,
                stderr=log,
                env={
                    **os.environ,
                    "DATABASE_URL": f"sqlite:///{self._folder / 'w.db'}",
                    "SECRET_KEY": "key",
                    "TF_CPP_MIN_LOG_LEVEL": "3",
                    **self._settings,
                },
            )
        self._wait("/healthz", 120)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ready(self) -> None:
        self._wait("/readyz", 300)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        self._process.terminate()
        return self._process.wait(timeout=60)

    def _wait(self, path: str, seconds: float) -> None:
        def is_there() -> bool:
            with suppress(httpx.TransportError):
                return httpx.get(self.url + path).status_code == 200
            return False

        until(is_there, seconds)
