"""Taking turns: a worker claims a message, lets the assistant answer, and stores answer and state in one transaction.

With the model not loaded an urgent message is answered from the frozen path at once; any other is told to wait
and keeps its place.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from sqlalchemy.orm import Session, sessionmaker

from actions.reply import Effect, Reply
from bot import inbox, outbox, people
from bot.assistant_port import AssistantPort, Outcome
from bot.frozen import FrozenPath
from bot.inbox import Kind, Turn

MAX_ATTEMPTS = 3
IDLE_SECONDS = 1.0  # how often to look for messages of killed workers while nothing comes in

log = structlog.get_logger()
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The moment, in UTC."""
    return datetime.now(UTC)


class Worker:
    """One worker of a process; start as many as should answer side by side."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        frozen: FrozenPath,
        *,
        clock: Clock = utc_now,
        on_reply: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.name = secrets.token_hex(8)
        self.assistant: AssistantPort | None = None
        self._sessions = sessions
        self._frozen = frozen
        self._clock = clock
        self._on_reply = on_reply
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def wake(self) -> None:
        """Tell the worker that something came in."""
        self._wake.set()

    def wake_threadsafe(self) -> None:
        """The same from a thread of the web application."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> None:
        """Answer messages until cancelled."""
        self._loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            try:
                while await self.take_turn():
                    pass
            except Exception:
                log.exception("turn_failed_outside_message")
            try:
                await asyncio.wait_for(self._wake.wait(), IDLE_SECONDS)
            except TimeoutError:
                continue

    async def take_turn(self) -> bool:
        """Answer one message; False where there was none that could be answered."""
        turn = await asyncio.to_thread(self._claim)
        if turn is None:
            return False
        if self.assistant is None:
            return await asyncio.to_thread(self._answer_without_model, turn)
        try:
            outcome = await self.assistant.respond(turn)
        except Exception:
            log.exception("turn_failed", conversation=turn.conversation_id, attempt=turn.attempts)
            outcome = None
        if outcome is None or not outcome.replies:
            outcome = self._failure(turn)
        await asyncio.to_thread(self._store, turn, outcome)
        return True

    def _claim(self) -> Turn | None:
        with self._sessions.begin() as session:
            return inbox.claim_next(session, self.name, now=self._clock())

    def _answer_without_model(self, turn: Turn) -> bool:
        now = self._clock()
        said = {"language": turn.language, "hint": turn.hint}
        text = turn.body if turn.kind is Kind.TEXT else ""
        urgent = self._frozen.urgent_reply(text, now=now, **said)
        if urgent is not None:
            self._store(turn, Outcome((urgent,), {**turn.slots, "language": urgent.language}))
            return True
        with self._sessions.begin() as session:
            outbox.store_interim(session, turn.inbox_id, self._frozen.one_moment(text, **said), now=now)
            inbox.release(session, turn.conversation_id, self.name)
        self._on_reply(turn.conversation_id)
        return False

    def _failure(self, turn: Turn) -> Outcome:
        text = turn.body if turn.kind is Kind.TEXT else ""
        now = self._clock()
        reply = self._frozen.urgent_reply(text, language=turn.language, hint=turn.hint, now=now)
        reply = reply or self._frozen.failed(text, language=turn.language, hint=turn.hint, now=now)
        return Outcome((reply,), turn.slots)

    def _store(self, turn: Turn, outcome: Outcome) -> None:
        now = self._clock()
        language = outcome.slots.get("language")
        try:
            with self._sessions.begin() as session:
                replies = [self._carry_out(session, turn, reply, now) for reply in outcome.replies]
                outbox.store_answer(session, turn.inbox_id, replies, slots=outcome.slots, language=language, now=now)
        except outbox.AlreadyHandledError:
            log.info("answer_dropped", conversation=turn.conversation_id)
            return
        self._on_reply(turn.conversation_id)

    @staticmethod
    def _carry_out(session: Session, turn: Turn, reply: Reply, now: datetime) -> Reply:
        if reply.effect is not Effect.DELETE_DATA:
            return reply
        deleted = people.delete_messages(session, turn.conversation_id, keep=turn.inbox_id, now=now)
        return people.with_receipt(reply, deleted)
