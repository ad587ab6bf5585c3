"""Cases: one owner, a silent bot while somebody has it, back to the bot by itself, and an audit log that shows what is missing."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from actions.reply import Effect, Reply
from bot import audit, cases, inbox, outbox, people, staff
from bot.assistant_port import AssistantPort, Outcome
from bot.cases import CaseStateError, State
from bot.conversations import Worker
from bot.desk import Desk
from bot.frozen import FrozenPath
from bot.inbox import Incoming, Kind, Turn
from bot.models import AuditEntry, Case, Conversation
from bot.service import Service
from bot.staff import Role
from bot.web import app as web_app
from knowledge.files import Content
from tests.conftest import NOW, rows

SUICIDE, ABUSE = "urgent.suicide", "urgent.abuse"


class Echo(AssistantPort):
    """An assistant that repeats what was said; its slots and effects a test may set."""

    def __init__(self, *, topic: str | None = None, slots: dict[str, Any] | None = None, deletes: bool = False) -> None:
        self._topic, self._slots, self._deletes = topic, slots or {}, deletes

    async def respond(self, turn: Turn) -> Outcome:
        reply = Reply(
            language="en",
            text="{date} {messages} {receipt}" if self._deletes else f"heard {turn.body}",
            topic=self._topic,
            is_urgent=self._topic is not None,
            effect=Effect.DELETE_DATA if self._deletes else None,
        )
        return Outcome((reply,), {"language": "en", **self._slots})


@pytest.fixture
def desk(content: Content) -> Desk:
    return Desk(lambda: content)


@pytest.fixture
def conversation(sessions: sessionmaker[Session]) -> str:
    with sessions.begin() as session:
        found = inbox.conversation_of(session, "web", inbox.address_hash("web", "a", key=b"key"), now=NOW).id
    write(sessions, found, "the first", 0)
    return found


@pytest.fixture
def case(sessions: sessionmaker[Session], conversation: str) -> int:
    with sessions.begin() as session:
        opened = cases.open_case(session, conversation, ABUSE, language="en", now=NOW)
    assert opened is not None
    return opened


def write(sessions: sessionmaker[Session], conversation: str, said: str, number: int = 1, *, after: int = 0) -> None:
    with sessions.begin() as session:
        message = Incoming(f"message-{number}", Kind.TEXT, said)
        assert inbox.accept(session, conversation, message, now=NOW + timedelta(minutes=after)) is not None


def said(sessions: sessionmaker[Session], conversation: str) -> list[str]:
    with sessions() as session:
        return [delivery.reply["text"] for delivery in outbox.after(session, conversation)]


def take_turns(service: Service, content: Content, assistant: Any) -> None:
    frozen = FrozenPath(content)
    worker = Worker(service.writer, lambda: frozen, clock=lambda: NOW)
    if assistant is not None:
        worker.use(assistant)
    while worker.take_turns():
        pass


def staff_member(service: Service, name: str) -> str:
    with service.sessions.begin() as session:
        added = staff.add(session, name, f"{name}@example.org", Role.HELPER, "en", book=service.addresses, now=NOW)
        staff.begin(session, added.staff_id, "a hash", step=0, now=NOW)
    return added.staff_id


def state_of(sessions: sessionmaker[Session], case: int) -> tuple[str, str | None]:
    with sessions() as session:
        found = session.get_one(Case, case)
        return found.state, found.owner


def test_one_conversation_has_one_open_case_which_grows_as_urgent_as_the_worst(
    sessions: sessionmaker[Session], conversation: str, case: int
) -> None:
    with sessions.begin() as session:
        assert cases.open_case(session, conversation, SUICIDE, language="en", now=NOW) is None
        assert cases.open_case(session, conversation, "urgent.homeless_tonight", language="en", now=NOW) is None
    with sessions() as session:
        assert session.get_one(Case, case).kind == SUICIDE


def test_of_two_who_claim_at_the_same_instant_one_gets_it(
    service: Service, sessions: sessionmaker[Session], desk: Desk, case: int
) -> None:
    barrier = threading.Barrier(8)

    def claim(number: int) -> bool:
        barrier.wait()
        try:
            with sessions.begin() as session:
                desk.claim(session, case, f"staff {number}", now=NOW)
        except CaseStateError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(claim, range(8)))
    assert sum(won) == 1
    assert state_of(sessions, case) == (State.CLAIMED, f"staff {won.index(True)}")


def test_the_database_takes_no_claimed_case_without_an_owner(sessions: sessionmaker[Session], case: int) -> None:
    with sessions() as session, pytest.raises(IntegrityError):
        session.execute(text("UPDATE staff_case SET state = 'claimed'"))


def test_what_is_not_ones_own_cannot_be_written_to(sessions: sessionmaker[Session], desk: Desk, case: int) -> None:
    with sessions.begin() as session:
        desk.claim(session, case, "ann", now=NOW)
    deeds = [
        lambda session: desk.say(session, case, "bob", "hello", now=NOW),
        lambda session: desk.note(session, case, "bob", "hello", now=NOW),
        lambda session: desk.send_answer(session, case, "bob", Reply(language="en", text="x"), now=NOW),
        lambda session: desk.hand_back(session, case, "bob", now=NOW),
        lambda session: desk.close(session, case, "bob", cases.Outcome.HELPED, now=NOW),
        lambda session: desk.reopen(session, case, "bob", now=NOW),
    ]
    for deed in deeds:
        with sessions() as session, pytest.raises(CaseStateError):
            deed(session)
    assert state_of(sessions, case) == (State.CLAIMED, "ann")


def test_while_a_person_has_the_conversation_the_bot_is_silent_and_says_when_that_begins_and_ends(
    service: Service, sessions: sessionmaker[Session], desk: Desk, content: Content, conversation: str, case: int
) -> None:
    take_turns(service, content, Echo())
    with sessions.begin() as session:
        desk.claim(session, case, "ann", now=NOW)
    write(sessions, conversation, "are you there?")
    take_turns(service, content, Echo(slots={"topic": "x"}))
    with sessions.begin() as session:
        desk.say(session, case, "ann", "I am.", now=NOW)
    phrases = content.phrases["en"].phrases
    assert said(sessions, conversation) == ["heard the first", phrases["staff.here.unread"], "I am."]
    with sessions() as session:
        assert outbox.after(session, conversation)[-1].reply["author"] == "staff"
        assert session.get_one(Conversation, conversation).slots == {"language": "en"}
    with sessions.begin() as session:
        desk.close(session, case, "ann", cases.Outcome.HELPED, now=NOW)
    write(sessions, conversation, "thanks", 2)
    take_turns(service, content, Echo())
    assert said(sessions, conversation)[-2:] == [phrases["staff.done"], "heard thanks"]


def test_who_was_helped_at_arrival_is_spoken_to_in_the_language_of_the_cry(
    sessions: sessionmaker[Session], desk: Desk, content: Content, conversation: str
) -> None:
    with sessions.begin() as session:
        opened = cases.open_case(session, conversation, ABUSE, language="pl", now=NOW)
        assert opened is not None
        desk.claim(session, opened, "ann", now=NOW)
    assert said(sessions, conversation) == [content.phrases["pl"].phrases["staff.here.unread"]]


def test_without_a_model_nobody_is_told_to_wait_who_has_a_person(
    service: Service, sessions: sessionmaker[Session], desk: Desk, content: Content, conversation: str, case: int
) -> None:
    with sessions.begin() as session:
        desk.claim(session, case, "ann", now=NOW)
    write(sessions, conversation, "are you there?")
    take_turns(service, content, None)
    assert said(sessions, conversation) == [content.phrases["en"].phrases["staff.here.unread"]]


@pytest.mark.parametrize(("colleague", "key"), [("bob", "staff.silent"), (None, "staff.gone")])
def test_after_ten_minutes_of_silence_the_bot_answers_what_nobody_answered_and_both_are_told(
    service: Service,
    sessions: sessionmaker[Session],
    desk: Desk,
    content: Content,
    conversation: str,
    case: int,
    colleague: str | None,
    key: str,
) -> None:
    if colleague is not None:
        staff_member(service, colleague)
    take_turns(service, content, Echo())
    with sessions.begin() as session:
        desk.claim(session, case, "ann", now=NOW)
    write(sessions, conversation, "answered", 1, after=1)
    with sessions.begin() as session:
        desk.say(session, case, "ann", "yes", now=NOW + timedelta(minutes=2))
    write(sessions, conversation, "are you there?", 2, after=3)
    take_turns(service, content, Echo())
    with sessions.begin() as session:
        assert desk.take_back_silent(session, now=NOW + timedelta(minutes=11)) == []
    with sessions.begin() as session:
        assert desk.take_back_silent(session, now=NOW + timedelta(minutes=12)) == [conversation]
    assert state_of(sessions, case) == (State.WAITING, None)
    take_turns(service, content, Echo())
    told = content.phrases["en"].phrases[key].format(phone="112")
    assert said(sessions, conversation)[-2:] == [told, "heard are you there?"]
    with sessions() as session:
        last = session.query(AuditEntry).order_by(AuditEntry.id.desc()).first()
        assert (last.action, last.actor, last.details) == ("case_taken_back", audit.SYSTEM, {"owner": "ann"})


def test_what_a_silent_colleague_was_handed_is_answered_by_the_bot_too(
    service: Service, sessions: sessionmaker[Session], desk: Desk, content: Content, conversation: str, case: int
) -> None:
    take_turns(service, content, Echo())
    bob = staff_member(service, "bob")
    with sessions.begin() as session:
        desk.claim(session, case, "ann", now=NOW)
    write(sessions, conversation, "are you there?", 1, after=1)
    take_turns(service, content, Echo())
    with sessions.begin() as session:
        desk.hand_over(session, case, "ann", bob, now=NOW + timedelta(minutes=2))
        desk.take_back_silent(session, now=NOW + timedelta(minutes=12))
    take_turns(service, content, Echo())
    assert said(sessions, conversation)[-1] == "heard are you there?"


def test_an_urgent_reply_opens_a_case_also_while_somebody_has_the_conversation(
    service: Service, sessions: sessionmaker[Session], desk: Desk, content: Content, conversation: str
) -> None:
    take_turns(service, content, Echo(topic=ABUSE))
    with sessions.begin() as session:
        (found,) = session.query(Case).all()
        desk.claim(session, found.id, "ann", now=NOW)
    write(sessions, conversation, "it is worse now")
    take_turns(service, content, Echo(topic=SUICIDE))
    with sessions() as session:
        assert session.get_one(Case, found.id).kind == SUICIDE


def test_another_emergency_gets_its_numbers_also_while_somebody_has_the_conversation(
    service: Service, sessions: sessionmaker[Session], desk: Desk, content: Content, conversation: str, case: int
) -> None:
    take_turns(service, content, Echo())
    with sessions.begin() as session:
        desk.claim(session, case, "ann", now=NOW)
    write(sessions, conversation, "the same again", 1)
    take_turns(service, content, Echo(topic=ABUSE))
    assert "heard the same again" not in said(sessions, conversation)
    write(sessions, conversation, "another one", 2)
    take_turns(service, content, Echo(topic=SUICIDE))
    assert said(sessions, conversation)[-1] == "heard another one"


def test_deleting_works_while_somebody_has_the_conversation_and_takes_notes_and_case_with_it(
    service: Service,
    sessions: sessionmaker[Session],
    desk: Desk,
    content: Content,
    conversation: str,
    case: int,
    engine: Engine,
) -> None:
    take_turns(service, content, Echo())
    with sessions.begin() as session:
        desk.claim(session, case, "ann", now=NOW)
        desk.note(session, case, "ann", "her name is in here", now=NOW)
    write(sessions, conversation, "delete my data")
    take_turns(service, content, Echo(slots={"asked": "delete"}))
    write(sessions, conversation, "yes", 2)
    take_turns(service, content, Echo(deletes=True))
    assert said(sessions, conversation)[0].startswith("23 November 2026")
    assert rows(engine, "staff_note") == 0
    with sessions() as session:
        found = session.get_one(Case, case)
        assert (found.state, found.outcome, found.conversation_id) == (State.CLOSED, "deleted", None)
        assert audit.verify(session).is_whole


def test_closed_cases_go_by_themselves_and_open_ones_keep_their_conversation(
    sessions: sessionmaker[Session], desk: Desk, conversation: str, case: int, engine: Engine
) -> None:
    later = NOW + timedelta(days=200)
    with sessions.begin() as session:
        session.execute(text("UPDATE inbox SET handled_at = received_at"))
        people.delete_expired(session, days=30, now=later)
        assert cases.delete_expired(session, days=90, now=later) == 0
    assert rows(engine, "conversation") == 1
    with sessions.begin() as session:
        cases.claim(session, case, "ann", now=NOW)
        cases.close(session, case, "ann", cases.Outcome.HELPED, now=NOW)
        cases.write_note(session, case, "ann", "a note", now=NOW)
    with sessions.begin() as session:
        assert cases.delete_expired(session, days=90, now=NOW + timedelta(days=91)) == 1
    assert (rows(engine, "staff_case"), rows(engine, "staff_note")) == (0, 0)


def test_a_case_whose_messages_are_gone_can_be_taken_taken_back_and_closed(
    sessions: sessionmaker[Session], desk: Desk, conversation: str, case: int
) -> None:
    later = NOW + timedelta(days=31)
    with sessions.begin() as session:
        session.execute(text("UPDATE inbox SET handled_at = received_at"))
        assert people.delete_expired(session, days=30, now=later) == 1
        desk.claim(session, case, "ann", now=later)
        assert desk.take_back_silent(session, now=later + timedelta(minutes=10)) == [conversation]
        desk.claim(session, case, "ann", now=later)
        desk.close(session, case, "ann", cases.Outcome.NO_ANSWER, now=later)
    assert state_of(sessions, case) == (State.CLOSED, None)


async def test_a_failure_does_not_end_the_look_for_silent_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(AssistantPort):
        def __init__(self) -> None:
            self.looks = 0

        async def run(self, _job: Any) -> list[str]:
            self.looks += 1
            raise LookupError if self.looks == 1 else asyncio.CancelledError

    monkeypatch.setattr(web_app, "SILENCE_CHECK_SECONDS", 0.001)
    writer = Failing()
    app: Any = SimpleNamespace(state=SimpleNamespace(service=SimpleNamespace(writer=writer)))
    with pytest.raises(asyncio.CancelledError):
        await web_app._take_back_silent(app)
    assert writer.looks == 2


def test_a_closed_case_can_be_reopened_unless_there_is_a_newer_one(
    sessions: sessionmaker[Session], desk: Desk, conversation: str, case: int
) -> None:
    with sessions.begin() as session:
        desk.claim(session, case, "ann", now=NOW)
        desk.close(session, case, "ann", cases.Outcome.HELPED, now=NOW)
        desk.reopen(session, case, "bob", now=NOW)
    assert state_of(sessions, case) == (State.WAITING, None)
    with sessions.begin() as session:
        desk.claim(session, case, "ann", now=NOW)
        desk.close(session, case, "ann", cases.Outcome.HELPED, now=NOW)
        cases.open_case(session, conversation, ABUSE, language=None, now=NOW)
    with sessions() as session, pytest.raises(CaseStateError):
        desk.reopen(session, case, "bob", now=NOW)


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM audit WHERE id = 1",
        "DELETE FROM audit WHERE id = 2",
        "DELETE FROM audit WHERE id = 3",
        "DELETE FROM audit",
        "UPDATE audit SET actor = 'bob' WHERE id = 2",
        "UPDATE audit SET details = '{\"x\": 1}' WHERE id = 3",
    ],
)
def test_an_audit_log_that_lacks_or_changed_an_entry_shows_it(
    sessions: sessionmaker[Session], desk: Desk, case: int, damage: str
) -> None:
    with sessions.begin() as session:
        desk.claim(session, case, "ann", now=NOW)
        desk.say(session, case, "ann", "words that stand in no log", now=NOW)
        desk.hand_back(session, case, "ann", now=NOW)
    with sessions() as session:
        found = audit.verify(session)
        assert (found.is_whole, found.entries, found.last_good) == (True, 3, 3)
        assert "words" not in str([entry.details for entry in session.query(AuditEntry)])
    with sessions.begin() as session:
        session.execute(text(damage))
    with sessions() as session:
        assert not audit.verify(session).is_whole


DEEDS = st.tuples(
    st.sampled_from(["claim", "say", "hand_back", "close", "reopen", "silence"]), st.sampled_from(["ann", "bob"])
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(DEEDS, max_size=8))
def test_whatever_is_done_the_state_follows_the_rules(
    sessions: sessionmaker[Session], desk: Desk, case: int, deeds: list[tuple[str, str]]
) -> None:
    state, owner = State.WAITING, None
    with sessions.begin() as session:
        session.execute(text("UPDATE staff_case SET state = 'waiting', owner = NULL"))
    for deed, who in deeds:
        allowed = {
            "claim": state is State.WAITING,
            "reopen": state is State.CLOSED,
            "silence": True,
        }.get(deed, state is State.CLAIMED and owner == who)
        try:
            with sessions.begin() as session:
                if deed == "silence":
                    desk.take_back_silent(session, now=NOW + timedelta(hours=1))
                elif deed == "say":
                    desk.say(session, case, who, "x", now=NOW)
                elif deed == "close":
                    desk.close(session, case, who, cases.Outcome.HELPED, now=NOW)
                else:
                    getattr(desk, deed)(session, case, who, now=NOW)
        except CaseStateError:
            assert not allowed
            continue
        assert allowed
        if deed == "claim":
            state, owner = State.CLAIMED, who
        elif deed == "close":
            state, owner = State.CLOSED, None
        elif deed in ("hand_back", "reopen") or (deed == "silence" and state is State.CLAIMED):
            state, owner = State.WAITING, None
        assert state_of(sessions, case) == (state, owner)
