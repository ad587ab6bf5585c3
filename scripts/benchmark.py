"""Speed and memory of the running service: start, answers one after another and side by side, memory; beside a bare web server.

`make bench` prints a table. The peer is a FastAPI application that answers without doing anything, in the same run and on the
same machine: what is above it is ours.
"""

from __future__ import annotations

import asyncio
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
from sqlalchemy import create_engine, text

ROOT = Path(__file__).parents[1]
QUESTIONS = (
    "how high is the minimum wage",
    "mijn huisbaas geeft de borg niet terug",
    "szef nie płaci",
    "де знайти лікаря",
)
PEER = "from fastapi import FastAPI\napp = FastAPI()\n@app.post('/')\ndef echo(): return {}\n"


def main() -> None:
    """Run all and print it."""
    table = Table("what", "figure", title="Wegwijs")
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{folder}/bench.db"
        service = _serve([sys.executable, "-m", "bot", "serve", "--port", "8765"], {"DATABASE_URL": database})
        client = httpx.Client(base_url="http://127.0.0.1:8765")
        began = time.monotonic()
        table.add_row("listening after", f"{_until(client, '/healthz') - began:.1f} s")
        table.add_row("model ready after", f"{_until(client, '/readyz') - began:.1f} s")
        for count in (1, 10):
            asyncio.run(_talk(count, 20))
            table.add_row(f"accepted → stored answer, {count} at once, p50 / p95", _times(database))
        status = Path(f"/proc/{service.pid}/status").read_text("ascii")
        peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
        table.add_row("memory at its highest", f"{peak:.0f} MB")
        service.terminate()
        (Path(folder) / "peer.py").write_text(PEER, "utf-8")
        peer = _serve(
            [sys.executable, "-m", "uvicorn", "--app-dir", folder, "peer:app", "--port", "8766", "--ws", "none"], {}
        )
        other = httpx.Client(base_url="http://127.0.0.1:8766")
        _until(other, "/openapi.json")
        spent = [_post(other) for _ in range(200)]
        table.add_row("peer: bare FastAPI, one request, p50", f"{statistics.median(spent):.1f} ms")
        peer.terminate()
    Console().print(table)


async def _talk(people: int, messages: int) -> None:
    async def person() -> None:
        async with httpx.AsyncClient(base_url="http://127.0.0.1:8765") as client:
            token = (await client.post("/api/v1/conversations")).json()["token"]
            client.headers["Authorization"] = f"Bearer {token}"
            for number in range(messages):
                question = QUESTIONS[number % len(QUESTIONS)]
                await client.post("/api/v1/messages", json={"id": uuid.uuid4().hex, "text": question})
                await asyncio.sleep(0.1)

    await asyncio.gather(*(person() for _ in range(people)))
    await asyncio.sleep(2)


def _times(database: str) -> str:
    engine = create_engine(database)
    with engine.begin() as connection:
        rows = connection.execute(text("SELECT (julianday(handled_at) - julianday(received_at)) * 86400000 FROM inbox"))
        spent = sorted(row[0] for row in rows if row[0] is not None)
        connection.execute(text("DELETE FROM outbox"))
        connection.execute(text("DELETE FROM inbox"))
    return f"{statistics.median(spent):.0f} / {spent[int(len(spent) * 0.95)]:.0f} ms"


def _post(client: httpx.Client) -> float:
    began = time.perf_counter()
    client.post("/")
    return (time.perf_counter() - began) * 1000


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
