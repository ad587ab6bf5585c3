"""Receiving from messengers: help for whoever is in danger at once, then the message into the inbox, then acknowledged.

The provider is told that a message was taken only after it is stored: what could not be stored comes again. Who writes more in a
minute than anybody reads is told so once, and what is too much is let go: it would keep everybody else's waiting.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

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
from bot.limits import URGENT_PER_MINUTE, WINDOW_SECONDS, Window
from bot.writer import Writer
from knowledge.database import reading

STORE_SECONDS = 5.0
LOOK_SECONDS = 0.3  # somebody in danger looks at the phone meanwhile
MOST_REMEMBERED = 5000
NOT_PRESSED = frozenset({"/cannot_read", "/group"})  # what channels say of messages without words

log = structlog.get_logger()


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
        # Whom we helped while the message could not be stored: it comes again, the help must not.
        self._helped: OrderedDict[tuple[str, str, str], str | None] = OrderedDict()
        # By the time of writing, or whoever wrote all day while the service stood still would be taken for a flood.
        self._ordinary = Window(per_minute, clock=time.time)
        self._urgent = Window(URGENT_PER_MINUTE, clock=time.time)
        self._slowed: OrderedDict[str, float] = OrderedDict()  # when somebody last wrote too much

    async def take(self, channel: Channel, received: Received, *, now: datetime) -> None:
        """Help at once where somebody is certainly in danger, and store the message.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: it could not be stored; don't acknowledge it.
            TimeoutError: likewise.

        """
        received = _storable(received)
        incoming = received.incoming
        text = _text_of(incoming)
        frozen = self._frozen()
        judged = frozen.judge(text)
        about = judged.label if judged is not None else _about(incoming, frozen)
        limit, key = self._urgent if about else self._ordinary, f"{channel.name}:{received.address}:{about}"
        if not limit.has_room(key, at=received.written_at):
            await self._slow_down(channel, received, text)
            return
        reply = await self.help(channel, received, now=now)
        arrived = _Arrived(channel, received, reply, judged is not None, now)
        is_new = await self._writer.run(lambda session: self._store(session, arrived), within=STORE_SECONDS)
        if is_new:
            limit.count(key, at=received.written_at)
        self._on_stored()

    async def help(self, channel: Channel, received: Received, *, now: datetime) -> Reply | None:
        """Give the number where somebody is certainly in danger, once, whether or not the message can be stored.

        Returns:
            The help for this message; None where it is no certain cry.

        """
        received = _storable(received)
        incoming = received.incoming
        which = (channel.name, received.address, incoming.provider_id)
        reply = self._frozen().urgent_reply(_text_of(incoming), language=None, hint=incoming.hint, now=now)
        if reply is not None and which not in self._helped and not await self._is_with_staff(channel, received, reply):
            try:
                self._helped[which] = await channel.send(received.address, isolated(reply))
            except (RetryLaterError, UndeliverableError) as error:
                log.warning("help_not_sent_at_once", channel=channel.name, reason=error.reason)
            while len(self._helped) > MOST_REMEMBERED:
                self._helped.popitem(last=False)
        return reply

    async def move(self, channel: Channel, moved: Moved) -> None:
        """Let somebody keep their conversation who has another address now; raises as `take` does."""
        before = self._hashes(channel, moved.before)
        hashed = inbox.address_hash(channel.name, moved.address, key=self._keys[0])
        sealed = self._addresses.seal(moved.address)
        await self._writer.run(
            lambda session: inbox.move(session, channel.name, before, hashed, address=sealed), within=STORE_SECONDS
        )

    async def _is_with_staff(self, channel: Channel, received: Received, reply: Reply) -> bool:
        """Whether a member of staff is there for just this; where that can't be said at once, they are not."""
        kind = await self._looked_up(channel, received, lambda session, found: cases.kind_with_staff(session, found.id))
        return kind == reply.topic

    async def _slow_down(self, channel: Channel, received: Received, text: str) -> None:
        """Tell somebody once that they write more than is read."""
        key, moment = f"{channel.name}:{received.address}", time.monotonic()
        was_told = moment - self._slowed.pop(key, -WINDOW_SECONDS) < WINDOW_SECONDS
        self._slowed[key] = moment
        while len(self._slowed) > MOST_REMEMBERED:
            self._slowed.popitem(last=False)
        if was_told:
            return
        log.info("too_many_messages", channel=channel.name)
        language = await self._looked_up(channel, received, lambda _, found: found.language)
        reply = self._frozen().slow_down(text, language=language, hint=received.incoming.hint)
        with suppress(RetryLaterError, UndeliverableError):
            await channel.send(received.address, isolated(reply))

    async def _looked_up(
        self, channel: Channel, received: Received, read: Callable[[Session, Found], str | None]
    ) -> str | None:
        """Something of the person's conversation; None where there is none, or it can't be said at once."""
        hashes = self._hashes(channel, received.ids)

        def look() -> str | None:
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
        inbox_id = inbox.accept(session, found.id, received.incoming, now=now, is_urgent=arrived.is_urgent)
        if inbox_id is not None:
            outbox.open_window(session, found.id)
        if inbox_id is not None and received.attachment and cases.kind_with_staff(session, found.id) is not None:
            attachments.note(session, inbox_id, found.id, received.attachment, self._addresses)
        if inbox_id is None or arrived.help is None or not arrived.help.topic:
            return inbox_id is not None
        with_staff = cases.kind_with_staff(session, found.id)
        asks = handover.open_for(session, found.id, arrived.help.topic, language=arrived.help.language, now=now)
        if with_staff == arrived.help.topic:
            return True  # a person is there for just this: the numbers were given and are not said again
        stored = outbox.store_help(session, inbox_id, arrived.help, now=now)
        which = (channel.name, received.address, received.incoming.provider_id)
        if which in self._helped:
            outbox.record_sent(session, stored, self._helped[which], now=now)
        if asks:
            content = self._frozen().content
            handover.ask_consent(session, content, found.id, language=arrived.help.language, now=now)
        return True


def _about(incoming: Incoming, frozen: FrozenPath) -> str:
    """What nobody may miss has a limit of its own, by what it is about: the first of each kind is always heard."""
    if incoming.kind is Kind.BUTTON:
        # The help behind a button, or a yes to staff. Pictures without end are no buttons.
        return "" if incoming.body in NOT_PRESSED else "button"
    return "stop" if frozen.stopped(incoming.body, language=None, hint=None) is not None else ""


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
