"""The durable way of a message: once, in order, never lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from actions.reply import Effect, Reply
from bot import inbox, outbox, people
from bot.assistant_port import Outcome
from bot.conversations import Worker
from bot.frozen import FrozenPath
from bot.inbox import Incoming, Kind, Turn
from bot.models import Conversation, Deletion, InboxMessage, OutboxMessage
from knowledge.files import Content
from tests.conftest import NOW, rows


class Echo:
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


def write(sessions: sessionmaker[Session], conversation: str, text: str, number: int = 1) -> int | None:
    with sessions.begin() as session:
        found = session.get_one(Conversation, conversation)
        return inbox.accept(session, found, Incoming(f"message-{number}", Kind.TEXT, text), now=NOW)


def replies(sessions: sessionmaker[Session], conversation: str) -> list[str]:
    with sessions() as session:
        return [delivery.reply.text for delivery in outbox.undelivered(session, conversation)]


def worker(sessions: sessionmaker[Session], frozen: FrozenPath, assistant: Any) -> Worker:
    made = Worker(sessions, frozen, clock=lambda: NOW)
    made.assistant = assistant
    return made


def take_turns(made: Worker) -> None:
    async def all_of_them() -> None:
        while await made.take_turn():
            pass

    asyncio.run(all_of_them())


def test_a_message_sent_twice_is_answered_once(sessions: sessionmaker[Session], frozen: FrozenPath) -> None:
    conversation = begin(sessions)
    assert write(sessions, conversation, "hello") is not None
    assert write(sessions, conversation, "hello") is None
    take_turns(worker(sessions, frozen, Echo()))
    assert replies(sessions, conversation) == ["heard hello"]


def test_answers_come_in_order_and_slots_are_kept(sessions: sessionmaker[Session], frozen: FrozenPath) -> None:
    conversation = begin(sessions)
    for number in range(5):
        write(sessions, conversation, f"m{number}", number)
    take_turns(worker(sessions, frozen, Echo()))
    assert replies(sessions, conversation) == [f"heard m{number}" for number in range(5)]
    with sessions() as session:
        assert session.get_one(Conversation, conversation).slots == {"language": "en", "turns": 5}


def test_one_conversation_is_with_one_worker_and_others_go_on(sessions: sessionmaker[Session]) -> None:
    first, second = begin(sessions, "a"), begin(sessions, "b")
    write(sessions, first, "one")
    write(sessions, first, "two", 2)
    write(sessions, second, "three")
    with sessions.begin() as session:
        claimed = inbox.claim_next(session, "w1", now=NOW)
        other = inbox.claim_next(session, "w2", now=NOW)
        third = inbox.claim_next(session, "w3", now=NOW)
    assert claimed is not None
    assert other is not None
    assert {claimed.conversation_id, other.conversation_id} == {first, second}
    assert third is None


def test_what_a_killed_worker_held_is_free_again_after_a_while(sessions: sessionmaker[Session]) -> None:
    conversation = begin(sessions)
    write(sessions, conversation, "one")
    with sessions.begin() as session:
        assert inbox.claim_next(session, "killed", now=NOW)
    with sessions.begin() as session:
        assert inbox.claim_next(session, "w2", now=NOW) is None
    with sessions.begin() as session:
        again = inbox.claim_next(session, "w2", now=NOW + inbox.CLAIM + timedelta(seconds=1))
    assert again is not None
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
    sessions: sessionmaker[Session], frozen: FrozenPath, content: Content
) -> None:
    conversation = begin(sessions)
    write(sessions, conversation, "how high is the wage")
    take_turns(worker(sessions, frozen, Echo(fail=True)))
    assert replies(sessions, conversation) == [content.phrases["en"].phrases["error.failed"]]
    write(sessions, conversation, "next", 2)
    take_turns(worker(sessions, frozen, Echo()))
    assert replies(sessions, conversation)[-1] == "heard next"


def test_a_failing_assistant_does_not_keep_help_from_somebody_in_danger(
    sessions: sessionmaker[Session], frozen: FrozenPath
) -> None:
    conversation = begin(sessions)
    write(sessions, conversation, "I want to kill myself")
    take_turns(worker(sessions, frozen, Echo(fail=True)))
    with sessions() as session:
        assert outbox.undelivered(session, conversation)[0].reply.topic == "urgent.suicide"


def test_without_a_model_the_urgent_are_helped_and_the_others_wait(
    sessions: sessionmaker[Session], frozen: FrozenPath, content: Content
) -> None:
    urgent, patient = begin(sessions, "a"), begin(sessions, "b")
    write(sessions, urgent, "mijn baas heeft mijn paspoort afgepakt")
    write(sessions, patient, "how high is the wage")
    waiting = worker(sessions, frozen, None)
    asyncio.run(waiting.take_turn())
    asyncio.run(waiting.take_turn())
    asyncio.run(waiting.take_turn())
    with sessions() as session:
        helped = outbox.undelivered(session, urgent)[0].reply
    assert (helped.topic, helped.language) == ("urgent.exploitation", "nl")
    assert replies(sessions, patient) == [content.phrases["en"].phrases["error.one_moment"]]
    waiting.assistant = Echo()
    take_turns(waiting)
    assert replies(sessions, patient)[-1] == "heard how high is the wage"


def test_deleting_leaves_nothing_but_a_receipt(sessions: sessionmaker[Session], frozen: FrozenPath) -> None:
    conversation = begin(sessions)
    write(sessions, conversation, "my name is in here")
    take_turns(worker(sessions, frozen, Echo()))
    write(sessions, conversation, "delete", 2)
    take_turns(worker(sessions, frozen, Echo(effect=Effect.DELETE_DATA)))
    assert replies(sessions, conversation)[0].startswith("23 November 2026 2 ")
    with sessions() as session:
        assert [message.body for message in session.query(InboxMessage)] == [""]
        assert session.query(Deletion).one().messages == 2


def test_old_messages_go_by_themselves_and_waiting_ones_stay(
    sessions: sessionmaker[Session], frozen: FrozenPath, engine: Engine
) -> None:
    answered, waiting = begin(sessions, "a"), begin(sessions, "b")
    write(sessions, answered, "old")
    take_turns(worker(sessions, frozen, Echo()))
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
