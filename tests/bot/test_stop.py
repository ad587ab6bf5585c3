"""STOP: nothing is sent unasked any more, whoever has the conversation, until the person writes again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from actions.reply import Reply
from bot import cases, inbox, outbox
from bot.cases import CaseStateError
from bot.conversations import Worker
from bot.desk import Desk
from bot.duty import ASKED
from bot.frozen import FrozenPath
from bot.inbox import Incoming, Kind
from bot.models import AuditEntry, Case, Conversation, InboxMessage, OutboxMessage
from bot.service import Service
from bot.staff import Role
from knowledge.files import Content
from tests.bot.test_handover import Scripted, Talk, account_of
from tests.conftest import NOW

CRY = "I want to kill myself"


def says(text: str = "an answer") -> Scripted:
    return Scripted(Reply(language="en", text=text))


@pytest.fixture
def talk(service: Service, content: Content) -> Talk:
    return Talk(service, content)


@pytest.fixture
def desk(content: Content) -> Desk:
    return Desk(lambda: content)


@pytest.fixture
def frozen(content: Content) -> FrozenPath:
    return FrozenPath(content)


def stopped(sessions: sessionmaker[Session]) -> bool:
    with sessions() as session:
        return session.query(Conversation).one().stopped_at is not None


def claimed(sessions: sessionmaker[Session], service: Service, desk: Desk, talk: Talk) -> tuple[int, str]:
    """A case that somebody has."""
    helper = account_of(service, "ann", Role.HELPER)
    with sessions.begin() as session:
        case_id = cases.open_case(session, talk.id, ASKED, language="en", now=NOW)
        desk.claim(session, int(case_id or 0), helper, now=NOW)
    return int(case_id or 0), helper


@pytest.mark.parametrize("assistant", [None, says("never said")])
def test_a_receipt_is_given_with_a_model_and_without(
    talk: Talk, sessions: sessionmaker[Session], assistant: Any
) -> None:
    (receipt,) = talk.turn(assistant, "STOP!!!")
    assert "I only write when you do" in receipt["text"]
    assert "112" in receipt["text"]
    assert [button["payload"] for button in receipt["buttons"]] == ["/menu", "/delete_my_data"]
    assert stopped(sessions)


def test_whoever_writes_again_is_answered_again(talk: Talk, sessions: sessionmaker[Session]) -> None:
    talk.turn(says(), "stop")
    (answer,) = talk.turn(says(), "and my holiday pay?")
    assert answer["text"] == "an answer"
    assert not stopped(sessions)


def test_an_emergency_gets_its_number_after_a_stop(talk: Talk) -> None:
    talk.turn(None, "stop")
    help_, *_ = talk.turn(None, CRY)
    assert "113" in str(help_)


def test_staff_reach_nobody_who_said_stop_and_are_told(
    service: Service, sessions: sessionmaker[Session], desk: Desk, talk: Talk
) -> None:
    talk.turn(says(), "a person please")
    case_id, helper = claimed(sessions, service, desk, talk)
    (receipt,) = talk.turn(says(), "stop")  # also while staff have the conversation and the bot is silent
    assert "I only write when you do" in receipt["text"]
    with sessions.begin() as session:
        before = session.query(OutboxMessage).count()
        with pytest.raises(outbox.StoppedError):
            desk.say(session, case_id, helper, "are you there?", now=NOW)
        desk.close(session, case_id, helper, cases.Outcome.NO_ANSWER, now=NOW)
        assert session.query(OutboxMessage).count() == before  # nor that the case has ended
        assert "said_stop" in session.scalars(select(AuditEntry.action)).all()
    talk.turn(says(), "one more thing")
    with sessions.begin() as session:
        with pytest.raises(CaseStateError):
            desk.say(session, case_id, helper, "yes?", now=NOW)  # refused for the case is closed, not for the STOP
        desk.reopen(session, case_id, helper, now=NOW)
        desk.claim(session, case_id, helper, now=NOW)
        desk.say(session, case_id, helper, "yes?", now=NOW)
        assert session.query(OutboxMessage).order_by(OutboxMessage.id.desc()).first().reply["text"] == "yes?"


def test_the_bot_answers_nothing_old_after_a_stop_when_staff_let_go(
    service: Service, sessions: sessionmaker[Session], desk: Desk, talk: Talk
) -> None:
    talk.turn(says(), "a person please")
    case_id, helper = claimed(sessions, service, desk, talk)
    later = NOW + timedelta(minutes=1)
    talk.turn(says(), "are you there?", now=later)
    talk.turn(says(), "stop", now=later)
    with sessions.begin() as session:
        desk.hand_back(session, case_id, helper, now=later)
        assert session.query(InboxMessage).filter(InboxMessage.handled_at.is_(None)).count() == 0


def test_a_cry_that_only_the_model_knows_gets_its_number_where_stop_was_said_before_the_model_was_there(
    service: Service, sessions: sessionmaker[Session], talk: Talk, frozen: FrozenPath
) -> None:
    account_of(service, "ann", Role.HELPER)
    talk.turn(None, "something that no phrase tells")
    talk.turn(None, "stop")
    number = Reply(language="en", text="call 112", topic="urgent.danger", is_urgent=True)
    worker = Worker(service.writer, lambda: frozen, clock=lambda: NOW)
    worker.use(Scripted(number))
    worker.take_turns()
    with sessions() as session:
        assert outbox.after(session, talk.id)[-1].reply["text"] == "call 112"
        assert session.query(Case).one().kind == "urgent.danger"


def test_a_stop_that_was_followed_by_a_question_is_over(talk: Talk, sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        first = inbox.accept(session, talk.id, Incoming("first", Kind.TEXT, "stop"), now=NOW)
        inbox.accept(session, talk.id, Incoming("second", Kind.TEXT, "no wait"), now=NOW)
        assert not outbox.stop(session, int(first or 0), talk.id)
    assert not stopped(sessions)


def later(talk: Talk, sessions: sessionmaker[Session], number: int, text: str, *, written: int, arrived: int) -> int:
    """A message that was written and that arrived so many seconds after the beginning; returns its inbox id."""
    with sessions.begin() as session:
        taken = inbox.accept(
            session,
            talk.id,
            Incoming(f"late-{number}", Kind.TEXT, text),
            now=NOW + timedelta(seconds=arrived),
            written_at=NOW + timedelta(seconds=written),
        )
    return int(taken or 0)


@pytest.mark.parametrize(("written", "holds"), [(9, True), (10, False), (11, False)])
def test_what_was_written_before_a_stop_and_comes_after_it_does_not_undo_it(
    talk: Talk, sessions: sessionmaker[Session], frozen: FrozenPath, service: Service, written: int, holds: bool
) -> None:
    worker = Worker(service.writer, lambda: frozen, clock=lambda: NOW)
    worker.use(says())
    later(talk, sessions, 1, "stop", written=10, arrived=20)
    worker.take_turns()
    assert stopped(sessions)
    later(talk, sessions, 2, "where is my payslip", written=written, arrived=30)
    worker.take_turns()
    assert stopped(sessions) is holds
    with sessions() as session:
        said = [one.reply["text"] for one in outbox.after(session, talk.id)]
        assert session.query(InboxMessage).filter(InboxMessage.handled_at.is_(None)).count() == 0
    assert said[1:] == ([] if holds else ["an answer"])


@pytest.mark.parametrize("has_model", [True, False])
def test_a_cry_from_before_a_stop_gets_its_number_whenever_it_comes(
    talk: Talk, sessions: sessionmaker[Session], frozen: FrozenPath, service: Service, has_model: bool
) -> None:
    worker = Worker(service.writer, lambda: frozen, clock=lambda: NOW)
    if has_model:
        worker.use(Scripted(Reply(language="en", text="call 113", topic="urgent.suicide", is_urgent=True)))
    later(talk, sessions, 1, "stop", written=10, arrived=20)
    worker.take_turns()
    later(talk, sessions, 2, CRY, written=5, arrived=30)
    worker.take_turns()
    assert stopped(sessions)
    with sessions() as session:
        assert "113" in str(outbox.after(session, talk.id)[-1].reply)


@pytest.mark.parametrize(("written", "holds"), [(9, True), (11, False)])
def test_a_stop_that_comes_late_holds_where_nothing_was_written_after_it(
    talk: Talk, sessions: sessionmaker[Session], written: int, holds: bool
) -> None:
    later(talk, sessions, 1, "and my holiday pay?", written=written, arrived=12)
    stop = later(talk, sessions, 2, "stop", written=10, arrived=20)
    with sessions.begin() as session:
        assert outbox.stop(session, stop, talk.id) is holds
    assert stopped(sessions) is holds


@pytest.mark.parametrize(("first", "holds"), [("press", True), ("stop", False)])
def test_a_button_was_pressed_before_a_stop_where_it_was_brought_before_it(
    talk: Talk, sessions: sessionmaker[Session], first: str, holds: bool
) -> None:
    pressed = Incoming("pressed", Kind.BUTTON, "/menu")
    with sessions.begin() as session:
        if first == "press":
            inbox.accept(session, talk.id, pressed, now=NOW + timedelta(seconds=20))
    stop = later(talk, sessions, 2, "stop", written=10, arrived=20)
    with sessions.begin() as session:
        if first == "stop":
            inbox.accept(session, talk.id, pressed, now=NOW + timedelta(seconds=20))
        assert outbox.stop(session, stop, talk.id) is holds
    assert stopped(sessions) is holds


def test_nobody_is_told_to_wait_for_what_they_wrote_before_a_stop(
    talk: Talk, sessions: sessionmaker[Session], frozen: FrozenPath, service: Service
) -> None:
    worker = Worker(service.writer, lambda: frozen, clock=lambda: NOW)
    later(talk, sessions, 1, "stop", written=10, arrived=20)
    worker.take_turns()
    later(talk, sessions, 2, "where is my payslip", written=5, arrived=30)
    worker.take_turns()
    with sessions() as session:
        assert len(outbox.after(session, talk.id)) == 1


def test_every_language_has_its_words_and_is_answered_in_them(frozen: FrozenPath, content: Content) -> None:
    for code in content.known_languages:
        entry = content.phrases.get(code) or content.emergency[code]
        for words in entry.stop:
            receipt = frozen.stopped(f" {words.upper()} !", language=code, hint=None)
            assert receipt is not None
            assert receipt.language == code
            assert frozen.judge(words) is None  # no cry, or its number would come first


@pytest.mark.parametrize(
    ("text", "language", "hint", "said"),
    [
        ("stop", None, None, "en"),
        ("stop", None, "pl", "pl"),
        ("stop", "uk", "pl", "uk"),
        ("przestań", "en", None, "pl"),
        ("/stop", "nl", None, "nl"),
        ("قف", None, None, "ar"),
    ],
)
def test_the_receipt_is_in_the_language_of_the_word_and_the_conversation(
    frozen: FrozenPath, text: str, language: str | None, hint: str | None, said: str
) -> None:
    receipt = frozen.stopped(text, language=language, hint=hint)
    assert receipt is not None
    assert receipt.language == said


@pytest.mark.parametrize(
    "text", ["", "!", "my boss must stop", "stop paying rent?", "can I stop my contract", "para mi"]
)
def test_a_word_within_a_sentence_is_no_stop(frozen: FrozenPath, text: str) -> None:
    assert frozen.stopped(text, language=None, hint=None) is None
