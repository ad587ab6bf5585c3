"""Somebody in the chat of the page, and what the tests of the console ask of database and pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy.orm import Session, sessionmaker

from bot import cases
from bot.cases import Consent
from bot.models import AuditEntry, Case, Staff
from tests.bot.console.conftest import browser_of

CRY = "I want to kill myself"


class Person:
    """Somebody in the chat of the page."""

    def __init__(self, app: Any) -> None:
        self._client = browser_of(app)
        token = self._client.post("/api/v1/conversations").json()["token"]
        self._headers = {"Authorization": f"Bearer {token}"}
        self._count = 0

    def write(self, said: str) -> dict[str, Any]:
        self._count += 1
        message = {"id": f"message-{self._count}", "text": said}
        return self._client.post("/api/v1/messages", json=message, headers=self._headers).json()

    def hears(self) -> list[tuple[str, str]]:
        entries = self._client.get("/api/v1/messages", headers=self._headers).json()["entries"]
        return [(entry["author"], entry["reply"]["text"]) for entry in entries if entry["reply"]]

    def delete(self) -> None:
        self._client.delete("/api/v1/conversation", headers=self._headers)


def case_of(sessions: sessionmaker[Session]) -> int:
    with sessions() as session:
        return session.query(Case).one().id


def decide(sessions: sessionmaker[Session], consent: Consent = Consent.YES) -> None:
    """The person says whether staff may read what they wrote."""
    with sessions.begin() as session:
        conversation_id = session.query(Case).one().conversation_id
        cases.decide(session, str(conversation_id), consent, now=datetime.now(UTC))


def send(browser: TestClient, path: str, **fields: str) -> Any:
    """Send a form of the console, as a page of this session does."""
    csrf = re.search(r'name="csrf" value="([^"]+)"', browser.get("/console").text)[1]
    return browser.post(path, data={"csrf": csrf, **fields})


def do(browser: TestClient, case: int, deed: str, **fields: str) -> Any:
    return send(browser, f"/console/cases/{case}/{deed}", **fields)


def id_of(sessions: sessionmaker[Session], name: str) -> str:
    with sessions() as session:
        return session.query(Staff).filter_by(name=name).one().id


def log_of(sessions: sessionmaker[Session]) -> list[str]:
    with sessions() as session:
        return [entry.action for entry in session.query(AuditEntry).order_by(AuditEntry.id)]
