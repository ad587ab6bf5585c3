"""An application on messengers that stand on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from actions.reply import Button, Reply
from bot.assistant_port import AssistantPort, Outcome
from bot.inbox import Turn
from bot.service import Service, open_service
from bot.settings import Settings
from bot.web.app import create_app
from knowledge.files import Content
from tests.bot.channels.servers import MetaServer, TelegramServer


class Answering(AssistantPort):
    async def respond(self, turn: Turn) -> Outcome:
        button = Button(label="Menu", payload="/menu")
        return Outcome(
            (Reply(language="en", text=f"heard {turn.body} <b>&", buttons=(button,)),),
            {"language": "en", "greeted": True},
        )


@pytest.fixture
def telegram() -> Iterator[TelegramServer]:
    server = TelegramServer()
    yield server
    server.stop()


@pytest.fixture
def meta() -> Iterator[MetaServer]:
    server = MetaServer()
    yield server
    server.stop()


@pytest.fixture
def start(service: Service, content: Content, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., TestClient]]:
    """Starts the application on the database of the test with more settings; several times where a test restarts it."""
    monkeypatch.setattr(Service, "load_assistant", lambda self: Answering())
    opened: list[tuple[TestClient, Service]] = []

    def begin(**more: Any) -> TestClient:
        settings = Settings(
            _env_file=None,
            database_url=str(service.engine.url),
            **{"secret_key": "key of the tests", **more},
        )
        made = open_service(settings, content)
        client = TestClient(create_app(made))
        client.__enter__()
        opened.append((client, made))
        return client

    begin.stop = lambda: _stop(opened.pop())  # type: ignore[attr-defined]
    yield begin
    for one in opened:
        _stop(one)


def _stop(one: tuple[TestClient, Service]) -> None:
    one[0].__exit__(None, None, None)
    one[1].close()
