"""Taking turns: a worker claims messages, lets the assistant answer each, and stores answer and state in one transaction.

The worker has a thread of its own, the assistant another: the event loop goes on serving pages whatever a message does to them.
With the model not loaded, or stuck, every waiting message is judged by the phrases: urgent ones are answered, the others are told
to wait and keep their place.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog
from sqlalchemy import bindparam, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from actions.emergency import phrases_of
from actions.reply import Effect, Reply
from bot import cases, handover, inbox, outbox, people
from bot.assistant_port import GREETED, OFFERED, AssistantPort, Outcome, offered_by
from bot.frozen import FrozenPath
from bot.inbox import Kind, Turn
from bot.models import Conversation
from bot.writer import Writer
from knowledge.database import table_of

MAX_ATTEMPTS = 3
TURN_SECONDS = 10.0  # an answer takes milliseconds; what takes longer than this hangs
DELETION = "delete"  # what `actions.data` asks whether it may do
TOGETHER = 16  # conversations to claim at once
LOOKED_AT_TOGETHER = 50
IDLE_SECONDS = 1.0  # how often to look for messages of killed workers while nothing comes in

log = structlog.get_logger()
Clock = Callable[[], datetime]
T = TypeVar("T")


def utc_now() -> datetime:
    """The moment, in UTC."""
    return datetime.now(UTC)


class Worker:
    """One worker of a process.

    Args:
        on_reply: told the conversation whenever something new is stored for it.
        on_deleted: told when somebody's data was deleted.

    """

    def __init__(
        self,
        writer: Writer,
        frozen: Callable[[], FrozenPath],
        *,
        clock: Clock = utc_now,
        on_reply: Callable[[str], None] = lambda _: None,
        on_deleted: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = secrets.token_hex(8)
        self._writer = writer
        self._frozen = frozen
        self._clock = clock
        self._on_reply = on_reply
        self._on_deleted = on_deleted
        self._assistant: _AssistantThread | None = None
        self._wake = threading.Event()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)

    @property
    def has_assistant(self) -> bool:
        """Whether there is a model that answers."""
        return self._assistant is not None and self._assistant.is_free

    def use(self, assistant: AssistantPort) -> None:
        """Answer with this assistant from now on."""
        self._assistant = _AssistantThread(assistant)
        self.wake()

    def wake(self) -> None:
        """Tell the worker, from any thread, that something came in."""
        self._wake.set()

    def start(self) -> None:
        """Answer messages until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the turns that were begun and end."""
        self._is_stopping = True
        self.wake()
        self._thread.join()

    def take_turns(self) -> int:
        """Answer some of the messages that wait; returns how many were dealt with, 0 where none could be."""
        if not self.has_assistant:
            return self._without_model()
        now = self._clock()
        turns = self._writer.call(lambda session: inbox.claim(session, self.name, now=now, limit=TOGETHER))
        stored = [(turn, self._answer(turn)) for turn in self._read(turns)]
        for turn, future in stored:
            if future is not None:
                self._announce(turn, future)
        return len(turns)

    def _read(self, turns: Sequence[Turn]) -> Sequence[Turn]:
        """Let the assistant read what came in together; what it fails over or hangs over is taken message by message."""
        if self._assistant is None or len(turns) < 2 or any(turn.attempts > 1 for turn in turns):
            return turns
        try:
            return self._assistant.read(turns, within=TURN_SECONDS)
        except TimeoutError:
            log.error("reading_hangs", messages=len(turns))
        except Exception:
            log.exception("reading_failed", messages=len(turns))
        return turns

    def _run(self) -> None:
        while not self._is_stopping:
            self._wake.clear()
            try:
                while not self._is_stopping and self.take_turns():
                    pass
            except SQLAlchemyError:
                pass  # the writer has said so; claims run out and the messages are taken again
            except Exception:
                log.exception("turn_failed_outside_message")
            self._wake.wait(IDLE_SECONDS)

    def _answer(self, turn: Turn) -> Future[bool] | None:
        """Take one turn and hand its outcome to the writer; None where it is to be tried again."""
        if _is_decision(turn):
            return self._writer.submit(lambda session: self._decide(session, turn))
        if (receipt := self._stopped(turn)) is not None:
            return self._writer.submit(lambda session: self._stop(session, turn, receipt))
        outcome = self._outcome(turn)
        if outcome is None:
            if turn.attempts < MAX_ATTEMPTS:
                self._writer.submit(lambda session: inbox.release(session, turn.conversation_id, self.name))
                return None
            outcome = self._failure(turn)
        return self._writer.submit(lambda session: self._store(session, turn, outcome))

    def _outcome(self, turn: Turn) -> Outcome | None:
        if self._assistant is None or turn.attempts > MAX_ATTEMPTS or not self._assistant.is_free:
            # The process died over it several times, or the turn before this one hangs.
            return self._failure(turn) if turn.attempts > MAX_ATTEMPTS else None
        try:
            outcome = self._assistant.respond(turn, within=TURN_SECONDS)
        except TimeoutError:
            log.error("turn_hangs", conversation=turn.conversation_id, attempt=turn.attempts)
            return self._failure(turn)
        except Exception:
            log.exception("turn_failed", conversation=turn.conversation_id, attempt=turn.attempts)
            return None
        return outcome if outcome.replies else None

    def _without_model(self) -> int:
        now = self._clock()
        turns = self._writer.call(lambda session: inbox.not_looked_at(session, now=now, limit=LOOKED_AT_TOGETHER))
        futures = [(turn, self._writer.submit(self._look_at(turn))) for turn in turns]
        for turn, future in futures:
            self._announce(turn, future)
        return len(turns)

    def _look_at(self, turn: Turn) -> Callable[[Session], bool]:
        if _is_decision(turn):
            return lambda session: self._decide(session, turn)
        if (receipt := self._stopped(turn)) is not None:
            return lambda session: self._stop(session, turn, receipt)
        now, text = self._clock(), _text_of(turn)
        frozen = self._frozen()
        urgent = frozen.urgent_reply(text, language=turn.language, hint=turn.hint, now=now)
        if turn.kind is Kind.BUTTON:
            urgent = frozen.pressed(
                turn.body, language=turn.slots.get("native") or turn.language, hint=turn.hint, now=now
            )
        if urgent is not None:
            slots = {**turn.slots, "topic": urgent.topic, "asked": None}
            return lambda session: self._store(session, turn, Outcome((urgent,), slots))
        if turn.is_edit or turn.is_stopped:
            return lambda _: False
        wait = frozen.one_moment(text, language=turn.language, hint=turn.hint)

        def say_once(session: Session) -> bool:
            if cases.kind_with_staff(session, turn.conversation_id) is not None:
                self._leave_to_staff(session, turn, language=turn.language, now=now)
                return False
            outbox.store_interim(session, turn.conversation_id, turn.inbox_id, wait, now=now)
            return False

        return say_once

    def _failure(self, turn: Turn) -> Outcome:
        text, now, frozen = _text_of(turn), self._clock(), self._frozen()
        reply = frozen.urgent_reply(text, language=turn.language, hint=turn.hint, now=now)
        reply = reply or frozen.failed(text, language=turn.language, hint=turn.hint, now=now)
        return Outcome((reply,), turn.slots)

    def _store(self, session: Session, turn: Turn, outcome: Outcome) -> bool:
        """Store the outcome; returns whether the person's data was deleted with it."""
        now, slots = self._clock(), outcome.slots
        understood = outcome.understood.as_data() if outcome.understood is not None else None
        language = slots.get("native") or slots.get("language") or turn.language
        deletes = any(reply.effect is Effect.DELETE_DATA for reply in outcome.replies)
        replies = outcome.replies
        is_quiet = turn.is_edit or (turn.is_stopped and not deletes)
        if is_quiet and not _is_about_danger(outcome):
            outbox.store_silence(
                session, turn.inbox_id, slots=turn.slots, language=turn.language, now=now, understood=understood
            )
            return False
        urgent = next((reply for reply in replies if reply.is_urgent and reply.topic), None)
        with_staff = cases.kind_with_staff(session, turn.conversation_id)
        asks = urgent is not None and handover.open_for(
            session, turn.conversation_id, str(urgent.topic), language=language, now=now
        )
        if with_staff is not None and urgent is not None and urgent.topic != with_staff:
            # Whoever has the conversation came for something else, and may not be looking: the numbers are said.
            replies, slots = (urgent,), {**turn.slots, "asked": None}
        elif with_staff is not None and not _is_about_own_data(turn, outcome):
            # A person has the conversation: the message is theirs to answer, and the bot's state stays as it was.
            content = self._frozen().content
            decided = handover.decide_by_word(session, content, turn.conversation_id, replies, now=now)
            if decided is None:
                self._leave_to_staff(session, turn, language=language, now=now, understood=understood)
                return False
            replies, slots = (decided,), {**turn.slots, "asked": None}
        if deletes:
            receipt = people.delete_messages(session, turn.conversation_id, up_to=turn.inbox_id, now=now)
            replies, slots, understood = tuple(people.with_receipt(reply, receipt) for reply in replies), {}, None
        elif replies is outcome.replies and any(reply.effect is not None for reply in replies):
            replies, slots = self._with_staff(session, turn, outcome, language=language, now=now)
        if not deletes:
            replies, slots = self._introduced(session, turn, replies, slots)
        outbox.store_answer(
            session, turn.inbox_id, replies, slots=slots, language=language, now=now, understood=understood
        )
        if asks:
            content = self._frozen().content
            handover.ask_consent(session, content, turn.conversation_id, language=language, now=now)
        return deletes

    def _leave_to_staff(
        self,
        session: Session,
        turn: Turn,
        *,
        language: str | None,
        now: datetime,
        understood: Mapping[str, Any] | None = None,
    ) -> None:
        cases.decide_by_answering(session, turn.conversation_id, turn.inbox_id, now=now)
        outbox.store_silence(
            session, turn.inbox_id, slots=turn.slots, language=language, now=now, understood=understood
        )

    def _decide(self, session: Session, turn: Turn) -> bool:
        """Carry out a button that says whether staff may read the chat; no model is asked."""
        now, content = self._clock(), self._frozen().content
        reply = handover.decide(session, content, turn.conversation_id, turn.body, now=now)
        slots = {**turn.slots, "asked": None, OFFERED: offered_by((reply,))}
        outbox.store_answer(session, turn.inbox_id, (reply,), slots=slots, language=turn.language, now=now)
        return False

    def _stopped(self, turn: Turn) -> Reply | None:
        language = turn.slots.get("native") or turn.language
        return self._frozen().stopped(_text_of(turn), language=language, hint=turn.hint)

    def _stop(self, session: Session, turn: Turn, receipt: Reply) -> bool:
        """Write to the person only when they write, also where staff have the conversation; no model is asked."""
        now = self._clock()
        if outbox.stop(session, turn.inbox_id, turn.conversation_id):
            cases.note_stop(session, turn.conversation_id, now=now)
        slots = {**turn.slots, "asked": None, OFFERED: offered_by((receipt,))}
        outbox.store_answer(session, turn.inbox_id, (receipt,), slots=slots, language=turn.language, now=now)
        return False

    def _with_staff(
        self, session: Session, turn: Turn, outcome: Outcome, *, language: str | None, now: datetime
    ) -> tuple[tuple[Reply, ...], dict[str, Any]]:
        """The replies with what staff can do for the person, and the slots that go with them."""
        content = self._frozen().content
        replies = tuple(
            handover.complete(session, content, turn.conversation_id, reply, language=language, now=now)
            for reply in outcome.replies
        )
        question = next(filter(None, map(handover.question_of, replies)), None)
        return replies, {**outcome.slots, "asked": question, OFFERED: offered_by(replies)}

    def _introduced(
        self, session: Session, turn: Turn, replies: tuple[Reply, ...], slots: Mapping[str, Any]
    ) -> tuple[tuple[Reply, ...], Mapping[str, Any]]:
        """The replies beginning with who is speaking, where somebody on a messenger has not been told; the page says so itself.

        In danger the number is the first word. Whoever reads on is told with the next answer.
        """
        if slots.get(GREETED) or not replies or replies[0].is_urgent:
            return replies, slots
        if session.connection().execute(_ADDRESS, {"conversation": turn.conversation_id}).scalar_one_or_none() is None:
            return replies, slots
        first, *others = replies
        notice = " ".join(filter(None, (phrases_of(self._frozen().content, first.language)["robot"], first.notice)))
        return (first.model_copy(update={"notice": notice}), *others), {**slots, GREETED: True}

    def _announce(self, turn: Turn, stored: Future[bool]) -> None:
        try:
            has_deleted = stored.result()
        except outbox.AlreadyHandledError:
            log.info("answer_dropped", conversation=turn.conversation_id)
            return
        if has_deleted:
            self._on_deleted()
        self._on_reply(turn.conversation_id)


class _AssistantThread:
    """The assistant on an event loop and a thread of its own, so that a turn that hangs holds nothing else up."""

    def __init__(self, assistant: AssistantPort) -> None:
        self._assistant = assistant
        self._loop = asyncio.new_event_loop()
        self._beat: Future[None] | None = None
        threading.Thread(target=self._loop.run_forever, name="assistant", daemon=True).start()

    @property
    def is_free(self) -> bool:
        """Whether no turn hangs in it."""
        return self._beat is None or self._beat.done()

    def respond(self, turn: Turn, *, within: float) -> Outcome:
        """Take a turn; raises TimeoutError where it hangs."""
        return self._wait(self._assistant.respond(turn), within)

    def read(self, turns: Sequence[Turn], *, within: float) -> list[Turn]:
        """Read turns before they are taken; raises TimeoutError where it hangs."""
        return self._wait(self._assistant.read(turns), within)

    def _wait(self, work: Coroutine[Any, Any, T], within: float) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(within)
        except TimeoutError:
            # A coroutine that waits is cancelled at once; one that computes keeps the loop, and this beat with it.
            future.cancel()
            self._beat = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop)
            raise


def _is_about_own_data(turn: Turn, outcome: Outcome) -> bool:
    """Whether it is the question of deletion or its answer: everybody's right at any time, also while staff are there."""
    return DELETION in (turn.slots.get("asked"), outcome.slots.get("asked"))


def _is_about_danger(outcome: Outcome) -> bool:
    understood = outcome.understood
    return any(reply.is_urgent for reply in outcome.replies) or bool(understood and understood.may_be_urgent)


def _is_decision(turn: Turn) -> bool:
    return turn.kind is Kind.BUTTON and handover.is_decision(turn.body)


def _text_of(turn: Turn) -> str:
    return turn.body if turn.kind is Kind.TEXT else ""


# The statement of every answer, made once.
_ADDRESS = select(table_of(Conversation).c.address).where(table_of(Conversation).c.id == bindparam("conversation"))
