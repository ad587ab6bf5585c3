"""What is counted of people's messages: that it adds up, stays when they are deleted, and holds no text."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker
from typer.testing import CliRunner

from actions.reply import Reply
from bot import inbox, insight, outbox, people
from bot.assistant_port import Understood
from bot.cli import app
from bot.inbox import Incoming, Kind
from bot.insight import Came
from tests.conftest import NOW

TODAY = NOW.date()
ANSWER = Reply(language="pl", text="…", topic="work.holidays")


def take(
    session: Session, number: int, understood: Understood | None, *, replies: tuple[Reply, ...] = (ANSWER,)
) -> str:
    found = inbox.conversation_of(session, "web", "hash", now=NOW)
    message = inbox.accept(session, found.id, Incoming(f"m{number}", Kind.TEXT, "zażółć"), now=NOW)
    taken = understood.as_data() if understood else None
    slots = {"topic": "work.holidays"}
    assert message is not None
    outbox.store_answer(session, message, replies, slots=slots, language="pl", now=NOW, understood=taken)
    return found.id


def counts(sessions: sessionmaker[Session], since: date = TODAY) -> dict[tuple[str, str], dict[Came, int]]:
    with sessions() as session:
        return {(line.topic, line.language): dict(line.counts) for line in insight.since(session, since)}


def test_messages_are_counted_by_topic_language_and_what_came_of_them(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        for number in range(3):
            take(session, number, Understood("work.holidays", 0.9, "answer"))
        take(session, 3, Understood("work.holidays", 0.2, "fallback"))
        take(session, 4, Understood("feedback_bad", 0.9, "answer"))
        take(session, 5, Understood("housing.deposit", 0.4, "clarify"))
        take(session, 6, None)
    assert counts(sessions) == {
        ("work.holidays", "pl"): {Came.ANSWERED: 3, Came.LOST: 1, Came.WRONG: 1},
        ("housing.deposit", "pl"): {Came.ASKED_BACK: 1},
    }
    assert counts(sessions, TODAY + timedelta(days=1)) == {}


def test_help_at_arrival_counts_and_what_staff_answer_does_not(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        found = inbox.conversation_of(session, "web", "hash", now=NOW)
        message = inbox.accept(session, found.id, Incoming("cry", Kind.TEXT, "…"), now=NOW, is_urgent=True)
        assert message is not None
        outbox.store_help(session, message, Reply(language="uk", text="…", topic="urgent.danger"), now=NOW)
        take(session, 1, Understood("work.holidays", 0.9, "answer"), replies=())
    assert counts(sessions) == {("urgent.danger", "uk"): {Came.URGENT: 1}}


def test_counts_stay_when_somebody_is_forgotten_and_tell_nothing_of_them(
    sessions: sessionmaker[Session], engine: Engine
) -> None:
    with sessions.begin() as session:
        conversation = take(session, 1, Understood("work.holidays", 0.9, "answer"))
        people.forget(session, conversation, now=NOW)
    assert counts(sessions) == {("work.holidays", "pl"): {Came.ANSWERED: 1}}
    with engine.connect() as connection:
        columns = connection.exec_driver_sql("SELECT * FROM insight").keys()
    assert set(columns) == {"day", "language", "label", "came", "count"}


def test_the_most_often_missed_come_first(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        for number in range(5):
            take(session, number, Understood("work.holidays", 0.9, "answer"))
        take(session, 6, Understood("care.gp", 0.1, "fallback"))
        assert [line.topic for line in insight.since(session, TODAY)] == ["care.gp", "work.holidays"]


def test_the_command_prints_a_table_and_takes_no_nonsense(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path_factory.mktemp('insight') / 'w.db'}")
    monkeypatch.setenv("SECRET_KEY", "key of the tests")
    assert "lost" in CliRunner().invoke(app, ["insight"]).output
    assert CliRunner().invoke(app, ["insight", "--json"]).output.strip() == "[]"
    assert CliRunner().invoke(app, ["insight", "--days", "0"]).exit_code == 2
