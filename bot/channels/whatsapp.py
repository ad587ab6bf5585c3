"""WhatsApp (Cloud API): webhooks in, messages out. When a reply goes and how often it is tried again: `bot.channels.delivery`.

Sizes: https://developers.facebook.com/docs/whatsapp/cloud-api/messages (text, interactive reply buttons, interactive lists).
Outside 24 hours after the person's last message only a template may be sent; ours says that there is an answer and nothing else,
since somebody else may look at the phone.

People are known by their business-scoped id, which every webhook carries since 2026, and under their number, which may be missing:
https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import httpx

from actions.reply import Button, Reply
from bot import outbox
from bot.channels.port import (
    ForgedRequestError,
    MalformedPayloadError,
    Moved,
    Received,
    RetryLaterError,
    UndeliverableError,
)
from bot.channels.render import blocks, shortened, split, with_bold
from bot.inbox import Incoming, Kind
from knowledge.files import Content

MAX_TEXT_CHARACTERS = 4096
MAX_BODY_CHARACTERS = 1024  # of a message with buttons or a list
MOST_BUTTONS = 3
BUTTON_CHARACTERS = 20
MOST_ROWS = 10
ROW_CHARACTERS = 24
ROW_DESCRIPTION_CHARACTERS = 72
SIGNATURE_HEADER = "x-hub-signature-256"
# https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
RATE_LIMITED = frozenset({4, 80007, 130429, 131048, 131056})
WINDOW_CLOSED = 131047
NEVER = frozenset({131026, 131051, 131009, 100, 470, 131021})  # not on WhatsApp, not supported, wrong value
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError)
ATTACHMENTS = frozenset({"audio", "voice", "image", "video", "document", "sticker", "contacts", "unsupported", "order"})
# https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/system
CHANGED_ID = frozenset({"user_changed_number", "user_changed_user_id", "customer_changed_number"})
_SCOPED_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,132}")
TEMPLATE = "wegwijs_answer"  # its words in each served language, for Meta to approve: docs/channels.md


@dataclass(frozen=True)
class Status:
    """What WhatsApp says of a message of ours."""

    provider_id: str
    state: str


@dataclass(frozen=True)
class Parsed:
    """What a webhook brought; `left_out` is how many messages could not be read, which keep the others from nobody."""

    received: tuple[Received, ...]
    statuses: tuple[Status, ...]
    moved: tuple[Moved, ...] = ()
    left_out: int = 0


def handshake(query: Mapping[str, str], *, token: str) -> str:
    """What to answer to Meta's verification of the address; raises `ForgedRequestError` where the token is wrong."""
    is_ours = token and hmac.compare_digest(query.get("hub.verify_token", "").encode(), token.encode())
    if query.get("hub.mode") != "subscribe" or not is_ours:
        raise ForgedRequestError("the verify token is missing or wrong")
    return query.get("hub.challenge", "")


def verify(headers: Mapping[str, str], body: bytes, *, secret: str) -> None:
    """Check the signature over the raw body; raises `ForgedRequestError` where it does not fit, or no secret is set."""
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if not secret or not hmac.compare_digest(headers.get(SIGNATURE_HEADER, "").encode(), expected.encode()):
        raise ForgedRequestError("the signature is missing or wrong")


def parse(body: bytes) -> Parsed:
    """Messages and statuses of a webhook.

    Raises:
        MalformedPayloadError: it is no webhook of WhatsApp's.

    """
    found = _Found()
    try:
        for entry in json.loads(body)["entry"]:
            for change in entry["changes"]:
                found.take(change["value"])
    except (*_UNREADABLE, RecursionError):
        raise MalformedPayloadError("this is no webhook of WhatsApp's") from None
    if found.left_out and not (found.received or found.moved or found.statuses):
        raise MalformedPayloadError("this is no webhook of WhatsApp's")
    return Parsed(tuple(found.received), tuple(found.statuses), tuple(found.moved), found.left_out)


class _Found:
    """Gathers what the changes of a webhook bring."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.moved: list[Moved] = []
        self.statuses: list[Status] = []
        self.left_out = 0

    def take(self, value: Mapping[str, Any]) -> None:
        """Read one change; what of it can't be read is counted."""
        for message in value.get("messages", ()):
            try:
                if message["type"] == "system":
                    self.moved += _moved(message)
                else:
                    self.received += _message(message)
            except _UNREADABLE:
                self.left_out += 1
        for status in value.get("statuses", ()):
            try:
                self.statuses.append(Status(str(status["id"]), str(status["status"])))
            except _UNREADABLE:
                self.left_out += 1


def _moved(message: Mapping[str, Any]) -> Iterator[Moved]:
    """People who have another number, and with it another id; some share only the one, some only the other."""
    system = message["system"]
    if system.get("type") in CHANGED_ID:
        before = _ids(system.get("previous_user_id"), message.get("from_user_id"), message.get("from"))
        now = _ids(system.get("user_id"), system.get("wa_id") or system.get("new_wa_id"))
        if before and now:
            yield Moved(before, now[0])


def _ids(*ids: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(one) for one in ids if one))


def _message(message: Mapping[str, Any]) -> Iterator[Received]:
    if message.get("group_id"):
        return  # nobody is spoken to about their affairs before others
    address, *formerly = _ids(message.get("from_user_id"), message.get("from"))
    provider_id = str(message["id"])
    is_edit = message["type"] == "edit"
    said = message["edit"]["message"] if is_edit else message
    incoming, attachment = _said(said, provider_id)
    if is_edit:
        # https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/edit
        incoming = replace(incoming, is_edit=True) if incoming is not None and incoming.kind is Kind.TEXT else None
    if incoming is not None:
        written_at = _seconds(message.get("timestamp"))
        yield Received(address, incoming, None if is_edit else attachment, written_at, tuple(formerly))


def _seconds(timestamp: object) -> float | None:
    # A cry is worth more than the time at which it was written.
    return float(timestamp) if isinstance(timestamp, str) and timestamp.isascii() and timestamp.isdigit() else None


def _said(message: Mapping[str, Any], provider_id: str) -> tuple[Incoming | None, str | None]:
    """What was said, and the id of a file that came with it; reactions, deletions and what is new at Meta's say nothing to us."""
    kind = message["type"]
    if kind == "text":
        return Incoming(provider_id, Kind.TEXT, str(message["text"]["body"])), None
    if kind == "interactive":
        answer = message["interactive"]
        chosen = answer.get("button_reply") or answer.get("list_reply")
        return (Incoming(provider_id, Kind.BUTTON, str(chosen["id"])) if chosen else None), None
    if kind == "button":  # of a template
        return Incoming(provider_id, Kind.TEXT, str(message["button"]["text"])), None
    if kind == "location":
        position = f"{float(message['location']['latitude'])},{float(message['location']['longitude'])}"
        return Incoming(provider_id, Kind.LOCATION, position), None
    return _attached(message.get(kind), provider_id) if kind in ATTACHMENTS else (None, None)


def _attached(attached: object, provider_id: str) -> tuple[Incoming, str | None]:
    about = attached if isinstance(attached, dict) else {}
    attachment = str(about["id"]) if about.get("id") else None
    if caption := about.get("caption"):
        return Incoming(provider_id, Kind.TEXT, str(caption)), attachment
    return Incoming(provider_id, Kind.BUTTON, "/cannot_read"), attachment


def render(reply: Reply, *, choose: str, location: str | None = None) -> list[dict[str, Any]]:
    """The messages of a reply, without the recipient; buttons or a list stand under the last one, a location is asked for after it.

    Args:
        choose: what the button says that opens a list.
        location: a text that asks for a position, where the reply asks for one.

    """
    buttons = list(reply.buttons)
    limit = MAX_BODY_CHARACTERS if buttons else MAX_TEXT_CHARACTERS
    parts = blocks(reply)
    texts = split(parts, MAX_TEXT_CHARACTERS)
    if buttons and len(texts[-1]) > limit:
        # What is too long to stand above buttons goes first, its last blocks that fit stay with them.
        texts = split(parts, limit)
        texts = [*_joined(texts[:-1]), texts[-1]]
    marked = [with_bold(text, escape=_plain, mark=lambda bold: f"*{bold.strip()}*") for text in texts]
    messages: list[dict[str, Any]] = [_text(text) for text in marked[:-1]]
    asked = [_location_request(location)] if reply.asks_location and location else []
    if not buttons:
        return [*messages, _text(marked[-1]), *asked]
    # A list has so many rows and no more; the rest stands under a word of its own.
    bodies = (marked[-1], *[choose] * len(buttons))
    starts = range(0, len(buttons), MOST_ROWS)
    lists = [
        _with_choices(body, buttons[at : at + MOST_ROWS], choose) for body, at in zip(bodies, starts, strict=False)
    ]
    return [*messages, *lists, *asked]


def _joined(texts: list[str]) -> list[str]:
    return split(texts, MAX_TEXT_CHARACTERS)


def _plain(text: str) -> str:
    # WhatsApp has no escape for its marks; a lone one would make the rest of the line bold.
    return text.replace("*", "∗")


def _text(body: str) -> dict[str, Any]:
    return {"type": "text", "text": {"body": body, "preview_url": False}}


def _location_request(body: str) -> dict[str, Any]:
    action = {"name": "send_location"}
    return {
        "type": "interactive",
        "interactive": {"type": "location_request_message", "body": {"text": body}, "action": action},
    }


def _with_choices(body: str, buttons: list[Button], choose: str) -> dict[str, Any]:
    text = {"text": body or "…"}
    if len(buttons) <= MOST_BUTTONS and all(len(button.label) <= BUTTON_CHARACTERS for button in buttons):
        replies = [{"type": "reply", "reply": {"id": b.payload, "title": b.label}} for b in buttons]
        return {
            "type": "interactive",
            "interactive": {"type": "button", "body": text, "action": {"buttons": replies}},
        }
    rows = []
    for button in buttons:
        row = {"id": button.payload, "title": shortened(button.label, ROW_CHARACTERS)}
        if len(button.label) > ROW_CHARACTERS:
            row["description"] = shortened(button.label, ROW_DESCRIPTION_CHARACTERS)
        rows.append(row)
    action = {"button": shortened(choose, BUTTON_CHARACTERS), "sections": [{"rows": rows}]}
    return {"type": "interactive", "interactive": {"type": "list", "body": text, "action": action}}


class WhatsApp:
    """The channel.

    Args:
        token: of the business account.
        phone_id: of the number that sends.
        api_url: Meta's Graph API with its version.

    """

    name = "whatsapp"
    per_second = 60.0  # of the 80 that Meta takes
    per_person_seconds = 6.0 / 45  # bursts of 45 in 6 seconds to one person, more slowly after that

    def __init__(self, token: str, phone_id: str, api_url: str, content: Callable[[], Content]) -> None:
        self._content = content
        self._api_url = api_url.rstrip("/")
        self._client = httpx.AsyncClient(
            base_url=f"{api_url.rstrip('/')}/{phone_id}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(15, connect=10),
        )

    async def send(self, address: str, reply: Reply) -> str | None:
        """Send a reply; see `bot.channels.port.Channel`."""
        phrases = self._content().phrases
        spoken = phrases.get(reply.language) or phrases["en"]
        choose = spoken.phrases["web.choose"]
        sent = None
        for message in render(reply, choose=choose, location=spoken.phrases["desks.ask"]):
            try:
                sent = await self._post({**_to(address), **message})
            except _WindowClosedError:
                language = reply.language if reply.language in phrases else "en"
                template = {"name": TEMPLATE, "language": {"code": language}}
                sent = await self._post({**_to(address), "type": "template", "template": template})
                raise UndeliverableError(outbox.WINDOW_CLOSED) from None
        return sent

    async def fetch(self, reference: str, *, most: int) -> bytes:
        """A file that somebody sent; see `bot.channels.port.Channel`."""
        try:
            # Meta gives an address that is good for five minutes and wants the same token.
            about = await self._client.get(f"{self._api_url}/{quote(reference, safe='')}")
            about.raise_for_status()
            if int(about.json().get("file_size") or 0) > most:
                raise UndeliverableError("too_large")
            data = bytearray()
            async with self._client.stream("GET", str(about.json()["url"])) as answer:
                answer.raise_for_status()
                async for piece in answer.aiter_bytes():
                    data += piece
                    if len(data) > most:
                        raise UndeliverableError("too_large")
        except httpx.HTTPStatusError as error:
            if error.response.status_code in (400, 404, 410):
                raise UndeliverableError("gone") from None
            raise RetryLaterError(f"http_{error.response.status_code}") from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RetryLaterError(type(error).__name__) from None
        return bytes(data)

    async def mark_read(self, provider_id: str) -> None:
        """Tell the person that the message was read; a failure is nobody's trouble."""
        await self._note(provider_id)

    async def show_typing(self, address: str, *, last_message: str) -> None:
        """Show for at most 25 seconds that a person is writing; see `bot.channels.port.Channel`."""
        await self._note(last_message, typing_indicator={"type": "text"})

    async def _note(self, provider_id: str, **more: Any) -> None:
        # https://developers.facebook.com/documentation/business-messaging/whatsapp/typing-indicators
        note = {"messaging_product": "whatsapp", "status": "read", "message_id": provider_id, **more}
        with suppress(httpx.HTTPError):
            await self._client.post("/messages", json=note)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _post(self, message: dict[str, Any]) -> str | None:
        body = {"messaging_product": "whatsapp", "recipient_type": "individual", **message}
        try:
            response = await self._client.post("/messages", json=body)
        except httpx.HTTPError as error:
            raise RetryLaterError(type(error).__name__) from None
        try:
            answer = response.json()
        except ValueError:
            raise RetryLaterError(f"http_{response.status_code}") from None
        if response.is_success:
            messages = answer.get("messages") or [{}]
            return messages[0].get("id")
        code = (answer.get("error") or {}).get("code")
        if code == WINDOW_CLOSED:
            raise _WindowClosedError
        if code in RATE_LIMITED or response.status_code == 429:
            after = response.headers.get("retry-after", "")
            raise RetryLaterError("rate", float(after) if after.isdigit() else None)
        if code in NEVER:
            raise UndeliverableError(f"code_{code}")
        raise RetryLaterError(f"code_{code}" if code else f"http_{response.status_code}")


def _to(address: str) -> dict[str, str]:
    # A number stands in one field, an id in another; with both, the number would count.
    return {"recipient" if _SCOPED_ID.fullmatch(address) else "to": address}


class _WindowClosedError(Exception):
    """The person wrote more than 24 hours ago."""
