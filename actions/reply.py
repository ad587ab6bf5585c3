"""What the bot wants to say, as data: every channel renders it by its own rules and none of them knows topics."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# The smallest of the channels' limits (Telegram's callback_data, in bytes): a button carries an id, never text.
MAX_PAYLOAD_BYTES = 64


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Button(_Part):
    """Something to press: what it says and the intent that it sends."""

    label: Annotated[str, Field(min_length=1)]
    payload: Annotated[str, Field(pattern=r"^/")]


class Link(_Part):
    """An address to open."""

    label: str
    url: str


class ListKind(StrEnum):
    """Whether the order of a section's items means something."""

    STEPS = "steps"
    BULLETS = "bullets"


class Section(_Part):
    """A heading with a list under it."""

    heading: str
    kind: ListKind
    items: tuple[str, ...]


class ContactCard(_Part):
    """Somebody to call or write to; `notes` are short lines such as "open now · free"."""

    name: str
    what_for: str
    phone: str | None = None
    whatsapp: str | None = None
    email: str | None = None
    url: str | None = None
    notes: tuple[str, ...] = ()
    is_open: bool | None = None


class SourceNote(_Part):
    """Where an answer comes from and when that was last checked, both written out."""

    title: str
    url: str | None
    checked: str


class Author(StrEnum):
    """Who says it. A reply by staff is what a person wrote or sent."""

    BOT = "bot"
    STAFF = "staff"


class Effect(StrEnum):
    """Something that the service has to do besides saying the reply."""

    DELETE_DATA = "delete_data"
    OFFER_PERSON = "offer_person"  # the person wants a human: say what staff can do for them
    ASK_PERSON = "ask_person"  # they said yes to that
    CONSENT = "consent"  # they said that staff may read the chat
    NO_CONSENT = "no_consent"


class Reply(_Part):
    """One thing said by the bot. Text may carry **bold**; nothing else is markup.

    `question` is what the buttons below answer, where the reply ends with one.
    """

    language: str
    text: str
    notice: str | None = None
    title: str | None = None
    warnings: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    contacts_heading: str | None = None
    contacts: tuple[ContactCard, ...] = ()
    sources_heading: str | None = None
    sources: tuple[SourceNote, ...] = ()
    links: tuple[Link, ...] = ()
    note: str | None = None
    question: str | None = None
    buttons: tuple[Button, ...] = ()
    asks_location: bool = False
    is_urgent: bool = False
    topic: str | None = None
    effect: Effect | None = None
    author: Author = Author.BOT
