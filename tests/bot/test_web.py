"""The chat's HTTP API over a real application, without the model: what comes in, what is refused, what is shown."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event
from sqlalchemy.exc import DatabaseError, DataError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from actions.reply import Reply
from bot.assistant_port import AssistantPort, Outcome
from bot.frozen import FrozenPath
from bot.inbox import Turn
from bot.limits import URGENT_PER_MINUTE, Window
from bot.service import Service, open_service
from bot.settings import Settings
from bot.web import chat
from bot.web.app import create_app
from bot.web.shell import SECURITY_HEADERS
from knowledge.files import Content
from nlu.urgency import rules_of
from tests.conftest import NOW, locked
from tests.patience import until


class Answering(AssistantPort):
    async def respond(self, turn: Turn) -> Outcome:
        return Outcome((Reply(language="en", text=f"heard {turn.body}"),), {"language": "en"})


@pytest.fixture
def client(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    # A busy disk is no fault of what is tested here; the tests of a busy database say how long they wait.
    for wait in ("STORE_SECONDS", "BEGIN_SECONDS", "DELETE_SECONDS"):
        monkeypatch.setattr(chat, wait, 30.0)
    monkeypatch.setattr(Service, "load_assistant", lambda self: Answering())
    with TestClient(create_app(service)) as opened:
        yield opened


@pytest.fixture
def token(client: TestClient) -> dict[str, str]:
    return {"Authorization": f"Bearer {client.post('/api/v1/conversations').json()['token']}"}


def wait_for(client: TestClient, token: dict[str, str], count: int) -> list[dict]:
    entries: list[dict] = []

    def answered() -> bool:
        entries[:] = client.get("/api/v1/messages", headers=token).json()["entries"]
        return sum(entry["author"] == "bot" for entry in entries) >= count

    until(answered)
    return entries


def test_a_message_is_stored_answered_and_read_back(client: TestClient, token: dict[str, str]) -> None:
    message = {"id": "message-1", "text": "hello there"}
    assert client.post("/api/v1/messages", json=message, headers=token).status_code == 202
    assert client.post("/api/v1/messages", json=message, headers=token).json()["duplicate"] is True
    entries = wait_for(client, token, 1)
    assert [(e["author"], e["text"] or e["reply"]["text"]) for e in entries] == [
        ("person", "hello there"),
        ("bot", "heard hello there"),
    ]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"id": "message-1"}, 422),
        ({"id": "message-1", "text": "   "}, 422),
        ({"id": "message-1", "text": "x" * 2001}, 422),
        ({"id": "message-1", "text": "a", "button": "/menu"}, 422),
        ({"id": "message-1", "button": "no slash"}, 422),
        ({"id": "message-1", "position": {"latitude": 91, "longitude": 0}}, 422),
        ({"id": "short", "text": "a"}, 422),
        ({"id": "message-1", "text": "a", "name": "Jan"}, 422),
        ({"id": "message-1", "text": "a\x00b"}, 202),
        ({"id": "message-1", "position": {"latitude": 52.1, "longitude": 4.3}}, 202),
    ],
)
def test_what_is_taken_and_what_is_refused(client: TestClient, token: dict[str, str], body: dict, code: int) -> None:
    assert client.post("/api/v1/messages", json=body, headers=token).status_code == code


def test_a_conversation_belongs_to_who_holds_the_token(client: TestClient, token: dict[str, str]) -> None:
    assert client.get("/api/v1/messages").status_code == 401
    assert client.get("/api/v1/messages", headers={"Authorization": "Bearer nope"}).status_code == 404
    other = {"Authorization": f"Bearer {client.post('/api/v1/conversations').json()['token']}"}
    client.post("/api/v1/messages", json={"id": "message-1", "text": "secret"}, headers=token)
    wait_for(client, token, 1)
    assert client.get("/api/v1/messages", headers=other).json()["entries"] == []


def test_too_many_messages_are_slowed_down(client: TestClient, token: dict[str, str]) -> None:
    codes = [
        client.post("/api/v1/messages", json={"id": f"message-{n}", "text": "a"}, headers=token).status_code
        for n in range(31)
    ]
    assert codes[:30] == [202] * 30
    assert codes[30] == 429


def test_deleting_over_the_api(client: TestClient, token: dict[str, str]) -> None:
    client.post("/api/v1/messages", json={"id": "message-1", "text": "a"}, headers=token)
    assert client.delete("/api/v1/conversation", headers=token).status_code == 204
    assert client.get("/api/v1/messages", headers=token).status_code == 404


CRY = "I want to kill myself"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"id": "message-1", "text": CRY}, 202),
        ({"id": "message-1", "text": "x " * 1200 + CRY}, 422),
        ({"id": "short", "text": CRY}, 422),
        ({"id": "message-1", "text": CRY, "button": "/menu"}, 422),
        ({"text": CRY, "surprise": 1}, 422),
    ],
)
def test_whatever_is_wrong_with_a_message_somebody_in_danger_gets_the_number(
    client: TestClient, token: dict[str, str], body: dict, code: int
) -> None:
    answer = client.post("/api/v1/messages", json=body, headers=token)
    assert answer.status_code == code
    assert answer.json()["reply"]["topic"] == "urgent.suicide"
    assert answer.json()["reply"]["contacts"][0]["phone"] == "113"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nope"}, {"Authorization": "nonsense"}])
def test_so_does_somebody_without_a_conversation(client: TestClient, headers: dict[str, str]) -> None:
    answer = client.post("/api/v1/messages", json={"id": "message-1", "text": CRY}, headers=headers)
    assert answer.status_code in (401, 404)
    assert answer.json()["reply"]["topic"] == "urgent.suicide"


@pytest.mark.parametrize("raw", [CRY.encode(), b'{"text": "I want to kill myself"', b"\xff" + CRY.encode()])
def test_and_who_sends_no_json_at_all(client: TestClient, token: dict[str, str], raw: bytes) -> None:
    answer = client.post("/api/v1/messages", content=raw, headers=token)
    assert answer.status_code == 422
    assert answer.json()["reply"]["topic"] == "urgent.suicide"


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps({"message": CRY}).encode(),
        json.dumps({"text": [CRY]}).encode(),
        json.dumps({"text": {"body": CRY}}).encode(),
        json.dumps({"button": CRY}).encode(),
        json.dumps(["хочу померти"]).encode(),
        json.dumps("хочу померти").encode(),
        b"text=i%20want+to+kill%20myself",
        "ich möchte sterben".encode("latin-1"),
        "\ufeffI want to kill myself".encode("utf-16"),
        json.dumps({"text": "хочу померти " + "x" * 80_000}).encode(),
        json.dumps({"text": "I want to k\u200bill my\u00adself"}).encode(),
        json.dumps({"text": "i want to K I L L myself"}).encode(),
    ],
    ids=range(12),
)
def test_and_whoever_sends_it_in_another_shape(client: TestClient, raw: bytes) -> None:
    assert client.post("/api/v1/messages", content=raw).json()["reply"]["is_urgent"] is True


def test_a_text_that_repeats_a_cry_takes_no_longer_than_another(client: TestClient) -> None:
    began = time.monotonic()
    client.post("/api/v1/messages", json={"id": "message-1", "text": "he is choking choking me " * 2400})
    assert time.monotonic() - began < 20  # it was a minute


def test_the_button_of_an_emergency_helps_without_a_model(
    client: TestClient, token: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(client.app.state.worker), "has_assistant", False)
    client.post("/api/v1/messages", json={"id": "message-1", "button": "/urgent.suicide"}, headers=token)
    entries = wait_for(client, token, 1)
    assert entries[-1]["reply"]["topic"] == "urgent.suicide"


def test_somebody_who_reads_the_database_holds_no_deletion_up(
    client: TestClient, token: dict[str, str], service: Service
) -> None:
    client.post("/api/v1/messages", json={"id": "message-1", "text": "a"}, headers=token)
    wait_for(client, token, 1)
    other = sqlite3.connect(service.engine.url.database or "", isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT * FROM inbox").fetchall()
    assert client.delete("/api/v1/conversation", headers=token).status_code == 204
    other.close()


def test_a_deletion_that_nobody_waits_for_empties_the_log_too(
    client: TestClient, token: dict[str, str], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied: list[Engine] = []
    monkeypatch.setattr(chat, "empty_the_log", emptied.append)
    monkeypatch.setattr(chat, "DELETE_SECONDS", 0.05)
    holding, busy = threading.Event(), threading.Event()

    def hold(_session: Any) -> None:
        busy.set()
        holding.wait(30)

    service.writer.submit(hold)
    busy.wait(30)
    assert client.delete("/api/v1/conversation", headers=token).status_code == 202
    assert emptied == []
    holding.set()
    until(lambda: emptied)


def test_a_database_of_somebody_else_in_its_place_is_not_the_end(
    client: TestClient, token: dict[str, str], service: Service
) -> None:
    path = Path(service.engine.url.database or "")
    for old in path.parent.glob("wegwijs.db*"):
        old.unlink()
    foreign = sqlite3.connect(path)
    foreign.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
    foreign.execute("INSERT INTO alembic_version VALUES ('zzz999')")
    foreign.commit()
    foreign.close()
    until(lambda: client.get("/readyz").json()["database"] is False)
    for old in path.parent.glob("wegwijs.db*"):
        old.unlink()
    until(lambda: client.post("/api/v1/conversations").status_code == 201)
    assert path.stat().st_mode & 0o077 == 0


def test_help_given_at_arrival_is_given_once(client: TestClient, token: dict[str, str]) -> None:
    message = {"id": "message-1", "text": CRY}
    first = client.post("/api/v1/messages", json=message, headers=token).json()
    client.post("/api/v1/messages", json={"id": "message-2", "text": "and then?"}, headers=token)
    entries = wait_for(client, token, 2)
    shown = [entry for entry in entries if entry["author"] == "bot"]
    assert [entry["reply"]["text"] == "heard and then?" for entry in shown] == [False, True]
    assert (shown[0]["reply"], shown[0]["cursor"]) == (first["reply"], first["cursor"])
    assert client.post("/api/v1/messages", json=message, headers=token).json()["duplicate"] is True


def test_the_help_is_in_the_language_of_the_cry(client: TestClient, token: dict[str, str], content: Content) -> None:
    rules = rules_of(content.urgency)
    for number, (language, entry) in enumerate(content.urgency.items()):
        for kind, examples in entry.examples.items():
            message = {"id": f"message-{number}-{kind}", "text": examples[0]}
            reply = client.post("/api/v1/messages", json=message, headers={}).json()["reply"]
            # "Pomoc" is Polish, Slovak and Czech alike: any language that says it so.
            said_in = rules.find(examples[0]).languages
            assert reply["language"] in said_in, (language, kind)
            assert language in said_in
            assert any(contact["phone"] for contact in reply["contacts"])
            words = " ".join((reply["title"], reply["text"], *reply["sections"][0]["items"])).split()
            assert len(words) <= 70, (language, kind, len(words))


def test_no_cry_is_answered_in_a_language_that_it_cannot_be_in(content: Content) -> None:
    frozen = FrozenPath(content)
    rules = rules_of(content.urgency)
    for entry in content.urgency.values():
        for text in (example for examples in entry.examples.values() for example in examples):
            found = rules.find(text)
            reply = frozen.urgent_reply(text, language=None, hint=None, now=NOW)
            assert found is not None
            assert reply is not None
            assert reply.language in found.languages


def test_over_the_limit_a_cry_is_still_taken_and_a_known_message_is_known(
    client: TestClient, token: dict[str, str]
) -> None:
    for number in range(30):
        client.post("/api/v1/messages", json={"id": f"message-{number}", "text": "a"}, headers=token)
    refused = client.post("/api/v1/messages", json={"id": "message-30", "text": "a"}, headers=token)
    assert (refused.status_code, refused.json()["detail"]) == (429, "error.too_many")
    again = client.post("/api/v1/messages", json={"id": "message-3", "text": "a"}, headers=token)
    assert (again.status_code, again.json()["duplicate"]) == (202, True)
    urgent = client.post("/api/v1/messages", json={"id": "message-31", "text": CRY}, headers=token)
    assert (urgent.status_code, urgent.json()["reply"]["topic"]) == (202, "urgent.suicide")


@pytest.mark.parametrize("body", [{"button": "/menu"}, {"text": "I am scared of him"}, {"text": "stop"}])
def test_over_the_limit_buttons_stop_and_what_may_be_a_cry_are_taken_so_many_a_minute(
    client: TestClient, token: dict[str, str], body: dict[str, str]
) -> None:
    for number in range(31):
        client.post("/api/v1/messages", json={"id": f"message-{number}", "text": "a"}, headers=token)
    codes = [
        client.post("/api/v1/messages", json={"id": f"another-{number}", **body}, headers=token).status_code
        for number in range(URGENT_PER_MINUTE + 1)
    ]
    assert codes == [202] * URGENT_PER_MINUTE + [429]


@pytest.mark.parametrize(
    ("text", "language", "said"),
    [
        ("where are my wages of the last month", "en", "That is a lot at once"),
        ("gdzie jest moja wypłata za ostatni miesiąc", "pl", "To dużo naraz"),
        ("unde este salariul meu pentru luna trecută", "ro", "Au fost multe deodată"),
    ],
)
def test_what_is_too_much_is_answered_with_what_to_do_and_the_number_in_the_language_of_who_writes(
    client: TestClient, token: dict[str, str], text: str, language: str, said: str
) -> None:
    for number in range(31):
        body = {"id": f"message-{number}", "text": text}
        refused = client.post("/api/v1/messages", json=body, headers=token)
    assert refused.status_code == 429
    reply = refused.json()["reply"]
    assert reply["language"] == language
    assert reply["text"].startswith(said)
    assert "112" in str(reply)


FAILURES = [
    OperationalError("SELECT", {}, Exception("disk full")),
    DatabaseError("SELECT", {}, Exception("malformed")),
    InterfaceError("SELECT", {}, Exception("closed")),
    DataError("SELECT", {}, Exception("bad")),
    PoolTimeoutError(),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_whatever_the_database_says_help_is_given_and_nothing_is_claimed(
    client: TestClient, token: dict[str, str], monkeypatch: pytest.MonkeyPatch, failure: Exception, content: Content
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr("bot.web.chat.inbox.find_conversation", fails)
    answer = client.post("/api/v1/messages", json={"id": "message-1", "text": CRY}, headers=token)
    assert answer.status_code == 503
    assert answer.json()["reply"]["topic"] == "urgent.suicide"
    answer = client.post("/api/v1/messages", json={"id": "message-2", "text": "how much wage"}, headers=token)
    assert answer.json()["reply"]["contacts"][0]["phone"] == "112"
    assert answer.json()["reply"]["text"] == content.phrases["en"].phrases["error.not_kept"]
    for path in ("/api/v1/messages", "/api/v1/events"):
        assert client.get(path, headers=token).status_code == 503


def test_a_database_that_is_locked_by_somebody_else_holds_no_help_back(
    client: TestClient, token: dict[str, str], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat, "STORE_SECONDS", 0.3)
    with locked(service):
        answer = client.post("/api/v1/messages", json={"id": "message-1", "text": CRY}, headers=token)
        assert answer.status_code == 503
        assert answer.json()["reply"]["topic"] == "urgent.suicide"
        assert client.get("/api/v1/messages", headers=token).status_code == 200
        assert client.get("/healthz").status_code == 200
    monkeypatch.setattr(chat, "STORE_SECONDS", 30.0)
    answer = client.post("/api/v1/messages", json={"id": "message-1", "text": CRY}, headers=token)
    assert answer.status_code == 202


def test_a_full_disk_holds_no_help_back_and_when_there_is_room_all_goes_on(
    client: TestClient, token: dict[str, str], service: Service
) -> None:
    def limit(connection: sqlite3.Connection, *_: object) -> None:
        # SQLite's own limit makes the very error of a full disk: "database or disk is full".
        connection.execute(f"PRAGMA max_page_count = {1 if is_full else 2**30}")

    is_full = True
    event.listen(service.engine, "checkout", limit)
    long = {"id": "message-1", "text": "how many holidays do I have? " * 60}
    refused = client.post("/api/v1/messages", json=long, headers=token)
    for number in range(50):
        if refused.status_code == 503:
            break
        refused = client.post("/api/v1/messages", json=long | {"id": f"message-{number}x"}, headers=token)
    assert (refused.status_code, refused.json()["detail"]) == (503, "error.database")
    cry = client.post("/api/v1/messages", json={"id": "message-2", "text": CRY + "!" * 1500}, headers=token)
    assert cry.json()["reply"]["contacts"][0]["phone"] == "113"
    assert client.get("/healthz").status_code == 200
    is_full = False
    assert client.post("/api/v1/messages", json={"id": "message-3", "text": CRY}, headers=token).status_code == 202
    until(lambda: client.get("/readyz").json()["database"])


def test_a_database_file_that_vanishes_is_noticed_and_made_anew(
    client: TestClient, token: dict[str, str], service: Service
) -> None:
    for path in Path(service.engine.url.database or "").parent.glob("wegwijs.db*"):
        path.unlink()
    assert client.get("/readyz").json()["database"] is False
    answer = client.post("/api/v1/messages", json={"id": "message-1", "text": CRY}, headers=token)
    assert (answer.status_code, answer.json()["reply"]["topic"]) == (503, "urgent.suicide")
    until(lambda: client.get("/readyz").json()["database"])
    assert client.post("/api/v1/conversations").status_code == 201


def test_it_starts_without_a_database_and_goes_on_when_it_is_there(
    tmp_path: Path, content: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Service, "load_assistant", lambda self: Answering())
    blocked = tmp_path / "folder"
    blocked.write_text("a file where a folder should be")
    settings = Settings(_env_file=None, database_url=f"sqlite:///{blocked / 'w.db'}", secret_key="key of the tests")
    with TestClient(create_app(open_service(settings, content))) as client:
        assert client.get("/").status_code == 200
        assert client.get("/readyz").status_code == 503
        answer = client.post("/api/v1/messages", json={"id": "message-1", "text": CRY})
        assert answer.json()["reply"]["topic"] == "urgent.suicide"
        blocked.unlink()
        blocked.mkdir()
        until(lambda: client.post("/api/v1/conversations").status_code == 201)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"id": "message-1", "text": "a\\ud800"}',
        b'{"id": "message\\ud800", "text": "a"}',
        b'{"id": "message-1", "button": "/menu\\udfff"}',
        b'{"id": "message-1", "text": "a", "language": "\\ud800"}',
        b'{"id": "message-1", "\\ud800": 1}',
        b'{"id": "message-1", "position": {"latitude": NaN, "longitude": 4}}',
        b'{"id": "message-1", "position": {"latitude": 52, "longitude": Infinity}}',
        b"[]",
        b"null",
        b"1e999",
        b"",
        b"[" * 60000,
    ],
    ids=range(12),
)
def test_no_body_breaks_it(client: TestClient, token: dict[str, str], raw: bytes) -> None:
    assert client.post("/api/v1/messages", content=raw, headers=token).status_code < 500


@pytest.mark.parametrize("after", ["99999999999999999999", "-1", "x", "9007199254740993", "1.5"])
def test_no_cursor_breaks_it(client: TestClient, token: dict[str, str], after: str) -> None:
    answer = client.get(f"/api/v1/messages?after={after}", headers=token)
    assert answer.status_code == 422
    assert after not in answer.text or after in ("x", "1.5", "-1")


def test_a_body_beyond_all_measure_is_not_read_and_a_cry_at_its_beginning_is_heard(
    client: TestClient, token: dict[str, str]
) -> None:
    answer = client.post("/api/v1/messages", content=CRY.encode() + b" x" * 5_000_000, headers=token)
    assert (answer.status_code, answer.json()["reply"]["topic"]) == (413, "urgent.suicide")


def test_every_answer_has_the_security_headers_errors_too(
    client: TestClient, token: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr("bot.web.chat.page_texts", fails)
    answers = [client.get(path) for path in ("/", "/nothing", "/api/v1/messages", "/static/nothing")]
    answers += [client.get("/api/v1/texts/en"), client.post("/api/v1/messages", content=b"x", headers=token)]
    assert answers[4].status_code == 500
    assert "secret" not in answers[4].text
    for answer in answers:
        assert {name.lower() for name in SECURITY_HEADERS} <= set(answer.headers.keys())


def test_one_address_cannot_fill_the_disk_with_buttons_and_a_cry_is_taken_beyond(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = replace(client.app.state.limits, of_address=Window(2))  # type: ignore[attr-defined]
    monkeypatch.setattr(client.app.state, "limits", limits)  # type: ignore[attr-defined]

    def sends(**said: str) -> list[int]:
        token = client.post("/api/v1/conversations").json()["token"]
        headers = {"Authorization": f"Bearer {token}"}
        return [
            client.post("/api/v1/messages", json={"id": f"message-{number}", **said}, headers=headers).status_code
            for number in range(2)
        ]

    assert [*sends(text="a"), *sends(text="a")] == [202, 202, 429, 429]
    assert [*sends(button="/menu"), *sends(button="/menu")] == [202, 202, 429, 429]
    assert [*sends(text=CRY), *sends(text=CRY)] == [202] * 4


def test_one_address_cannot_fill_the_disk_with_conversations(client: TestClient) -> None:
    codes = [client.post("/api/v1/conversations").status_code for _ in range(210)]
    assert codes.count(201) <= 200
    assert codes[-1] == 429


def test_reading_writes_nothing(client: TestClient, token: dict[str, str], service: Service) -> None:
    client.post("/api/v1/messages", json={"id": "message-1", "text": "a"}, headers=token)
    wait_for(client, token, 1)
    written: list[str] = []
    event.listen(
        service.engine,
        "before_cursor_execute",
        lambda _c, _u, statement, *_: written.append(statement) if statement.startswith(("UPDATE", "INSERT")) else None,
    )
    for _ in range(5):
        client.get("/api/v1/messages", headers=token)
    assert len([statement for statement in written if "inbox" in statement or "conversation" in statement]) == 0


def test_a_pressed_button_is_still_there_after_a_reload(client: TestClient, token: dict[str, str]) -> None:
    client.post("/api/v1/messages", json={"id": "message-1", "button": "/menu"}, headers=token)
    entries = wait_for(client, token, 1)
    assert entries[0]["button"] == "/menu"


def test_the_page_speaks_the_browsers_language(client: TestClient) -> None:
    page = client.get("/", headers={"Accept-Language": "pl-PL,pl;q=0.9"})
    assert '<html lang="pl"' in page.text
    assert '<html lang="nl"' in client.get("/?lang=nl").text
    for name, value in SECURITY_HEADERS.items():
        assert page.headers[name] == value


def test_health_and_documentation(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json()["database"] is True
    schema = client.get("/openapi.json").json()
    assert "/api/v1/messages" in json.dumps(schema)
    assert "/api/v1/messages" in client.get("/docs").text


def test_the_texts_of_every_language(client: TestClient) -> None:
    languages = client.get("/api/v1/texts/en").json()["languages"]
    assert {"en", "nl", "pl", "uk"} <= set(languages)
    for language in languages:
        assert client.get(f"/api/v1/texts/{language}").json()["texts"]["web.send"]
    assert client.get("/api/v1/texts/xx").status_code == 404
