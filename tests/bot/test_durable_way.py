"""The durable way of a message: once, in order, never lost."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from actions.reply import Effect, Reply
from bot import inbox, outbox, people
from bot.assistant_port import AssistantPort, Outcome
from bot.conversations import MAX_ATTEMPTS, Worker
from bot.frozen import FrozenPath
from bot.inbox import Incoming, Kind, Turn
from bot.models import Conversation, Deletion, InboxMessage, OutboxMessage
from bot.service import Service
from knowledge.database import empty_the_log
from knowledge.files import Content
from tests.conftest import NOW, rows


class Echo(AssistantPort):
    """An assistant that repeats what was said, and can be made to fail."""

    def __init__(self, *, fail: bool = False, effect: Effect | None = None) -> None:
        self.heard: list[str] = []
        self._fail = fail
        self._effect = effect

    async def respond(self, turn: Turn) -> Outcome:
        self.heard.append(turn.body)
        if self._fail:
            raise RuntimeError(turn.body)
        text = "{date} {messages} {receipt}" if self._effect else f"heard {turn.body}"
        said = turn.slots.get("turns", 0) + 1
        return Outcome((Reply(language="en", text=text, effect=self._effect),), {"language": "en", "turns": said})


@pytest.fixture
def frozen(content: Content) -> FrozenPath:
    return FrozenPath(content)


def begin(sessions: sessionmaker[Session], address: str = "a") -> str:
    with sessions.begin() as session:
        hashed = inbox.address_hash("web", address, key=b"key")
        return inbox.conversation_of(session, "web", hashed, now=NOW).id


def write(sessions: sessionmaker[Session], conversation: str, text: str, number: int = 1, **more: Any) -> int | None:
    with sessions.begin() as session:
        return inbox.accept(session, conversation, Incoming(f"message-{number}", Kind.TEXT, text), now=NOW, **more)


def replies(sessions: sessionmaker[Session], conversation: str) -> list[str]:
    with sessions() as session:
        return [delivery.reply["text"] for delivery in outbox.after(session, conversation)]


def worker(service: Service, frozen: FrozenPath, assistant: Any) -> Worker:
    made = Worker(service.writer, lambda: frozen, clock=lambda: NOW)
    if assistant is not None:
        made.use(assistant)
    return made


def take_turns(made: Worker) -> None:
    while made.take_turns():
        pass


def test_a_message_sent_twice_is_answered_once(
    service: Service, sessions: sessionmaker[Session], frozen: FrozenPath
) -> None:
    conversation = begin(sessions)
    assert write(sessions, conversation, "hello") is not None
    assert write(sessions, conversation, "hello") is None
    take_turns(worker(service, frozen, Echo()))
    assert replies(sessions, conversation) == ["heard hello"]


def test_answers_come_in_order_and_slots_are_kept(
    service: Service, sessions: sessionmaker[Session], frozen: FrozenPath
) -> None:
    conversation = begin(sessions)
    for number in range(5):
        write(sessions, conversation, f"m{number}", number)
    take_turns(worker(service, frozen, Echo()))
    assert replies(sessions, conversation) == [f"heard m{number}" for number in range(5)]
    with sessions() as session:
        assert session.get_one(Conversation, conversation).slots == {"language": "en", "turns": 5}


def test_who_leaves_while_they_are_answered_holds_nobody_up(
    service: Service, sessions: sessionmaker[Session], frozen: FrozenPath
) -> None:
    leaving, staying = begin(sessions, "a"), begin(sessions, "b")

    class Interrupted(Echo):
        async def respond(self, turn: Turn) -> Outcome:
            if turn.conversation_id == leaving:
                service.writer.call(lambda session: people.forget(session, leaving, now=NOW))
            return await super().respond(turn)

    for number, conversation in enumerate((leaving, staying)):
        write(sessions, conversation, "hello", number)
    told: list[str] = []
    made = Worker(service.writer, lambda: frozen, clock=lambda: NOW, on_reply=told.append)
    made.use(Interrupted())
    assert made.take_turns() == 2
    assert told == [staying]
    assert service.writer.is_healthy


def test_one_conversation_is_with_one_worker_and_others_go_on(sessions: sessionmaker[Session]) -> None:
    first, second = begin(sessions, "a"), begin(sessions, "b")
    write(sessions, first, "one")
    write(sessions, first, "two", 2)
    write(sessions, second, "three")
    with sessions.begin() as session:
        (claimed,) = inbox.claim(session, "w1", now=NOW)
        (other,) = inbox.claim(session, "w2", now=NOW)
        third = inbox.claim(session, "w3", now=NOW)
    assert {claimed.conversation_id, other.conversation_id} == {first, second}
    assert third == []


def test_what_a_killed_worker_held_is_free_again_after_a_while(sessions: sessionmaker[Session]) -> None:
    conversation = begin(sessions)
    write(sessions, conversation, "one")
    with sessions.begin() as session:
        assert inbox.claim(session, "killed", now=NOW)
    with sessions.begin() as session:
        assert inbox.claim(session, "w2", now=NOW) == []
    with sessions.begin() as session:
        (again,) = inbox.claim(session, "w2", now=NOW + inbox.CLAIM + timedelta(seconds=1))
    assert again.attempts == 2


def test_two_workers_never_answer_one_message_twice(sessions: sessionmaker[Session], engine: Engine) -> None:
    conversation = begin(sessions)
    inbox_id = write(sessions, conversation, "one")
    assert inbox_id is not None
    reply = Reply(language="en", text="x")
    with sessions.begin() as session:
        outbox.store_answer(session, inbox_id, [reply], slots={}, language="en", now=NOW)
    with sessions() as session, pytest.raises(outbox.AlreadyHandledError):
        outbox.store_answer(session, inbox_id, [reply], slots={}, language="en", now=NOW)
    assert rows(engine, "outbox") == 1


def test_a_failing_assistant_gives_an_honest_word_and_the_next_message_goes_on(
    service: Service, sessions: sessionmaker[Session], frozen: FrozenPath, content: Content
) -> None:
    conversation = begin(sessions)
    write(sessions, conversation, "how high is the wage")
    take_turns(worker(service, frozen, Echo(fail=True)))
    assert replies(sessions, conversation) == [content.phrases["en"].phrases["error.failed"]]
    write(sessions, conversation, "next", 2)
    take_turns(worker(service, frozen, Echo()))
    assert replies(sessions, conversation)[-1] == "heard next"


def test_a_failing_assistant_does_not_keep_help_from_somebody_in_danger(
    service: Service, sessions: sessionmaker[Session], frozen: FrozenPath
) -> None:
    conversation = begin(sessions)
    write(sessions, conversation, "I want to kill myself")
    take_turns(worker(service, frozen, Echo(fail=True)))
    with sessions() as session:
        assert outbox.after(session, conversation)[0].reply["topic"] == "urgent.suicide"


def test_without_a_model_the_urgent_are_helped_and_the_others_wait(
    service: Service, sessions: sessionmaker[Session], frozen: FrozenPath, content: Content
) -> None:
    urgent, patient = begin(sessions, "a"), begin(sessions, "b")
    write(sessions, urgent, "mijn baas heeft mijn paspoort afgepakt")
    write(sessions, patient, "how high is the wage")
    waiting = worker(service, frozen, None)
    take_turns(waiting)
    with sessions() as session:
        helped = outbox.after(session, urgent)[0].reply
    assert (helped["topic"], helped["language"]) == ("urgent.exploitation", "nl")
    assert replies(sessions, patient) == [content.phrases["en"].phrases["error.one_moment"]]
    waiting.use(Echo())
    take_turns(waiting)
    assert replies(sessions, patient)[-1] == "heard how high is the wage"


def test_deleting_leaves_nothing_but_a_receipt(
    service: Service, sessions: sessionmaker[Session], frozen: FrozenPath
) -> None:
    conversation = begin(sessions)
    write(sessions, conversation, "my name is in here")
    take_turns(worker(service, frozen, Echo()))
    write(sessions, conversation, "delete", 2)
    take_turns(worker(service, frozen, Echo(effect=Effect.DELETE_DATA)))
    assert replies(sessions, conversation)[0].startswith("23 November 2026 2 ")
    with sessions() as session:
        assert [message.body for message in session.query(InboxMessage)] == [""]
        assert session.query(Deletion).one().messages == 2


def test_old_messages_go_by_themselves_and_waiting_ones_stay(
    service: Service, sessions: sessionmaker[Session], frozen: FrozenPath, engine: Engine
) -> None:
    answered, waiting = begin(sessions, "a"), begin(sessions, "b")
    write(sessions, answered, "old")
    take_turns(worker(service, frozen, Echo()))
    write(sessions, waiting, "never answered")
    with sessions.begin() as session:
        assert people.delete_expired(session, days=30, now=NOW + timedelta(days=31)) == 1
    assert (rows(engine, "inbox"), rows(engine, "outbox"), rows(engine, "conversation")) == (1, 0, 1)


def test_the_database_knows_no_address(sessions: sessionmaker[Session]) -> None:
    begin(sessions, "+31612345678")
    with sessions() as session:
        stored = session.query(Conversation).one()
    assert "31612345678" not in f"{stored.id}{stored.address_hash}"
    assert len(stored.address_hash) == 64
    assert session.query(OutboxMessage).count() == 0


def test_an_urgent_message_is_taken_before_ordinary_ones_of_everybody(
    service: Service, sessions: sessionmaker[Session], frozen: FrozenPath
) -> None:
    for number in range(40):
        write(sessions, begin(sessions, f"patient {number}"), "how high is the wage")
    write(sessions, begin(sessions, "urgent"), "they threaten me", is_urgent=True)
    echo = Echo()
    worker(service, frozen, echo).take_turns()
    assert echo.heard[0] == "they threaten me"


def test_without_a_model_every_waiting_message_is_looked_at_and_nobody_is_told_to_wait_twice(
    service: Service, sessions: sessionmaker[Session], frozen: FrozenPath
) -> None:
    for number in range(60):
        write(sessions, begin(sessions, f"patient {number}"), "how high is the wage")
    first = begin(sessions, "patient 0")
    write(sessions, first, "and the holidays?", 2)
    urgent = begin(sessions, "urgent")
    write(sessions, urgent, "I want to kill myself")
    take_turns(worker(service, frozen, None))
    with sessions() as session:
        assert outbox.after(session, urgent)[0].reply["topic"] == "urgent.suicide"
    assert len(replies(sessions, first)) == 1


class Hanging(AssistantPort):
    """An assistant that computes for ever, as a loop in a library would."""

    def __init__(self) -> None:
        self.is_released = threading.Event()

    async def respond(self, turn: Turn) -> Outcome:
        self.is_released.wait()
        return Outcome((Reply(language="en", text="late"),), {})


def test_a_turn_that_hangs_is_given_up_and_the_others_are_looked_at(
    service: Service, sessions: sessionmaker[Session], frozen: FrozenPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.conversations.TURN_SECONDS", 0.05)
    stuck, urgent = begin(sessions, "a"), begin(sessions, "b")
    write(sessions, stuck, "how high is the wage")
    hanging = Hanging()
    made = worker(service, frozen, hanging)
    made.take_turns()
    assert not made.has_assistant
    write(sessions, urgent, "I want to kill myself")
    take_turns(made)
    hanging.is_released.set()
    assert len(replies(sessions, stuck)) == 1
    with sessions() as session:
        assert outbox.after(session, urgent)[0].reply["topic"] == "urgent.suicide"


class Reading(Echo):
    """An assistant that notes what it was given to read, and reads no claim that holds a certain word."""

    def __init__(self, *, poison: str = "") -> None:
        super().__init__()
        self.read_together: list[list[str]] = []
        self.parsed: list[Any] = []
        self._poison = poison

    async def read(self, turns: Sequence[Turn]) -> list[Turn]:
        texts = [turn.body for turn in turns]
        if self._poison in texts:
            raise RuntimeError("unreadable")
        self.read_together.append(texts)
        return [replace(turn, parsed={"text": turn.body}) for turn in turns]

    async def respond(self, turn: Turn) -> Outcome:
        self.parsed.append(turn.parsed)
        return await super().respond(turn)


def test_what_several_people_wrote_is_read_together(
    service: Service, sessions: sessionmaker[Session], frozen: FrozenPath
) -> None:
    for text in ("one", "two", "three"):
        write(sessions, begin(sessions, text), text)
    reading = Reading()
    take_turns(worker(service, frozen, reading))
    assert [sorted(texts) for texts in reading.read_together] == [["one", "three", "two"]]
    assert sorted(parsed["text"] for parsed in reading.parsed) == ["one", "three", "two"]


def test_a_message_that_cannot_be_read_with_others_costs_nobody_an_answer(
    service: Service, sessions: sessionmaker[Session], frozen: FrozenPath
) -> None:
    conversations = {text: begin(sessions, text) for text in ("one", "poison", "three")}
    for text, conversation in conversations.items():
        write(sessions, conversation, text)
    take_turns(worker(service, frozen, Reading(poison="poison")))
    assert all(replies(sessions, conversation) == [f"heard {text}"] for text, conversation in conversations.items())


def test_a_message_over_which_the_assistant_fails_is_tried_three_times_and_no_more(
    service: Service, sessions: sessionmaker[Session], frozen: FrozenPath
) -> None:
    conversation = begin(sessions)
    write(sessions, conversation, "how high is the wage")
    failing = Echo(fail=True)
    take_turns(worker(service, frozen, failing))
    assert len(failing.heard) == MAX_ATTEMPTS
    assert len(replies(sessions, conversation)) == 1


def test_an_id_is_never_given_out_twice(service: Service, sessions: sessionmaker[Session], frozen: FrozenPath) -> None:
    conversation = begin(sessions)
    write(sessions, conversation, "one")
    take_turns(worker(service, frozen, Echo()))
    with sessions() as session:
        cursor = outbox.after(session, conversation)[-1].id
    write(sessions, conversation, "delete", 2)
    take_turns(worker(service, frozen, Echo(effect=Effect.DELETE_DATA)))
    write(sessions, conversation, "I am back", 3)
    take_turns(worker(service, frozen, Echo()))
    with sessions() as session:
        assert [delivery.reply["text"] for delivery in outbox.after(session, conversation, cursor)][1:] == [
            "heard I am back"
        ]


def test_deleting_takes_what_was_before_it_and_answers_what_came_after(
    service: Service, sessions: sessionmaker[Session], frozen: FrozenPath
) -> None:
    conversation = begin(sessions)
    write(sessions, conversation, "my name is in here")
    take_turns(worker(service, frozen, Echo()))
    write(sessions, conversation, "delete", 2)
    write(sessions, conversation, "still here", 3)
    worker(service, frozen, Echo(effect=Effect.DELETE_DATA)).take_turns()
    with sessions() as session:
        assert session.get_one(Conversation, conversation).slots == {}
    take_turns(worker(service, frozen, Echo()))
    assert replies(sessions, conversation)[-1] == "heard still here"


def test_nothing_of_what_was_deleted_is_left_in_any_file(
    service: Service, sessions: sessionmaker[Session], frozen: FrozenPath, tmp_path: Path
) -> None:
    conversation = begin(sessions)
    for number in range(30):
        write(sessions, conversation, f"zażółć gęślą jaźń {number} " * 20, number)
    take_turns(worker(service, frozen, Echo()))
    assert any(b"ja\xc5\xba\xc5\x84" in path.read_bytes() for path in tmp_path.iterdir())
    write(sessions, conversation, "delete", 99)
    take_turns(worker(service, frozen, Echo(effect=Effect.DELETE_DATA)))
    empty_the_log(service.engine)
    for path in tmp_path.iterdir():
        assert b"ja\xc5\xba\xc5\x84" not in path.read_bytes(), path.name
        assert path.stat().st_mode & 0o077 == 0, path.name
