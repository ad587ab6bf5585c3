"""Pictures, voice and documents that somebody sends while a person has their conversation: fetched, checked, kept encrypted.

They are noted with the message and fetched afterwards, so that a power cut loses none. What a file is, its first bytes say and not
its name; nothing is ever opened here. They go with the message that they came with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from bot.addresses import AddressBook, UnreadableAddressError
from bot.channels.port import Channel, RetryLaterError, UndeliverableError
from bot.models import Attachment, Conversation
from bot.writer import Writer
from knowledge.database import reading

MOST_BYTES = 5 * 1024 * 1024
MOST_ATTEMPTS = 6
PAUSE = timedelta(seconds=20)  # before the second attempt; twice as long before each one after that
LOOK_EVERY_SECONDS = 5.0
MOST_FILES = 50  # of one conversation at a time: more would fill the disk and keep everybody else's waiting
TOO_LARGE, TOO_MANY, WRONG_KIND = "too_large", "too_many", "wrong_kind"
# Where they stand in the file, the bytes, what it is, and the ending of its name.
_KINDS = (
    (0, b"\xff\xd8\xff", "image/jpeg", "jpg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png", "png"),
    (8, b"WEBP", "image/webp", "webp"),
    (0, b"%PDF-", "application/pdf", "pdf"),
    (0, b"OggS", "audio/ogg", "ogg"),
    (0, b"ID3", "audio/mpeg", "mp3"),
    (4, b"ftypM4A", "audio/mp4", "m4a"),
    (4, b"ftyp", "video/mp4", "mp4"),
)

log = structlog.get_logger()


@dataclass(frozen=True)
class File:
    """An attachment, readable."""

    data: bytes
    media_type: str
    name: str


def media_type_of(data: bytes) -> str | None:
    """What a file is by its first bytes; None where it is nothing that we take."""
    return next((kind for at, mark, kind, _ in _KINDS if data[at : at + len(mark)] == mark), None)


def note(session: Session, inbox_id: int, conversation_id: str, reference: str, book: AddressBook) -> None:
    """Note that a file has to be fetched, or that it is one too many.

    Args:
        reference: the channel's id of it.

    """
    taken = (Attachment.conversation_id == conversation_id, Attachment.failure.is_(None))
    count = session.scalar(select(func.count()).select_from(Attachment).where(*taken)) or 0
    failure = TOO_MANY if count >= MOST_FILES else None
    noted = {"inbox_id": inbox_id, "conversation_id": conversation_id, "failure": failure}
    session.add(Attachment(**noted, reference=book.seal(reference)))


def read(session: Session, attachment_id: int, conversation_id: str, book: AddressBook) -> File | None:
    """A file of a conversation; None where it has no such file, or not yet."""
    found = session.get(Attachment, attachment_id)
    if found is None or found.conversation_id != conversation_id or found.data is None or found.media_type is None:
        return None
    ending = next(ending for _, _, kind, ending in _KINDS if kind == found.media_type)
    return File(book.read_bytes(found.data), found.media_type, f"{attachment_id}.{ending}")


class Fetcher:
    """Fetches what was noted.

    Args:
        channels: those that are on, by name.
        on_fetched: told the conversation, so that whoever looks at it sees the file.

    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        writer: Writer,
        channels: Mapping[str, Channel],
        book: AddressBook,
        *,
        clock: Callable[[], datetime],
        on_fetched: Callable[[str], None],
    ) -> None:
        self._sessions = sessions
        self._writer = writer
        self._channels = channels
        self._book = book
        self._clock = clock
        self._on_fetched = on_fetched

    async def run(self) -> None:
        """Fetch until cancelled."""
        while True:
            try:
                await self.fetch_due()
            except (SQLAlchemyError, TimeoutError):
                pass  # the writer has said so
            except Exception:
                log.exception("attachments_failed")
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def fetch_due(self) -> None:
        """Fetch each file that waits, one after the other."""
        now = self._clock()
        statement = (
            select(Attachment.id, Attachment.conversation_id, Attachment.reference, Attachment.attempts)
            .add_columns(Conversation.channel)
            .join(Conversation, Conversation.id == Attachment.conversation_id)
            .where(Attachment.data.is_(None), Attachment.failure.is_(None), Conversation.channel.in_(self._channels))
            .where(Attachment.next_try_at.is_(None) | (Attachment.next_try_at <= now))
        )

        def due() -> list[tuple[int, str, str, int, str]]:
            with reading(self._sessions) as session:
                return [(row[0], row[1], row[2], row[3], row[4]) for row in session.execute(statement)]

        for attachment_id, conversation_id, reference, attempts, channel in await asyncio.to_thread(due):
            values = await self._fetch(self._channels[channel], reference, attempts)
            await self._writer.run(partial(_change, attachment_id=attachment_id, values=values))
            self._on_fetched(conversation_id)

    async def _fetch(self, channel: Channel, reference: str, attempts: int) -> dict[str, object]:
        try:
            data = await channel.fetch(self._book.read(reference), most=MOST_BYTES)
        except UndeliverableError as error:
            return {"failure": error.reason}
        except UnreadableAddressError:
            return {"failure": "not_fetched"}
        except RetryLaterError as error:
            if attempts + 1 >= MOST_ATTEMPTS:
                log.warning("attachment_given_up", channel=channel.name, reason=error.reason)
                return {"failure": "not_fetched"}
            return {"attempts": attempts + 1, "next_try_at": self._clock() + PAUSE * 2**attempts}
        kind = media_type_of(data)
        if kind is None or len(data) > MOST_BYTES:
            return {"failure": WRONG_KIND if kind is None else TOO_LARGE}
        sealed = await asyncio.to_thread(self._book.seal_bytes, data)
        return {"media_type": kind, "data": sealed}


def _change(session: Session, *, attachment_id: int, values: dict[str, object]) -> None:
    session.execute(update(Attachment).where(Attachment.id == attachment_id).values(**values))
