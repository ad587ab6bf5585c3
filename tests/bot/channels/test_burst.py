"""Many updates at once with refusals among the answers: all are answered, in order, within Telegram's limits.

`pytest tests/bot/channels/test_burst.py --burst 500` is the size of the issue's bar.
"""

from __future__ import annotations

import time
from collections import defaultdict
from itertools import pairwise
from typing import Any

import pytest

from actions.reply import Reply
from bot.channels.port import RetryLaterError
from bot.channels.telegram import Telegram
from tests.bot.channels.servers import TelegramServer, over_telegram
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
