"""Speed and memory of the running service beside its own engine and beside a bare web server, all in one run.

`make bench` prints a table. The engine is the assistant answering turn after turn without web server and database: what the
service is below it is what we do around each message. The peer is a FastAPI application that answers without doing anything.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
PORT, PEER_PORT = 8765, 8766
URL = f"http://127.0.0.1:{PORT}"
QUESTIONS = (
    "how high is the minimum wage",
    "mijn huisbaas geeft de borg niet terug",
    "szef nie płaci",
    "де знайти лікаря",
)
CRY = "he has a knife and wants to kill me"
PEOPLE, EACH = 20, 25
LISTENERS = 100
PEER = "from fastapi import FastAPI\napp = FastAPI()\n@app.post('/')\ndef echo(): return {}\n"
ENGINE = """
import asyncio, sys, time
from actions.content import use_store
from bot import logs
from bot.assistant import Assistant
from bot.inbox import Kind, Turn
from bot.service import newest_model
from knowledge.files import load
from knowledge.store import in_memory
from pathlib import Path
logs.configure("error")
use_store(in_memory(load()[0]))
assistant = Assistant.load(newest_model(Path("models")))
questions = sys.argv[1:]
async def turns(count):
    for number in range(count):
        await assistant.respond(Turn(1, "bench", Kind.TEXT, questions[number % len(questions)], None, None, {}, 1))
asyncio.run(turns(40))
began = time.perf_counter()
asyncio.run(turns(400))
print(400 / (time.perf_counter() - began))
"""


def main() -> None:
    """Run all and print it."""
    table = Table("what", "figure", title="Wegwijs")
    engine = float(_python("-c", ENGINE, *QUESTIONS).splitlines()[-1])
    table.add_row("engine alone, one core", f"{engine:.0f} turns/s")
    with tempfile.TemporaryDirectory() as folder:
        settings = {"DATABASE_URL": f"sqlite:///{folder}/bench.db", "MESSAGES_PER_MINUTE": "100000"}
        settings |= {"MESSAGES_PER_MINUTE_OF_ADDRESS": "100000", "CONVERSATIONS_PER_MINUTE": "100000"}
        service = _serve([sys.executable, "-m", "bot", "serve", "--port", str(PORT)], settings)
        client = httpx.Client(base_url=URL)
        began = time.monotonic()
        table.add_row("listening after", f"{_until(client, '/healthz') - began:.1f} s")
        table.add_row("cry for help before the model is there", _cry(client))
        table.add_row("model ready after", f"{_until(client, '/readyz') - began:.1f} s")
        table.add_row("one client, post to answer on the stream, p50 / p95", asyncio.run(_one_client()))
        for label, listeners in ((f"burst of {PEOPLE * EACH} messages by {PEOPLE}", 0), ("the same", LISTENERS)):
            rate, urgent = asyncio.run(_burst(listeners))
            more = f", {listeners} more listen" if listeners else ""
            table.add_row(f"{label}{more}", f"{rate:.0f} answers/s = {rate / engine:.2f} of the engine")
            table.add_row("cry for help amid it, post to number, p50 / p95", urgent)
        status = Path(f"/proc/{service.pid}/status").read_text("ascii")
        table.add_row("memory at its highest", f"{int(status.split('VmHWM:')[1].split()[0]) / 1024:.0f} MB")
        service.terminate()
        (Path(folder) / "peer.py").write_text(PEER, "utf-8")
        peer = _serve(
            [
                sys.executable,
                "-m",
                "uvicorn",
                "--app-dir",
                folder,
                "peer:app",
                "--port",
                str(PEER_PORT),
                "--ws",
                "none",
            ],
            {},
        )
        other = httpx.Client(base_url=f"http://127.0.0.1:{PEER_PORT}")
        _until(other, "/openapi.json")
        table.add_row("peer: bare FastAPI, one request, p50", _spread([_timed(other.post, "/") for _ in range(200)]))
        peer.terminate()
    Console().print(table)


class _Person:
    """A conversation over HTTP that posts and listens."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._headers: dict[str, str] = {}
        self.answers = 0
        self.changed = asyncio.Event()

    async def begin(self) -> None:
        token = (await self._client.post("/api/v1/conversations")).json()["token"]
        self._headers = {"Authorization": f"Bearer {token}"}

    async def post(self, text: str) -> httpx.Response:
        message = {"id": uuid.uuid4().hex, "text": text}
        return await self._client.post("/api/v1/messages", json=message, headers=self._headers)

    async def listen(self) -> None:
        async with self._client.stream("GET", "/api/v1/events", headers=self._headers, timeout=None) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data: {"):
                    self.answers += len(json.loads(line[6:])["entries"])
                    self.changed.set()


async def _one_client() -> str:
    async with httpx.AsyncClient(base_url=URL) as client:
        person = _Person(client)
        await person.begin()
        listening = asyncio.create_task(person.listen())
        await asyncio.sleep(0.3)
        spent = []
        for number in range(100):
            person.changed.clear()
            began = time.perf_counter()
            await person.post(QUESTIONS[number % len(QUESTIONS)])
            await asyncio.wait_for(person.changed.wait(), 10)
            spent.append((time.perf_counter() - began) * 1000)
        listening.cancel()
    return _spread(spent)


async def _burst(listeners: int) -> tuple[float, str]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=URL, limits=limits, timeout=60) as client:
        people = [_Person(client) for _ in range(PEOPLE + listeners)]
        for person in people:
            await person.begin()
        listening = [asyncio.create_task(person.listen()) for person in people]
        await asyncio.sleep(0.5)
        # Posted from a process of its own, so that two cores are measured and not one.
        began = time.perf_counter()
        crying = asyncio.create_task(_cries())
        await asyncio.gather(*(_post_all(person) for person in people[:PEOPLE]))
        # The first entries of a stream are what the person wrote, too: wait for as many as there are answers and messages.
        while sum(person.answers for person in people[:PEOPLE]) < PEOPLE * EACH:
            await asyncio.sleep(0.005)
        rate = PEOPLE * EACH / (time.perf_counter() - began)
        urgent = await crying
        for task in listening:
            task.cancel()
    return rate, urgent


async def _post_all(person: _Person) -> None:
    for number in range(EACH):
        await person.post(QUESTIONS[number % len(QUESTIONS)])


async def _cries() -> str:
    spent = []
    async with httpx.AsyncClient(base_url=URL, timeout=30) as client:
        for _ in range(20):
            person = _Person(client)
            began = time.perf_counter()
            answer = await person.post(CRY)
            spent.append((time.perf_counter() - began) * 1000)
            if answer.json()["reply"]["contacts"][0]["phone"] != "112":
                raise RuntimeError("a cry for help was not answered with the number")
            await asyncio.sleep(0.1)
    return _spread(spent)


def _cry(client: httpx.Client) -> str:
    spent = _timed(lambda path: client.post(path, json={"id": uuid.uuid4().hex, "text": CRY}), "/api/v1/messages")
    return f"number after {spent:.0f} ms"


def _timed(call: object, path: str) -> float:
    began = time.perf_counter()
    call(path)  # type: ignore[operator]
    return (time.perf_counter() - began) * 1000


def _spread(spent: list[float]) -> str:
    return f"{statistics.median(spent):.1f} / {sorted(spent)[int(len(spent) * 0.95)]:.1f} ms"


def _python(*arguments: str) -> str:
    return subprocess.run(  # noqa: S603
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def _serve(command: list[str], settings: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603
        command, cwd=ROOT, env={**os.environ, **settings}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _until(client: httpx.Client, path: str) -> float:
    while True:
        try:
            if client.get(path).status_code == 200:
                return time.monotonic()
        except httpx.TransportError:
            pass
        time.sleep(0.02)


if __name__ == "__main__":
    main()
