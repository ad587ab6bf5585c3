"""What an operator sees of the channels at the command line: which are on and why, what waits, what is dead; and the posters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker
from typer.testing import CliRunner

from actions.reply import Reply
from bot import inbox, outbox
from bot.channels import telegram
from bot.cli import app
from bot.inbox import Incoming, Kind
from bot.service import Service
from knowledge.files import Content
from tests.conftest import NOW

MARK = "nobody-may-read-this"


@pytest.fixture
def run(service: Service, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs a command on the database of the test; returns what it prints."""
    monkeypatch.setenv("DATABASE_URL", str(service.engine.url))
    monkeypatch.setenv("COLUMNS", "200")

    def command(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, words)
        assert done.exit_code == code, done.output
        return done.output

    return command


@pytest.fixture
def replies(sessions: sessionmaker[Session]) -> None:
    """One reply on Telegram that is dead; on WhatsApp one that is tried again, one that went out, one that Meta did not bring."""
    with sessions.begin() as session:
        for number, channel in enumerate(("telegram", "whatsapp", "whatsapp", "whatsapp")):
            found = inbox.conversation_of(session, channel, f"{number}" * 64, now=NOW, address=MARK)
            message = inbox.accept(session, found.id, Incoming("1", Kind.TEXT, MARK), now=NOW)
            stored = outbox.store_word(session, found.id, Reply(language="en", text=MARK), now=NOW)
            assert message is not None
            if number == 0:
                outbox.record_failure(session, stored, "blocked")
            elif number == 1:
                outbox.record_retry(session, stored, NOW + timedelta(minutes=5))
            else:
                outbox.record_sent(session, stored, f"wamid.{number}", now=NOW)
        outbox.record_states(session, {"wamid.3": "failed"})


def rows(output: str) -> dict[str, list[str]]:
    """The cells of a table by the first one."""
    lines = [[cell.strip() for cell in line.strip("│┃").split("│")] for line in output.splitlines() if "│" in line]
    return {cells[0]: cells[1:] for cells in lines}


def test_each_channel_is_on_or_off_with_a_reason_and_what_waits(
    run: Callable[..., str], replies: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "1:secret-token")
    shown = rows(run("channels"))
    assert shown["web"][:1] == ["yes"]
    assert shown["telegram"][:2] == ["yes", "long polling"]
    assert shown["telegram"][2:] == [f"{NOW:%Y-%m-%d %H:%M}", "–", "0", "1"]
    assert shown["whatsapp"][:2] == ["no", "WHATSAPP_TOKEN is not set"]
    assert shown["whatsapp"][2:] == [f"{NOW:%Y-%m-%d %H:%M}"] * 2 + ["1", "1"]
    monkeypatch.setenv("CLOSED_CHANNELS", '["telegram"]')
    assert rows(run("channels"))["telegram"][:2] == ["no", "closed: CLOSED_CHANNELS"]


def test_the_outbox_shows_what_waits_and_what_is_dead_and_tells_nothing(run: Callable[..., str], replies: None) -> None:
    output = run("outbox")
    shown = [(cells[0], cells[-1]) for cells in rows(output).values()]
    assert shown == [("telegram", "blocked"), ("whatsapp", ""), ("whatsapp", "failed")]
    assert MARK not in output


@pytest.mark.parametrize(("ending", "beginning"), [(".svg", b"<?xml"), (".png", b"\x89PNG")])
def test_a_poster_opens_the_chat_at_its_topic(
    run: Callable[..., str], tmp_path: Path, ending: str, beginning: bytes
) -> None:
    file = tmp_path / f"poster{ending}"
    output = run("qr", "wegwijs_bot", "housing.deposit", "--out", str(file))
    assert "https://t.me/wegwijs_bot?start=housing-deposit" in output
    assert file.read_bytes().startswith(beginning)


def test_the_link_of_every_poster_is_understood(content: Content) -> None:
    languages = frozenset(content.languages)
    for topic in content.topics:
        link = topic.replace(".", "-")
        assert len(link) <= 64  # https://core.telegram.org/bots/features#deep-linking
        assert telegram._start(link, languages) == f"/{topic}"


@pytest.mark.parametrize("words", [("qr", "bot", "no.such"), ("qr", "bot", "pl", "--out", "poster.jpg")])
def test_a_poster_that_can_not_be_made_is_said(run: Callable[..., str], words: Any) -> None:
    run(*words, code=1)
