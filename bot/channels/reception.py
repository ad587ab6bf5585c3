"""Receiving from messengers: help for whoever is in danger at once, then the message into the inbox, then acknowledged.

The provider is told that a message was taken only after it is stored: what could not be stored comes again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from bot.inbox import Kind
from bot.writer import Writer
from knowledge.database import reading

STORE_SECONDS = 5.0
LOOK_SECONDS = 0.3  # somebody in danger looks at the phone meanwhile
MOST_REMEMBERED = 5000

log = structlog.get_logger()


class Reception:
    """Takes what channels receive.

    Args:
        keys: of the hashes by which people are looked up, today's first.
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

    async def take(self, channel: Channel, received: Received, *, now: datetime) -> None:
        """Help at once where somebody is certainly in danger, and store the message.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: it could not be stored; don't acknowledge it.
            TimeoutError: likewise.

        """
        incoming = received.incoming
        which = (channel.name, received.address, incoming.provider_id)
        text = incoming.body if incoming.kind is Kind.TEXT else ""
        judged = self._frozen().judge(text)
        reply = self._frozen().urgent_reply(text, language=None, hint=incoming.hint, now=now)
        if reply is not None and which not in self._helped and not await self._is_with_staff(channel, received, reply):
            try:
                self._helped[which] = await channel.send(received.address, isolated(reply))
            except (RetryLaterError, UndeliverableError) as error:
                log.warning("help_not_sent_at_once", channel=channel.name, reason=error.reason)
            while len(self._helped) > MOST_REMEMBERED:
                self._helped.popitem(last=False)
        arrived = _Arrived(channel, received, reply, judged is not None, now)
        await self._writer.run(lambda session: self._store(session, arrived), within=STORE_SECONDS)
        self._on_stored()

    async def move(self, channel: Channel, moved: Moved) -> None:
        """Let somebody keep their conversation who has another address now; raises as `take` does."""
        before = inbox.address_hashes(channel.name, moved.before, keys=self._keys)
        hashed = inbox.address_hash(channel.name, moved.address, key=self._keys[0])
        sealed = self._addresses.seal(moved.address)
        await self._writer.run(
            lambda session: inbox.move(session, channel.name, before, hashed, address=sealed), within=STORE_SECONDS
        )

    async def _is_with_staff(self, channel: Channel, received: Received, reply: Reply) -> bool:
        """Whether a member of staff is there for just this; where that can't be said at once, they are not."""
        hashes = inbox.address_hashes(channel.name, received.address, keys=self._keys)

        def look() -> str | None:
            with reading(self._sessions) as session:
                found = inbox.find_conversation(session, channel.name, *hashes)
                return cases.kind_with_staff(session, found.id) if found is not None else None

        try:
            return await asyncio.wait_for(asyncio.to_thread(look), LOOK_SECONDS) == reply.topic
        except (SQLAlchemyError, TimeoutError):
            return False

    def _store(self, session: Session, arrived: _Arrived) -> None:
        channel, received, now = arrived.channel, arrived.received, arrived.now
        hashed, *earlier = inbox.address_hashes(channel.name, received.address, keys=self._keys)
        sealed = self._addresses.seal(received.address)
        if earlier:
            inbox.move(session, channel.name, earlier, hashed, address=sealed)
        found = inbox.conversation_of(session, channel.name, hashed, now=now, address=sealed)
        inbox_id = inbox.accept(session, found.id, received.incoming, now=now, is_urgent=arrived.is_urgent)
        if inbox_id is not None and received.attachment and cases.kind_with_staff(session, found.id) is not None:
            attachments.note(session, inbox_id, found.id, received.attachment, self._addresses)
        if inbox_id is None or arrived.help is None or not arrived.help.topic:
            return
        with_staff = cases.kind_with_staff(session, found.id)
        asks = handover.open_for(session, found.id, arrived.help.topic, language=arrived.help.language, now=now)
        if with_staff == arrived.help.topic:
            return  # a person is there for just this: the numbers were given and are not said again
        stored = outbox.store_help(session, inbox_id, arrived.help, now=now)
        which = (channel.name, received.address, received.incoming.provider_id)
        if which in self._helped:
            outbox.record_sent(session, stored, self._helped[which], now=now)
        if asks:
            content = self._frozen().content
            handover.ask_consent(session, content, found.id, language=arrived.help.language, now=now)


@dataclass(frozen=True)
class _Arrived:
    channel: Channel
    received: Received
    help: Reply | None
    is_urgent: bool
    now: datetime
