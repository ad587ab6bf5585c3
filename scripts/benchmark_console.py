"""Speed of the console with 500 waiting cases and 20 helpers signed in: its queue page, and from a cry for help to the alert.

`python scripts/benchmark_console.py` prints a table. The service runs without a model: what is measured is the way of a cry, which
needs none. Each helper listens as an open page does and fetches the queue anew at each change, as soon after it as a page does.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from bot import cases, inbox, sign_in, staff
from bot.console.views import MOST_SHOWN
from bot.inbox import Incoming, Kind
from bot.service import Service, open_service
from bot.settings import Settings
from knowledge.files import load
from nlu.urgency import IN_ORDER_OF_DANGER

ROOT = Path(__file__).parents[1]
PORT = 8767
URL = f"http://127.0.0.1:{PORT}"
CASES, HELPERS, CRIES, PAGES = 500, 20, 30, 100
SPREAD_SECONDS = 0.3  # of the pages that fetch the queue after a change: `SPREAD_MS` of console.js
PAUSE_SECONDS = 1.0  # between two cries
PATIENCE_SECONDS = 10.0
CRY = "he has a knife and wants to kill me"
LANGUAGES = ("pl", "uk", "ro", "bg", "en", "nl")


def main() -> None:
    """Run all and print it."""
    table = Table("what", "p50", "p95", "bar", title=f"Console: {CASES} cases wait, {HELPERS} helpers")
    with tempfile.TemporaryDirectory() as folder:
        settings = {"DATABASE_URL": f"sqlite:///{folder}/bench.db", "SECRET_KEY": "key of the benchmark"}
        tokens = _prepare(settings)
        service = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "bot", "serve", "--port", str(PORT)],
            cwd=ROOT,
            env={**os.environ, **settings, "MODELS_FOLDER": folder, "LOG_LEVEL": "error"},
            stderr=subprocess.DEVNULL,
        )
        try:
            alone, busy, alerts, missed = asyncio.run(_measure(tokens))
        finally:
            service.terminate()
            service.wait()
    table.add_row("queue page, nothing else going on", *_spread(alone), "150 ms")
    table.add_row("queue page, everybody renews it at each cry", *_spread(busy), "150 ms")
    table.add_row("cry for help to alert in an open console", *_spread(alerts), "1000 ms")
    table.add_row("events that an open console missed", str(missed), "", "0")
    Console().print(table)


def _prepare(given: dict[str, str]) -> list[str]:
    """A database with cases and helpers; returns the tokens of their sessions."""
    settings = Settings(_env_file=None, database_url=given["DATABASE_URL"], secret_key=given["SECRET_KEY"])
    content, now = load()[0], datetime.now(UTC)
    service = open_service(settings, content)
    service.prepare(content, now=now)
    with service.sessions.begin() as session:
        for number in range(CASES):
            address = inbox.address_hash("web", str(number), key=service.key)
            found = inbox.conversation_of(session, "web", address, now=now).id
            inbox.accept(session, found, Incoming("1", Kind.TEXT, "help"), now=now)
            kind = IN_ORDER_OF_DANGER[number % len(IN_ORDER_OF_DANGER)]
            opened_at = now - timedelta(minutes=number)
            cases.open_case(session, found, kind, language=LANGUAGES[number % len(LANGUAGES)], now=opened_at)
    tokens = [_sign_in(service, number, now=now) for number in range(HELPERS)]
    service.close()
    return tokens


def _sign_in(service: Service, number: int, *, now: datetime) -> str:
    with service.sessions.begin() as session:
        email = f"helper{number}@example.org"
        made = staff.add(session, f"Helper {number}", email, staff.Role.HELPER, "nl", book=service.addresses, now=now)
        password = staff.hash_password("a password of the benchmark")
        staff.begin(session, made.staff_id, password, step=0, now=now)
        token = sign_in.start(session, made.staff_id, sign_in.Proof(step=1), now=now)
    if token is None:
        raise RuntimeError("nobody could sign in")
    return token


async def _measure(tokens: list[str]) -> tuple[list[float], list[float], list[float], int]:
    async with httpx.AsyncClient(base_url=URL, timeout=30, limits=httpx.Limits(max_connections=None)) as client:
        await _until_ready(client)
        consoles = [_OpenConsole(client, token) for token in tokens]
        alone = [await consoles[0].fetch() for _ in range(PAGES)]
        listening = [asyncio.create_task(one.listen()) for one in consoles]
        await _until(lambda: all(one.is_listening for one in consoles))
        began: dict[int, float] = {}
        for number in range(CRIES):
            token = (await client.post("/api/v1/conversations")).json()["token"]
            headers = {"Authorization": f"Bearer {token}"}
            began[number] = time.perf_counter()
            message = {"id": "message-1", "text": CRY}
            (await client.post("/api/v1/messages", json=message, headers=headers)).raise_for_status()
            await asyncio.sleep(PAUSE_SECONDS)
        wanted = CRIES * len(consoles)
        end = time.monotonic() + PATIENCE_SECONDS
        while sum(len(one.heard_at) for one in consoles) < wanted and time.monotonic() < end:
            await asyncio.sleep(0.05)
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, *(task for one in consoles for task in one.renewing), return_exceptions=True)
        alerts = [1000 * (heard_at - began[number]) for one in consoles for number, heard_at in enumerate(one.heard_at)]
        busy = [spent for one in consoles for spent in one.renewals]
        return alone, busy, alerts, wanted - len(alerts)


class _OpenConsole:
    """A helper's browser with the queue open."""

    def __init__(self, client: httpx.AsyncClient, token: str) -> None:
        self._client = client
        self._headers = {"Cookie": f"__Host-staff={token}", "X-Live": "1"}
        self._known: set[int] | None = None
        self.renewing: set[asyncio.Task[None]] = set()
        self.heard_at: list[float] = []  # when each new case was heard of, in order
        self.renewals: list[float] = []

    @property
    def is_listening(self) -> bool:
        return self._known is not None

    async def fetch(self) -> float:
        """Milliseconds that the queue page takes."""
        began = time.perf_counter()
        answer = await self._client.get("/console/queue", headers=self._headers)
        if answer.status_code != 200 or answer.text.count("/console/cases/") < MOST_SHOWN:
            raise RuntimeError(f"the queue is not there: {answer.status_code}")
        return 1000 * (time.perf_counter() - began)

    async def listen(self) -> None:
        async with self._client.stream("GET", "/console/events", headers=self._headers, timeout=None) as stream:
            event = ""
            async for line in stream.aiter_lines():
                if line.startswith("event: "):
                    event = line.removeprefix("event: ")
                elif line.startswith("data: ") and event == "waiting":
                    self._hear(set(json.loads(line.removeprefix("data: "))))
                elif line.startswith("data: ") and event == "changed" and self.heard_at:
                    task = asyncio.create_task(self._renew())
                    self.renewing.add(task)
                    task.add_done_callback(self.renewing.discard)

    def _hear(self, waiting: set[int]) -> None:
        new = waiting - self._known if self._known is not None else set()
        self._known = waiting
        self.heard_at += [time.perf_counter()] * len(new)

    async def _renew(self) -> None:
        await asyncio.sleep(random.uniform(0, SPREAD_SECONDS))
        self.renewals.append(await self.fetch())


async def _until_ready(client: httpx.AsyncClient) -> None:
    while True:
        try:
            if (await client.get("/console/sign-in")).status_code == 200:
                await asyncio.sleep(PAUSE_SECONDS)
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.2)


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.05)


def _spread(times: list[float]) -> tuple[str, str]:
    """The middle and the 95th of 100."""
    if len(times) < 2:
        return "–", "–"
    return f"{statistics.median(times):.0f} ms", f"{statistics.quantiles(times, n=20)[-1]:.0f} ms"


if __name__ == "__main__":
    main()
