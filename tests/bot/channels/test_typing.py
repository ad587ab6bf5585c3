"""Somebody types: shown while one of the staff writes to a person, and to nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from bot.service import Service
from bot.typing_sign import Seer, seer_of
from tests.bot.channels.servers import MetaServer, TelegramServer, over_telegram, over_whatsapp
from tests.bot.channels.test_attachments import with_staff
from tests.bot.channels.test_messengers import brought, message
from tests.patience import until


def seer(service: Service, case_id: int, staff_id: str | None = None) -> Seer | None:
    with service.sessions() as session:
        owner = session.execute(text("SELECT owner FROM staff_case")).scalar_one()
        return seer_of(session, case_id, staff_id or owner)


def show(client: TestClient, whom: Seer | None) -> None:
    assert whom is not None
    client.portal.call(client.app.state.channels.show_typing, whom)  # type: ignore[union-attr, attr-defined]


@pytest.fixture
def whatsapp(meta: MetaServer, start: Any) -> TestClient:
    client: TestClient = start(**over_whatsapp(meta))
    brought(client, messages=[message(1, type="text", text={"body": "hello"})])
    until(lambda: meta.sent)
    return client


def test_whatsapp_shows_it_under_the_last_message(meta: MetaServer, whatsapp: TestClient, service: Service) -> None:
    show(whatsapp, seer(service, with_staff(service)))
    (shown,) = (receipt for receipt in meta.receipts if "typing_indicator" in receipt)
    assert (shown["message_id"], shown["typing_indicator"]) == ("wamid.1", {"type": "text"})


def test_telegram_shows_it(telegram: TelegramServer, start: Any, service: Service) -> None:
    client = start(**over_telegram(telegram))
    telegram.say(7, "hello")
    until(lambda: telegram.sent)
    show(client, seer(service, with_staff(service)))
    (shown,) = (fields for method, fields in telegram.calls if method == "sendChatAction")
    assert shown == {"chat_id": 7, "action": "typing"}


def test_nobody_sees_it_whose_case_it_is_not_or_who_said_stop(
    meta: MetaServer, whatsapp: TestClient, service: Service
) -> None:
    case_id = with_staff(service)
    assert seer(service, case_id, "somebody else") is None
    brought(whatsapp, messages=[message(2, type="text", text={"body": "stop"}, timestamp="2")])
    until(lambda: seer(service, case_id) is None)
    with service.sessions.begin() as session:
        session.execute(text("UPDATE conversation SET stopped_at = NULL"))
        session.execute(text("UPDATE staff_case SET state = 'waiting', owner = NULL"))
        assert seer_of(session, case_id, "a") is None
