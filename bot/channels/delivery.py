"""Sending replies to messengers: in order for each person, within the providers' limits, again where it fails.

A reply is leased before it is sent, so that of several processes one sends it. A process killed between sending and noting that
sends it once more when the lease is over: no messenger here lets us prevent that.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import exists, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, aliased, sessionmaker

from actions.reply import Reply
from bot import outbox
from bot.addresses import AddressBook, UnreadableAddressError
from bot.channels.port import Channel, RetryLaterError, UndeliverableError
from bot.models import Conversation, OutboxMessage
from bot.writer import Writer
from knowledge.database import changed, reading

LEASE = timedelta(seconds=60)
MOST_ATTEMPTS = 12  # about five hours with the pauses below
FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(minutes=30)
FINISH_SECONDS = 5.0  # that a stop waits for what is being sent
IDLE_SECONDS = 1.0
AT_ONCE = 200

log = structlog.get_logger()


@dataclass(frozen=True)
class Due:
    """A reply that is to be sent now, as the data of `Reply`: one that can't be read is nobody else's trouble."""

    id: int
    conversation_id: str
    channel: str
    address: str
    reply: Mapping[str, Any]
    attempts: int
    is_window_closed: bool  # they were told that there is something to read, and have not written since


class Delivery:
    """Sends what stands in the outbox for messengers.

    Args:
        channels: those that are on, by name.

    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        writer: Writer,
        channels: Mapping[str, Channel],
        addresses: AddressBook,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._sessions = sessions
        self._writer = writer
        self._channels = channels
        self._addresses = addresses
        self._clock = clock
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn_of_channel: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._next_of_channel: dict[str, float] = {}
        self._next_of_person: dict[str, float] = {}

    def wake(self) -> None:
        """Tell it, from any thread, that there is something to send."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> None:
        """Send until cancelled."""
        self._loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            try:
                while await self.send_due():
                    pass
            except (SQLAlchemyError, TimeoutError):
                pass  # the writer has said so
            except Exception:
                log.exception("delivery_failed")
            try:
                await asyncio.wait_for(self._wake.wait(), IDLE_SECONDS)
            except TimeoutError:
                continue

    async def send_due(self) -> int:
        """Send the oldest waiting reply of everybody; returns how many were tried."""
        due = await asyncio.to_thread(self._due, self._clock())
        ready = [one for one in due if self._next_of_person.get(one.conversation_id, 0.0) <= time.monotonic()]
        sending = asyncio.gather(*(self._send(one) for one in ready))
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            # What has gone has to be noted: it would go once more, and the next one wait for the lease.
            await asyncio.wait({sending}, timeout=FINISH_SECONDS)
            sending.cancel()
            raise
        return len(ready)

    def _due(self, now: datetime) -> list[Due]:
        waits = (
            Conversation.channel.in_(self._channels),
            OutboxMessage.delivered_at.is_(None),
            OutboxMessage.failure.is_(None),
        )
        # Of each person the oldest; while that has to wait, what comes after it waits too, and nobody else does.
        oldest = (
            select(func.min(OutboxMessage.id))
            .join(Conversation, Conversation.id == OutboxMessage.conversation_id)
            .where(*waits)
            .group_by(OutboxMessage.conversation_id)
        )
        earlier = aliased(OutboxMessage)
        is_window_closed = exists().where(
            earlier.conversation_id == OutboxMessage.conversation_id, earlier.failure == outbox.WINDOW_CLOSED
        )
        statement = (
            select(
                OutboxMessage.id,
                OutboxMessage.conversation_id,
                OutboxMessage.reply,
                OutboxMessage.attempts,
                Conversation.channel,
                Conversation.address,
                is_window_closed.label("is_window_closed"),
            )
            .join(Conversation, Conversation.id == OutboxMessage.conversation_id)
            .where(
                OutboxMessage.id.in_(oldest),
                OutboxMessage.next_try_at.is_(None) | (OutboxMessage.next_try_at <= now),
            )
            .order_by(OutboxMessage.id)
            .limit(AT_ONCE)
        )
        with reading(self._sessions) as session:
            rows = session.execute(statement).all()
        return [
            Due(
                row.id,
                row.conversation_id,
                row.channel,
                row.address or "",
                row.reply,
                row.attempts,
                row.is_window_closed,
            )
            for row in rows
        ]

    async def _send(self, due: Due) -> None:
        channel, now = self._channels[due.channel], self._clock()
        if due.is_window_closed:
            # Nobody is told twice that there is something to read.
            await self._writer.run(lambda session: outbox.record_failure(session, due.id, outbox.WINDOW_CLOSED))
            return
        if not await self._writer.run(lambda session: _lease(session, due.id, now=now)):
            return
        await self._keep_pace(channel)
        try:
            provider_id = await self._sent(channel, due)
        except RetryLaterError as error:
            await self._again(due, error)
        except (UndeliverableError, UnreadableAddressError) as error:
            reason = error.reason if isinstance(error, UndeliverableError) else "unreadable_address"
            log.info("undeliverable", channel=due.channel, conversation=due.conversation_id, reason=reason)
            await self._writer.run(lambda session: outbox.record_failure(session, due.id, reason))
        except Exception:
            log.exception("send_failed", channel=due.channel, conversation=due.conversation_id)
            await self._again(due, RetryLaterError("error"))
        else:
            sent_at = self._clock()
            await self._writer.run(lambda session: outbox.record_sent(session, due.id, provider_id, now=sent_at))

    async def _sent(self, channel: Channel, due: Due) -> str | None:
        try:
            return await channel.send(self._addresses.read(due.address), Reply.model_validate(due.reply))
        finally:
            self._next_of_person[due.conversation_id] = time.monotonic() + channel.per_person_seconds

    async def _again(self, due: Due, error: RetryLaterError) -> None:
        if due.attempts + 1 >= MOST_ATTEMPTS:
            log.warning("given_up", channel=due.channel, conversation=due.conversation_id, reason=error.reason)
            await self._writer.run(
                lambda session: outbox.record_failure(session, due.id, f"gave_up: {error.reason}"[:64])
            )
            return
        grown = min(FIRST_PAUSE * 2**due.attempts, LONGEST_PAUSE)
        pause = timedelta(seconds=error.after) if error.after is not None else grown * random.uniform(0.8, 1.2)
        when = self._clock() + pause
        await self._writer.run(lambda session: outbox.record_retry(session, due.id, when))

    async def _keep_pace(self, channel: Channel) -> None:
        # One after the other, and each from when the last one really went: after a standstill nothing is caught up with.
        async with self._turn_of_channel[channel.name]:
            await asyncio.sleep(self._next_of_channel.get(channel.name, 0.0) - time.monotonic())
            self._next_of_channel[channel.name] = time.monotonic() + 1 / channel.per_second
        if len(self._next_of_person) > 10 * AT_ONCE:
            moment = time.monotonic()
            self._next_of_person = {who: at for who, at in self._next_of_person.items() if at > moment}


def _lease(session: Session, outbox_id: int, *, now: datetime) -> bool:
    leased = session.execute(
        update(OutboxMessage)
        .where(
            OutboxMessage.id == outbox_id,
            OutboxMessage.delivered_at.is_(None),
            (OutboxMessage.next_try_at.is_(None)) | (OutboxMessage.next_try_at <= now),
        )
        .values(next_try_at=now + LEASE, attempts=OutboxMessage.attempts + 1)
        .execution_options(synchronize_session=False)
    )
    return changed(leased) == 1
