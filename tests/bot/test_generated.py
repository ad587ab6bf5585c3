"""Whatever is sent to whichever endpoint: never an error of ours, and none of its text in what is logged.

`pytest tests/bot/test_generated.py --hypothesis-profile=thorough` sends ten thousand to each.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyotp
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from bot import staff
from bot.channels.telegram import webhook_secret
from bot.conversations import utc_now
from bot.service import Service, open_service
from bot.staff import Role
from bot.web.app import create_app
from knowledge.files import Content
from nlu.urgency import IN_ORDER_OF_DANGER
from tests.bot.channels.servers import TOKEN, TelegramServer
from tests.bot.console.conftest import BASE, PASSWORD, Answering, sign_in
from tests.conftest import settings_in

MARK = "zażółć-gęślą-7421"  # in every text that is sent
STREAMS = {"/api/v1/events", "/console/events"}  # they would never end for somebody who may listen
FIELDS = (
    "id",
    "text",
    "button",
    "position",
    "language",
    "csrf",
    "email",
    "password",
    "code",
    "topic",
    "outcome",
    "kind",
)
NAMES = (*FIELDS, "after", "page", "hub.mode", "hub.challenge", "hub.verify_token", "update_id", "message", "entry")

texts = st.text(st.characters(codec=None), max_size=60).map(lambda text: MARK + text)
plain = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | texts, inner, max_size=4),
)
near_messages = st.fixed_dictionaries(
    {},
    optional={
        "id": st.just(MARK) | values,
        "text": texts | values,
        "button": st.sampled_from(["/menu", "/human", *(f"/{kind}" for kind in IN_ORDER_OF_DANGER)]) | values,
        "position": st.fixed_dictionaries({"latitude": st.floats(), "longitude": st.floats()}) | values,
        "language": st.sampled_from(["en", "pl", "xx"]) | values,
    },
)
near_updates = st.fixed_dictionaries(
    {"update_id": st.integers()},
    optional={
        "message": st.fixed_dictionaries(
            {"message_id": st.integers(), "date": st.integers(0, 2**31), "chat": values},
            optional={"text": texts, "voice": values, "location": values, "from": values, "photo": values},
        )
        | values,
        "callback_query": values,
        "edited_message": values,
    },
)
bodies = st.one_of(
    (near_messages | near_updates | values).map(lambda data: json.dumps(data).encode("utf-8", "surrogatepass")),
    st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=40).map(lambda text: MARK + text), max_size=6).map(
        lambda fields: "&".join(f"{name}={quote(value)}" for name, value in fields.items()).encode()
    ),
    st.binary(max_size=200).map(lambda raw: MARK.encode() + raw),
    st.just(b""),
)
kinds = st.sampled_from(
    [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "nonsense",
        "",
    ]
)
queries = st.dictionaries(
    st.sampled_from(NAMES), st.integers().map(str) | st.text(max_size=20).map(lambda text: MARK + text), max_size=3
)
paths = st.text(max_size=20) | st.integers().map(str) | st.sampled_from(["en", "1", "work.minimum_wage"])
tokens = st.sampled_from(["", "Bearer", "Bearer nobody", "Basic eDp5", "Bearer " + MARK])


def endpoints(app: FastAPI) -> list[tuple[str, str]]:
    """Method and path of everything that answers, also of what is added later."""
    routers = [route.original_router for route in app.routes if hasattr(route, "original_router")]
    return sorted(
        (method, route.path) for router in routers for route in router.routes for method in route.methods - {"HEAD"}
    )


@pytest.fixture(scope="module")
def telegram() -> Iterator[TelegramServer]:
    server = TelegramServer()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, prepared: Path, content: Content, telegram: TelegramServer
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("generated")
    shutil.copy(prepared, folder)
    often = dict.fromkeys(
        ("messages_per_minute", "messages_per_minute_of_address", "conversations_per_minute"), 10_000_000
    )
    settings = settings_in(folder).model_copy(
        update={
            **often,
            "public_url": "https://example.org",
            "telegram_bot_token": SecretStr(TOKEN),
            "telegram_api_url": telegram.url,
        }
    )
    opened = open_service(settings)
    opened.prepare(content, now=utc_now())
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    """Somebody of the staff who may do everything, in a browser that is signed in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Service, "load_assistant", lambda self: Answering())
        patch.setattr(staff, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        patch.setattr(staff, "_NOBODY", staff._hasher.hash("nobody"))
        with service.sessions.begin() as session:
            now = utc_now()
            invited = staff.add(session, "ann", "ann@example.org", Role.ADMIN, "en", book=service.addresses, now=now)
            staff.begin(session, invited.staff_id, staff.hash_password(PASSWORD), step=0, now=now)
        with TestClient(create_app(service), BASE, raise_server_exceptions=False) as opened:
            answer = sign_in(opened, "ann", pyotp.TOTP(pyotp.parse_uri(invited.otpauth).secret).now())
            assert answer.status_code == 200
            yield opened


def test_nothing_that_is_sent_is_an_error_of_ours_or_in_the_log(
    client: TestClient, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    session = client.cookies.get("__Host-staff")
    own = f"Bearer {client.post('/api/v1/conversations').json()['token']}"
    faults: set[tuple[str, str, int]] = set()
    for method, path in endpoints(client.app):  # type: ignore[arg-type]
        client.cookies.clear()
        if path not in STREAMS and session is not None:
            client.cookies.set("__Host-staff", session)
        is_owner = path not in STREAMS and method != "DELETE"
        faults |= _sent_to(client, method, path, own if is_owner else "Bearer nobody")
    assert not faults
    out, err = capfd.readouterr()
    assert not [line[:80] for line in (out + err + caplog.text).splitlines() if "gęślą" in line]


def _sent_to(client: TestClient, method: str, path: str, own: str) -> set[tuple[str, str, int]]:
    faults: set[tuple[str, str, int]] = set()
    secret = {"X-Telegram-Bot-Api-Secret-Token": webhook_secret(b"key of the tests")}

    @given(paths, queries, bodies, kinds, tokens | st.just(own))
    def send(part: str, query: dict[str, str], body: bytes, kind: str, token: str) -> None:
        headers: dict[str, Any] = {"Content-Type": kind, "Authorization": token.encode()} | secret
        filled = "/".join(quote(part, safe="") if "{" in piece else piece for piece in path.split("/"))
        answer = client.request(method, filled, params=query, content=body, headers=headers, follow_redirects=False)
        if answer.status_code >= 500:
            faults.add((method, path, answer.status_code))

    send()
    return faults
