"""Receiving from messengers: help for whoever is in danger at once, then the message into the inbox, then acknowledged.

The provider is told that a message was taken only after it is stored: what could not be stored comes again. Who writes more in a
minute than anybody reads is told so, and what is too much is let go: it would keep everybody else's waiting. A channel that is
closed says so now and then.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar
from weakref import WeakValueDictionary

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from actions.reply import Reply
from bot import attachments, cases, handover, inbox, outbox
from bot.addresses import AddressBook
from bot.bidi import isolated
from bot.channels.port import Channel, Moved, Received, RetryLaterError, UndeliverableError
from bot.frozen import FrozenPath
from bot.inbox import Found, Incoming, Kind
from bot.limits import WINDOW_SECONDS, PerPerson, matter_of
from bot.writer import Writer
from knowledge.database import reading

STORE_SECONDS = 5.0
LOOK_SECONDS = 0.3  # somebody in danger looks at the phone meanwhile
MOST_REMEMBERED = 5000
CLOSED_SECONDS = 600.0  # between two words to one person that a channel is closed
TRY_AGAIN_SECONDS = 10.0  # after a word that could not be sent

log = structlog.get_logger()
T = TypeVar("T")


class Reception:
    """Takes what channels receive.

    Args:
        keys: of the hashes by which people are looked up, today's first.
        per_minute: messages of one person that are read.
        on_stored: told when something was stored, so that somebody answers and sends.

    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        writer: Writer,
        frozen: Callable[[], FrozenPath],
        addresses: AddressBook,
        *,
        keys: Sequence[bytes],
        per_minute: int,
        on_stored: Callable[[], None],
    ) -> None:
        self._sessions = sessions
        self._writer = writer
        self._frozen = frozen
        self._addresses = addresses
        self._keys = keys
        self._on_stored = on_stored
        # Whom we helped past the outbox: the message comes again where it could not be stored, the help must not.
        self._helped: OrderedDict[tuple[str, str, str], str | None] = OrderedDict()
        self._turns: WeakValueDictionary[tuple[str, str, str], asyncio.Lock] = WeakValueDictionary()
        # By the time of writing, or whoever wrote all day while the service stood still would be taken for a flood.
        self._limits = PerPerson(per_minute, clock=time.time)
        self._quiet_until: OrderedDict[tuple[str, str, str], float] = OrderedDict()  # by person and what they were told

    async def take(self, channel: Channel, received: Received, *, now: datetime) -> None:
        """Help at once where somebody is certainly in danger, and store the message.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: it could not be stored; don't acknowledge it.
            TimeoutError: likewise.

        """
        received = _storable(received)
        incoming, frozen = received.incoming, self._frozen()
        text = _text_of(incoming)
        judged = frozen.judge(text)
        person, matter = f"{channel.name}:{received.address}", matter_of(incoming, judged, frozen)
        if not self._limits.has_room(person, matter, at=received.written_at):
            await self._slow_down(channel, received, text)
            return
        async with self._turn_of(channel, received):
            reply = await self._help(channel, received, now=now)
            arrived = _Arrived(channel, received, reply, judged is not None, now)
            is_new = await self._writer.run(lambda session: self._store(session, arrived), within=STORE_SECONDS)
        if is_new:
            self._limits.count(person, matter, at=received.written_at)
        self._on_stored()

    async def help(self, channel: Channel, received: Received, *, now: datetime) -> None:
        """Give the number where somebody is certainly in danger, once, whether or not the message can be stored."""
        received = _storable(received)
        async with self._turn_of(channel, received):
            await self._help(channel, received, now=now)

    async def turn_away(self, channel: Channel, received: Received, *, url: str, now: datetime) -> None:
        """Say that the channel is closed; whoever is in danger gets their number. Nothing is stored.

        Args:
            url: the page, which is open.

        Raises:
            RetryLaterError: the help could not be sent; nothing else would send it, so don't acknowledge the message.

        """
        received = _storable(received)
        incoming, frozen = received.incoming, self._frozen()
        text, hint = _text_of(incoming), incoming.hint
        judged = frozen.judge(text)
        person, matter = f"{channel.name}:{received.address}", matter_of(incoming, judged, frozen)
        help_ = frozen.urgent_reply(text, language=None, hint=hint, now=now)
        if incoming.kind is Kind.BUTTON:
            help_ = frozen.pressed(incoming.body, language=None, hint=hint, now=now)
        if matter and not self._limits.allows(person, matter):
            return
        closed = frozen.closed(text, hint=hint, url=url)
        if help_ is not None or judged is not None:
            # Whoever may be in danger hears the number that stands in it, however lately that was said.
            async with self._turn_of(channel, received):
                await self._send_help(channel, received, help_ or closed)
        elif not incoming.is_edit:
            await self._tell(channel, received, "channel_closed", lambda _: closed, every=CLOSED_SECONDS)

    def says_stop(self, received: Received) -> bool:
        """Whether it is a STOP and nothing else."""
        text = _text_of(received.incoming)
        return self._frozen().stopped(text, language=None, hint=received.incoming.hint) is not None

    def _turn_of(self, channel: Channel, received: Received) -> asyncio.Lock:
        """Two deliveries of one message are dealt with one after the other: what the first has done the second finds done."""
        return self._turns.setdefault(_which(channel, received), asyncio.Lock())

    async def _help(self, channel: Channel, received: Received, *, now: datetime) -> Reply | None:
        """Help where it is a certain cry and nobody has; returns the help for this message, None where it is no certain cry."""
        incoming = received.incoming
        reply = self._frozen().urgent_reply(_text_of(incoming), language=None, hint=incoming.hint, now=now)
        if reply is not None and not await self._is_in_hand(channel, received, reply):
            with suppress(RetryLaterError):  # the next delivery sends it, or the outbox
                await self._send_help(channel, received, reply)
        return reply

    async def _send_help(self, channel: Channel, received: Received, reply: Reply) -> None:
        """Send help past the outbox, once for each message; raises RetryLaterError where it could not be sent this time."""
        which = _which(channel, received)
        if which in self._helped:
            return
        try:
            self._helped[which] = await _sent(channel, received.address, reply)
        except (RetryLaterError, UndeliverableError) as error:
            log.warning("help_not_sent_at_once", channel=channel.name, reason=error.reason)
            if isinstance(error, RetryLaterError):
                raise
        while len(self._helped) > MOST_REMEMBERED:
            self._helped.popitem(last=False)

    async def move(self, channel: Channel, moved: Moved) -> None:
        """Let somebody keep their conversation who has another address now; raises as `take` does."""
        before = self._hashes(channel, moved.before)
        hashed = inbox.address_hash(channel.name, moved.address, key=self._keys[0])
        sealed = self._addresses.seal(moved.address)
        await self._writer.run(
            lambda session: inbox.move(session, channel.name, before, hashed, address=sealed), within=STORE_SECONDS
        )

    async def _is_in_hand(self, channel: Channel, received: Received, reply: Reply) -> bool:
        """Whether the help is in the outbox, or a member of staff is there for just this; where that can't be said at once, no."""

        def look(session: Session, found: Found) -> bool:
            is_stored = inbox.is_stored(session, found.id, received.incoming.provider_id)
            return is_stored or cases.kind_with_staff(session, found.id) == reply.topic

        return bool(await self._looked_up(channel, received, look))

    async def _slow_down(self, channel: Channel, received: Received, text: str) -> None:
        """Tell somebody that they write more than is read."""

        def reply(language: str | None) -> Reply:
            return self._frozen().slow_down(text, language=language, hint=received.incoming.hint)

        await self._tell(channel, received, "too_many_messages", reply, every=WINDOW_SECONDS)

    async def _tell(
        self, channel: Channel, received: Received, what: str, reply: Callable[[str | None], Reply], *, every: float
    ) -> None:
        """Say something past the outbox, at most once in so many seconds; what could not be sent was not said.

        Args:
            what: its event in the log.
            reply: makes it, in the language of the conversation.

        """

        def look(session: Session, found: Found) -> tuple[str | None, bool]:
            return found.language, inbox.is_stored(session, found.id, received.incoming.provider_id)

        which, moment = (channel.name, received.address, what), time.monotonic()
        if moment < self._quiet_until.get(which, 0.0):
            return
        self._quiet_until[which] = moment + every
        self._quiet_until.move_to_end(which)
        while len(self._quiet_until) > MOST_REMEMBERED:
            self._quiet_until.popitem(last=False)
        language, is_stored = await self._looked_up(channel, received, look) or (None, False)
        if is_stored:  # brought again: it was read
            self._quiet_until.pop(which, None)
            return
        log.info(what, channel=channel.name)
        try:
            await _sent(channel, received.address, reply(language))
        except RetryLaterError as error:
            self._quiet_until[which] = time.monotonic() + (error.after or TRY_AGAIN_SECONDS)
        except UndeliverableError as error:
            log.info("undeliverable", channel=channel.name, reason=error.reason)

    async def _looked_up(self, channel: Channel, received: Received, read: Callable[[Session, Found], T]) -> T | None:
        """Something of the person's conversation; None where there is none, or it can't be said at once."""
        hashes = self._hashes(channel, received.ids)

        def look() -> T | None:
            with reading(self._sessions) as session:
                found = inbox.find_conversation(session, channel.name, *hashes)
                return read(session, found) if found is not None else None

        try:
            return await asyncio.wait_for(asyncio.to_thread(look), LOOK_SECONDS)
        except (SQLAlchemyError, TimeoutError):
            return None

    def _hashes(self, channel: Channel, ids: Sequence[str]) -> list[str]:
        return [one for address in ids for one in inbox.address_hashes(channel.name, address, keys=self._keys)]

    def _store(self, session: Session, arrived: _Arrived) -> bool:
        """Store a message, with the help that it was given; returns whether it is new."""
        channel, received, now = arrived.channel, arrived.received, arrived.now
        hashed, *earlier = self._hashes(channel, received.ids)
        sealed = self._addresses.seal(received.address)
        if earlier:
            inbox.move(session, channel.name, earlier, hashed, address=sealed)
        found = inbox.conversation_of(session, channel.name, hashed, now=now, address=sealed)
        inbox_id = inbox.accept(
            session,
            found.id,
            received.incoming,
            now=now,
            is_urgent=arrived.is_urgent,
            written_at=_moment(received.written_at, now),
        )
        if inbox_id is not None:
            (outbox.empty_window if self.says_stop(received) else outbox.open_window)(session, found.id)
        if inbox_id is not None and received.attachment and cases.kind_with_staff(session, found.id) is not None:
            attachments.note(session, inbox_id, found.id, received.attachment, self._addresses)
        if inbox_id is None or arrived.help is None or not arrived.help.topic:
            return inbox_id is not None
        with_staff = cases.kind_with_staff(session, found.id)
        asks = handover.open_for(session, found.id, arrived.help.topic, language=arrived.help.language, now=now)
        if with_staff == arrived.help.topic:
            return True  # a person is there for just this: the numbers were given and are not said again
        stored = outbox.store_help(session, inbox_id, arrived.help, now=now)
        which = _which(channel, received)
        if which in self._helped:
            outbox.record_sent(session, stored, self._helped[which], now=now)
        if asks:
            content = self._frozen().content
            handover.ask_consent(session, content, found.id, language=arrived.help.language, now=now)
        return True


async def _sent(channel: Channel, address: str, reply: Reply) -> str | None:
    try:
        return await channel.send(address, isolated(reply))
    except (RetryLaterError, UndeliverableError):
        raise
    except Exception:
        # Whatever is wrong with it, the message has to be stored.
        log.exception("send_failed", channel=channel.name)
        raise RetryLaterError("error") from None


def _which(channel: Channel, received: Received) -> tuple[str, str, str]:
    return channel.name, received.address, received.incoming.provider_id


def _moment(written_at: float | None, now: datetime) -> datetime | None:
    """When something was written; never in the future, which a STOP would hold until."""
    if written_at is None or written_at > now.timestamp():
        return None
    return datetime.fromtimestamp(written_at, UTC)


def _text_of(incoming: Incoming) -> str:
    return incoming.body if incoming.kind is Kind.TEXT else ""


def _storable(received: Received) -> Received:
    # JSON can carry half of an emoji, which no database takes; a cry with one in it is a cry.
    incoming = received.incoming
    whole = replace(incoming, body=_whole(incoming.body), provider_id=_whole(incoming.provider_id))
    return replace(received, address=_whole(received.address), incoming=whole)


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


@dataclass(frozen=True)
class _Arrived:
    channel: Channel
    received: Received
    help: Reply | None
    is_urgent: bool
    now: datetime
