"""A running application with staff who can sign in; the console speaks English to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pyotp
import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient

from actions.reply import Reply
from bot import staff
from bot.assistant_port import AssistantPort, Outcome, Understood
from bot.inbox import Turn
from bot.service import Service
from bot.staff import Role
from bot.web.app import create_app

PASSWORD = "correct horse battery"
BASE = "https://testserver"


class Answering(AssistantPort):
    async def respond(self, turn: Turn) -> Outcome:
        taken_for = Understood("work.unpaid_wages", 0.82, "answer", "urgent.exploitation")
        if turn.body == "what?":
            taken_for = Understood("care.gp", 0.11, "fallback")
        return Outcome((Reply(language="en", text=f"heard {turn.body}"),), {"language": "en"}, taken_for)


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staff, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    monkeypatch.setattr(staff, "_NOBODY", staff._hasher.hash("nobody"))


@pytest.fixture
def app(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(Service, "load_assistant", lambda self: Answering())
    made = create_app(service)
    with TestClient(made) as opened:
        made.state.opened = opened
        yield made


def browser_of(app: Any) -> TestClient:
    """A browser of its own on the running application, and on its one event loop."""
    browser = TestClient(app, base_url=BASE)
    browser.portal = app.state.opened.portal
    return browser


@pytest.fixture
def account(service: Service) -> Callable[..., str]:
    """Makes an account; returns the secret of its codes."""

    def make(name: str, role: Role = Role.HELPER, language: str = "en") -> str:
        now = datetime.now(UTC)
        with service.sessions.begin() as session:
            invited = staff.add(session, name, f"{name}@example.org", role, language, book=service.addresses, now=now)
            staff.begin(session, invited.staff_id, staff.hash_password(PASSWORD), step=0, now=now)
        return pyotp.parse_uri(invited.otpauth).secret

    return make


@pytest.fixture
def enter(app: Any, account: Callable[..., str]) -> Callable[..., TestClient]:
    """Signs somebody new in, in a browser of their own."""

    def go(name: str, role: Role = Role.HELPER, language: str = "en") -> TestClient:
        secret = account(name, role, language)
        browser = browser_of(app)
        answer = sign_in(browser, name, pyotp.TOTP(secret).now())
        assert answer.status_code == 200, answer.text
        return browser

    return go


def sign_in(browser: TestClient, name: str, code: str, password: str = PASSWORD) -> Any:
    fields = {"email": f"{name}@example.org", "password": password, "code": code}
    return browser.post("/console/sign-in", data=fields)


@pytest.fixture
def person(app: Any) -> Any:
    """Somebody who has cried for help, so that there is a case."""
    from tests.bot.console.people import CRY, Person  # which needs this module

    made = Person(app)
    made.write(CRY)
    return made
