"""Telegram with a Bot API that others wrote (npm's telegram-test-api), polled and by webhook, against the service as a process."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.patience import until
from tests.process import Process, free_port

FOLDER = Path(__file__).parents[1] / "telegram"
TOKEN = "123456:test-token"


class Phone:
    """Somebody in Telegram, and the server between them and us."""

    def __init__(self, port: int, service: str) -> None:
        self.service = service
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}")
        self._person = {"id": 7, "is_bot": False, "first_name": "x", "language_code": "pl"}
        self._chat = {"id": 7, "type": "private", "first_name": "x"}

    def say(self, text: str) -> None:
        message = {"from": self._person, "chat": self._chat, "date": int(time.time()), "text": text}
        self._client.post("/sendMessage", json={"botToken": TOKEN, **message})

    def press(self, shown: dict[str, Any], data: str) -> None:
        kept = {key: shown["message"][key] for key in ("text", "reply_markup")}
        message = {"message_id": shown["messageId"], "chat": self._chat, "date": int(time.time()), **kept}
        query = {"from": self._person, "message": message, "data": data}
        self._client.post("/sendCallback", json={"botToken": TOKEN, **query})

    def shown(self) -> list[dict[str, Any]]:
        """What the bot sent, in order, as it stands there now."""
        history = self._client.post("/getUpdatesHistory", json={"token": TOKEN}).json()["result"]
        return [entry for entry in history if "chat_id" in entry.get("message", {})]


def buttons(entry: dict[str, Any]) -> dict[str, str]:
    rows = entry["message"]["reply_markup"]["inline_keyboard"]
    return {button["text"]: button["callback_data"] for row in rows for button in row}


@pytest.fixture(scope="module", params=["polling", "webhook"])
def phone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phone]:
    port, service = free_port(), free_port()
    settings = {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_URL": f"http://127.0.0.1:{port}"}
    if request.param == "webhook":
        settings["PUBLIC_URL"] = "https://wegwijs.example"
    command = ["node", str(FOLDER / "server.cjs"), str(port), f"http://127.0.0.1:{service}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            process = Process(tmp_path_factory.mktemp(request.param), service, **settings)
            try:
                process.ready()
                until(lambda: "telegram_ready" in process.log.read_text())
                yield Phone(port, process.url)
            finally:
                process.stop()
        finally:
            server.terminate()


def test_a_question_is_answered_in_html_with_buttons(phone: Phone) -> None:
    seen = len(phone.shown())
    phone.say("ile wynosi minimalna stawka godzinowa? <b>&")
    (answer,) = until(lambda: phone.shown()[seen:])
    assert answer["message"]["parse_mode"] == "HTML"
    assert answer["message"]["text"].startswith("Jestem Wegwijs, robot")  # the first word, and then the title
    assert "\n\n<b>" in answer["message"]["text"]
    assert buttons(answer)


def test_a_pressed_button_is_marked_and_answered(phone: Phone) -> None:
    seen = len(phone.shown())
    phone.say("/menu")
    (menu,) = until(lambda: phone.shown()[seen:])
    label, data = next(iter(buttons(menu).items()))
    phone.press(menu, data)
    until(lambda: len(phone.shown()) > seen + 1)
    assert any(f"✓ {label}" in buttons(entry) for entry in phone.shown() if entry["messageId"] == menu["messageId"])


def test_a_cry_for_help_gets_its_number(phone: Phone) -> None:
    seen = len(phone.shown())
    phone.say("mój mąż mnie bije, ma nóż")
    (help_,) = until(lambda: phone.shown()[seen:])
    assert "112" in help_["message"]["text"]


@pytest.mark.parametrize("secret", [None, "guessed"])
def test_an_update_without_the_secret_is_refused(phone: Phone, secret: str | None) -> None:
    """Both ways: where Telegram is polled the webhook is closed as well."""
    headers = {"X-Telegram-Bot-Api-Secret-Token": secret} if secret else {}
    answer = httpx.post(f"{phone.service}/webhooks/telegram", json={"update_id": 1}, headers=headers)
    assert answer.status_code == 403


def test_everything_is_deleted_on_demand_and_there_is_a_receipt(phone: Phone) -> None:
    seen = len(phone.shown())
    phone.say("/delete")
    (question,) = until(lambda: phone.shown()[seen:])
    yes = next(data for data in buttons(question).values() if data == "/affirm")
    phone.press(question, yes)
    receipt = until(lambda: phone.shown()[seen + 1 :])[0]
    assert re.search(r"\b[0-9A-F]{8}\b", receipt["message"]["text"])
