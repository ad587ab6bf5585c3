#!/usr/bin/env python3
"""Kills the service at random moments while people write over the page, Telegram and WhatsApp; counts what was lost or said twice.

    python scripts/kill_channels.py --messages 1000 --kills 8

Providers and page send again what was not acknowledged, and some of what was; some of it arrives before what was written earlier.
Needs a trained model; nothing of it is kept.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import random
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from actions.reply import Reply  # noqa: E402
from bot import inbox  # noqa: E402
from bot.channels import telegram as telegram_module  # noqa: E402
from bot.channels import whatsapp as whatsapp_module  # noqa: E402
from bot.channels.telegram import webhook_secret  # noqa: E402
from tests.bot.channels.servers import SECRET, TOKEN, MetaServer, TelegramServer  # noqa: E402
from tests.process import Process  # noqa: E402

PEOPLE = 30  # of all channels together
TEXTS = ("ile wynosi płaca minimalna?", "my boss does not pay me", "hoeveel vakantiedagen heb ik", "як отримати BSN")
KEY = b"key"  # that tests.process.Process sets


@dataclass
class Provider:
    """Brings the messages of one channel to the service until it has them."""

    name: str
    send: Callable[[int, int, str], int]  # person, number of the message, text → status

    def bring(self, person: int, number: int, text: str) -> None:
        """Once, and again as long as it is not acknowledged; every fifth twice, as providers do."""
        times = 2 if number % 5 == 0 else 1
        while times:
            try:
                times -= self.send(person, number, text) in (200, 202)
            except httpx.HTTPError:
                time.sleep(0.2)


def providers(url: Callable[[], str], client: httpx.Client) -> list[Provider]:
    """The page, Telegram's webhook and WhatsApp's."""
    tokens: dict[int, str] = {}

    def page(person: int, number: int, text: str) -> int:
        if person not in tokens:
            tokens[person] = client.post(f"{url()}/api/v1/conversations").json()["token"]
        body = {"id": f"message-{number}", "text": text}
        headers = {"Authorization": f"Bearer {tokens[person]}"}
        return client.post(f"{url()}/api/v1/messages", json=body, headers=headers).status_code

    def telegram(person: int, number: int, text: str) -> int:
        chat = {"id": 1000 + person, "type": "private"}
        sender = {"id": 1000 + person, "is_bot": False, "first_name": "x"}
        message = {"message_id": number + 1, "date": 1, "chat": chat, "from": sender, "text": text}
        headers = {"X-Telegram-Bot-Api-Secret-Token": webhook_secret(KEY)}
        update = {"update_id": number + 1, "message": message}
        return client.post(f"{url()}/webhooks/telegram", json=update, headers=headers).status_code

    def whatsapp(person: int, number: int, text: str) -> int:
        message = {"id": f"wamid.{number}", "from": str(31600000000 + person), "type": "text", "text": {"body": text}}
        body = json.dumps({"entry": [{"changes": [{"value": {"messages": [message]}}]}]}).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={signature}"}
        return client.post(f"{url()}/webhooks/whatsapp", content=body, headers=headers).status_code

    return [Provider("web", page), Provider("telegram", telegram), Provider("whatsapp", whatsapp)]


def count(database: Path, telegram: TelegramServer, meta: MetaServer, messages: int) -> dict[str, int]:
    """What became of the messages, from the database and from what the messengers were sent."""
    with sqlite3.connect(database) as connection:
        replies = (
            "SELECT c.channel, o.reply FROM outbox o JOIN conversation c ON c.id = o.conversation_id "
            "WHERE c.channel <> 'web'"
        )
        due = sum(len(_texts_of(channel, reply)) for channel, reply in connection.execute(replies))
        stored = connection.execute("SELECT count(*) FROM inbox").fetchone()[0]
        waiting = connection.execute("SELECT count(*) FROM inbox WHERE handled_at IS NULL").fetchone()[0]
        silent = "SELECT count(*) FROM inbox WHERE id NOT IN (SELECT answers FROM outbox WHERE part = '0')"
        twice = (
            "SELECT count(*) FROM (SELECT answers FROM outbox WHERE part = '0' GROUP BY answers HAVING count(*) > 1)"
        )
        order = (
            "SELECT count(*) FROM outbox a JOIN outbox b ON a.conversation_id = b.conversation_id AND a.id < b.id "
            "WHERE a.part = '0' AND b.part = '0' AND a.answers > b.answers"
        )
        figures = {
            "messages": messages,
            "lost": messages - stored,
            "waiting": waiting,
            "unanswered": connection.execute(silent).fetchone()[0],
            "answered twice": connection.execute(twice).fetchone()[0],
            "out of order": connection.execute(order).fetchone()[0],
        }
    again, wrong = order_of_sent(database, telegram, meta)
    sent = {"sent to messengers": len(telegram.sent) + len(meta.sent), "sent again": again, "sent out of order": wrong}
    return {**figures, "due at messengers": due, **sent}


def order_of_sent(database: Path, telegram: TelegramServer, meta: MetaServer) -> tuple[int, int]:
    """How many messages reached a phone a second time, and how many before an earlier one of the same person."""
    reached: defaultdict[str, list[str]] = defaultdict(list)
    for fields in list(telegram.sent):
        reached[inbox.address_hash("telegram", str(fields["chat_id"]), key=KEY)].append(str(fields["text"]))
    for body in list(meta.sent):
        said = body["text"]["body"] if body["type"] == "text" else body["interactive"]["body"]["text"]
        reached[inbox.address_hash("whatsapp", body["to"], key=KEY)].append(said)
    decided: defaultdict[str, list[str]] = defaultdict(list)
    statement = (
        "SELECT c.address_hash, c.channel, o.reply FROM outbox o JOIN conversation c ON c.id = o.conversation_id "
        "WHERE c.channel <> 'web' ORDER BY o.id"
    )
    with sqlite3.connect(database) as connection:
        for hashed, channel, reply in connection.execute(statement):
            decided[hashed] += _texts_of(channel, reply)
    again = wrong = 0
    for hashed, texts in reached.items():
        due = 0
        for said in texts:
            if decided[hashed][due : due + 1] == [said]:
                due += 1
            elif said in decided[hashed][:due]:
                again += 1
            else:
                wrong += 1
    return again, wrong


def _texts_of(channel: str, reply: str) -> list[str]:
    """The messages of a reply: a long one is several."""
    shown = Reply.model_validate_json(reply)
    if channel == "telegram":
        return [payload.text for payload in telegram_module.render(shown)]
    messages = whatsapp_module.render(shown, choose="x")
    return [one["text"]["body"] if one["type"] == "text" else one["interactive"]["body"]["text"] for one in messages]


def in_some_disorder(numbers: range) -> list[int]:
    """The numbers in the order in which they arrive: one in six after one that was written later by the same person."""
    order = list(numbers)
    step = PEOPLE // numbers.step  # so far apart stand two of one person
    for place in range(len(order) - step):
        if random.random() < 1 / 6:
            order[place], order[place + step] = order[place + step], order[place]
    return order


def main() -> None:
    """Run, kill, wait until all is answered, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--patience", type=float, default=900, help="seconds to wait for the last answer")
    options = parser.parse_args()
    telegram, meta = TelegramServer(), MetaServer()
    settings: dict[str, Any] = {
        "PUBLIC_URL": "https://wegwijs.example",
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_API_URL": telegram.url,
        "WHATSAPP_TOKEN": "meta-token",
        "WHATSAPP_PHONE_ID": "555",
        "WHATSAPP_APP_SECRET": SECRET,
        "WHATSAPP_VERIFY_TOKEN": "verify-me",
        "WHATSAPP_API_URL": f"{meta.url}/v21.0",
        "MESSAGES_PER_MINUTE": "100000",
        "MESSAGES_PER_MINUTE_OF_ADDRESS": "100000",
    }
    with tempfile.TemporaryDirectory() as folder, httpx.Client(timeout=10) as client:
        process = Process(Path(folder), **settings)
        channels = providers(lambda: process.url, client)
        kinds: Counter[str] = Counter()

        def bring(provider: Provider, numbers: range) -> None:
            for number in in_some_disorder(numbers):
                provider.bring(number % PEOPLE, number, random.choice(TEXTS))
                kinds[provider.name] += 1
                time.sleep(random.uniform(0, 0.4))

        threads = [
            threading.Thread(target=bring, args=(provider, range(start, options.messages, len(channels))))
            for start, provider in enumerate(channels)
        ]
        process.ready()
        for thread in threads:
            thread.start()
        for _ in range(options.kills):
            time.sleep(random.uniform(1, 12))
            process.kill()
            process.start()
        for thread in threads:
            thread.join()
        database, end = Path(folder) / "w.db", time.monotonic() + options.patience
        figures = count(database, telegram, meta, options.messages)
        while time.monotonic() < end and (
            figures["waiting"] or figures["sent to messengers"] < figures["due at messengers"]
        ):
            time.sleep(2)
            figures = count(database, telegram, meta, options.messages)
        process.stop()
    for server in (telegram, meta):
        server.stop()
    print(json.dumps({"kills": options.kills, **dict(kinds), **figures}))


if __name__ == "__main__":
    main()
