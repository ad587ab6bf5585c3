"""The chat's HTTP API over a real application, without the model: what comes in, what is refused, what is shown."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from actions.reply import Reply
from bot.assistant_port import Outcome
from bot.inbox import Turn
from bot.service import Service
from bot.web.app import SECURITY_HEADERS, create_app


class Answering:
    async def respond(self, turn: Turn) -> Outcome:
        return Outcome((Reply(language="en", text=f"heard {turn.body}"),), {"language": "en"})


@pytest.fixture
def client(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(Service, "load_assistant", lambda self: Answering())
    with TestClient(create_app(service)) as opened:
        yield opened


@pytest.fixture
def token(client: TestClient) -> dict[str, str]:
    return {"Authorization": f"Bearer {client.post('/api/v1/conversations').json()['token']}"}


def wait_for(client: TestClient, token: dict[str, str], count: int) -> list[dict]:
    for _ in range(200):
        entries = client.get("/api/v1/messages", headers=token).json()["entries"]
        if sum(entry["author"] == "bot" for entry in entries) >= count:
            return entries
    raise AssertionError(f"not {count} answers but {entries}")


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


def test_without_a_database_somebody_in_danger_still_gets_the_number(
    client: TestClient, token: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OperationalError("SELECT", {}, Exception("disk full"))

    monkeypatch.setattr("bot.web.chat.inbox.accept", fails)
    answer = client.post("/api/v1/messages", json={"id": "message-1", "text": "I want to kill myself"}, headers=token)
    assert answer.status_code == 503
    assert answer.json()["reply"]["topic"] == "urgent.suicide"
    answer = client.post("/api/v1/messages", json={"id": "message-2", "text": "how much wage"}, headers=token)
    assert answer.json()["reply"]["contacts"][0]["phone"] == "112"


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
