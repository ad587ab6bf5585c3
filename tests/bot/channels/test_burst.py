"""Many updates at once with refusals among the answers: all are answered, in order, within Telegram's limits.

`pytest tests/bot/channels/test_burst.py --burst 500` is the size of the issue's bar.
"""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy.orm import Session

from actions.reply import Reply
from bot import inbox, outbox
from bot.channels import delivery
from bot.channels.port import RetryLaterError
from bot.channels.telegram import Telegram
from bot.inbox import Incoming, Kind
from bot.models import OutboxMessage
from bot.service import Service
from tests.bot.channels.servers import TelegramServer, over_telegram
from tests.conftest import NOW
from tests.patience import until

OF_EACH = 5  # messages of one person
OVERALL_PER_SECOND, PERSON_SECONDS = (
    30,
    1.0,
)  # https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
CLOCK = 0.001


def test_a_burst_is_answered_in_order_and_no_limit_is_broken(
    telegram: TelegramServer, start: Any, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    updates = pytestconfig.getoption("--burst")
    went: list[tuple[float, str]] = []
    not_before: dict[str, float] = defaultdict(float)
    too_early: list[str] = []
    real = Telegram.send

    async def send(self: Telegram, address: str, reply: Reply) -> str | None:
        now = time.monotonic()
        went.append((now, address))
        if now < not_before[address]:
            too_early.append(address)
        try:
            return await real(self, address, reply)
        except RetryLaterError as refusal:
            not_before[address] = time.monotonic() + (refusal.after or 0) - CLOCK
            raise

    monkeypatch.setattr(Telegram, "send", send)
    telegram.flood_every = 9
    for number in range(OF_EACH):
        for person in range(updates // OF_EACH):
            telegram.say(1000 + person, f"no{number}")
    start(**over_telegram(telegram))
    until(lambda: len(telegram.sent) == updates, 60 + updates)
    for person in range(updates // OF_EACH):
        assert [said.split()[1] for said in telegram.texts(1000 + person)] == [f"no{n}" for n in range(OF_EACH)]
    moments = sorted(moment for moment, _ in went)
    assert all(later - first > 1.0 - CLOCK for first, later in zip(moments, moments[OVERALL_PER_SECOND:], strict=False))
    of_person = defaultdict(list)
    for moment, address in went:
        of_person[address].append(moment)
    assert all(b - a >= PERSON_SECONDS - CLOCK for own in of_person.values() for a, b in pairwise(own))
    assert too_early == []
    assert len(went) > updates  # some were refused


class Collecting:
    """A channel that keeps to whom it sent."""

    name, per_second, per_person_seconds = "telegram", 1000.0, 0.0

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, address: str, _reply: Reply) -> str | None:
        self.sent.append(address)
        return None


def sender_of(service: Service, channel: Any) -> delivery.Delivery:
    channels = {"telegram": channel}
    return delivery.Delivery(service.sessions, service.writer, channels, service.addresses, clock=lambda: NOW)


def word_for(service: Service, session: Session, name: str) -> int:
    found = inbox.conversation_of(session, "telegram", name, now=NOW, address=service.addresses.seal(name)).id
    inbox.accept(session, found, Incoming("1", Kind.TEXT, "help"), now=NOW)
    return outbox.store_word(session, found, Reply(language="en", text="words"), now=NOW)


async def test_whoever_cannot_be_reached_keeps_nobody_elses_replies_waiting(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "AT_ONCE", 1)
    channel = Collecting()
    with service.sessions.begin() as session:
        outbox.record_retry(session, word_for(service, session, "gone"), NOW + timedelta(minutes=30))
        word_for(service, session, "there")
    assert await sender_of(service, channel).send_due() == 1
    assert channel.sent == ["there"]


async def test_a_reply_that_cannot_be_read_keeps_no_other_waiting(service: Service) -> None:
    channel = Collecting()
    with service.sessions.begin() as session:
        session.get_one(OutboxMessage, word_for(service, session, "broken")).reply = {"text": "of another version"}
        word_for(service, session, "whole")
    assert await sender_of(service, channel).send_due() == 2
    assert channel.sent == ["whole"]
