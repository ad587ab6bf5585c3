"""What a channel has to be, and how it tells that a reply could not be sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from actions.reply import Reply
from bot.inbox import Incoming


@dataclass(frozen=True)
class Received:
    """A message as a channel hands it over.

    Attributes:
        address: the channel's id of the person; kept encrypted.
        incoming: what they wrote, pressed or shared.
        attachment: the channel's id of a file that came with it.
        written_at: when, by the provider's clock, in seconds since 1970; None where it does not say.
        formerly: ids under which the same person may have been known before, likeliest first.

    """

    address: str
    incoming: Incoming
    attachment: str | None = None
    written_at: float | None = None
    formerly: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """Every id under which the person may be known, today's first."""
        return (self.address, *self.formerly)


@dataclass(frozen=True)
class Moved:
    """Somebody whose id at the channel changed: they have another number.

    Attributes:
        before: the ids under which they may be known, likeliest first.
        address: the one from now on.

    """

    before: tuple[str, ...]
    address: str


class RetryLaterError(Exception):
    """The provider did not take it this time.

    Args:
        after: seconds that the provider asks to wait for this person; None where it says nothing.

    """

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after


class UndeliverableError(Exception):
    """The reply will never reach this person: they blocked us, or the chat is gone. `reason` is a short code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MalformedPayloadError(ValueError):
    """What came in is nothing that this provider sends; answered 400."""


class ForgedRequestError(ValueError):
    """What came in was not signed by the provider; answered 403."""


class Channel(Protocol):
    """A messenger."""

    name: str
    per_second: float  # messages to all people together that the provider takes
    per_person_seconds: float  # between two messages to one person

    async def send(self, address: str, reply: Reply) -> str | None:
        """Send a reply.

        Returns:
            The provider's id of the (last) message.

        Raises:
            RetryLaterError: try again.
            UndeliverableError: don't.

        """

    async def show_typing(self, address: str, *, last_message: str) -> None:
        """Show for some seconds that a person is writing to them; a failure is nobody's trouble.

        Args:
            last_message: the provider's id of the last thing that they wrote.

        """

    async def fetch(self, reference: str, *, most: int) -> bytes:
        """A file that somebody sent.

        Args:
            reference: the channel's id of it.
            most: bytes.

        Raises:
            RetryLaterError: try again.
            UndeliverableError: don't; `too_large` where it has more bytes than that.

        """
