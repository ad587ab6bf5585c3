"""The chat's HTTP API: begin, write, read, listen, delete. The page uses it, and so may any other client.

Who holds the token holds the conversation; the server keeps only a keyed hash of it. A message is answered 202 after it is
stored, with an id by which the client may send it again without its being taken twice.

Whatever else is wrong with a message, its text is judged first: every response to somebody in danger carries the help, also
where the message is too long, one too many, without a token, or can't be stored.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, NoReturn

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request, Response, status
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sse_starlette.sse import EventSourceResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from actions.reply import Reply
from bot import cases, handover, inbox, outbox, people
from bot.bidi import isolated
from bot.conversations import utc_now
from bot.frozen import FrozenPath
from bot.inbox import Found, Incoming, Kind
from bot.limits import matter_of
from bot.models import Conversation, InboxMessage
from bot.service import Service
from bot.web.body import BodyTooLargeError, BodyTooSlowError, read_body, readable
from bot.web.texts import page_texts
from knowledge.database import empty_the_log, reading
from nlu.urgency import Level, Urgency

CHANNEL = "web"
HEARTBEAT_SECONDS = 20
LOOK_AGAIN_SECONDS = 2.0  # for what another process stored
STORE_SECONDS = 0.7  # to wait for a database that is busy: somebody in danger looks at the screen meanwhile
BEGIN_SECONDS = 5.0  # nobody in danger waits for this: the help does not need a conversation
STREAMS_PER_CONVERSATION = 4
STREAMS_PER_ADDRESS = 300
LONG_TEXT = 500  # characters
DELETE_SECONDS = 2.0
LARGEST_CURSOR = 2**53 - 1
router = APIRouter(prefix="/api/v1", tags=["chat"])


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Position(_Body):
    """A shared position in degrees."""

    latitude: float = Field(ge=-90, le=90, allow_inf_nan=False)
    longitude: float = Field(ge=-180, le=180, allow_inf_nan=False)


class NewMessage(_Body):
    """What the person wrote, pressed or shared: exactly one of the three."""

    id: str = Field(
        min_length=8, max_length=64, description="Made by the client; the same message sent again has the same."
    )
    text: str | None = None
    button: str | None = Field(None, pattern=r"^/[a-z0-9_]+(\.[a-z0-9_]+)?(\{.*\})?$", max_length=128)
    position: Position | None = None
    language: str | None = Field(None, max_length=8, description="The language setting of the page, as a hint.")


class Token(_Body):
    """The key to a new conversation."""

    token: str


class Accepted(_Body):
    """The message is stored; `duplicate` where it was stored before.

    An urgent message is answered here and now: `reply` is the help, and `cursor` its place in the transcript.
    """

    id: str
    duplicate: bool
    reply: Reply | None = None
    cursor: int | None = None


class Refused(_Body):
    """Why a message was not taken, as a code of the page's texts; `reply` is what the person needs all the same."""

    detail: str
    reply: Reply | None = None


class Entry(_Body):
    """One entry of the conversation: the person's, the bot's, or that of a member of staff."""

    cursor: int
    author: Literal["person", "bot", "staff"]
    at: datetime
    id: str | None = None
    text: str | None = None
    button: str | None = None
    reply: dict[str, Any] | None = None


class Transcript(_Body):
    """Entries in order; `cursor` is what to ask with next time."""

    entries: list[Entry]
    cursor: int


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceOf = Annotated[Service, Depends(_service)]


def _hashes(service: Service, authorization: str) -> tuple[str, ...]:
    """Where the conversation may be found: under today's key first."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "error.no_token")
    return inbox.address_hashes(CHANNEL, token, keys=service.keys)


def _gone() -> NoReturn:
    raise HTTPException(status.HTTP_404_NOT_FOUND, "error.no_conversation")


async def _conversation_id(service: ServiceOf, authorization: Annotated[str, Header()] = "") -> str:
    hashes = _hashes(service, authorization)

    def find() -> Found | None:
        with reading(service.sessions) as session:
            return inbox.find_conversation(session, CHANNEL, *hashes)

    found = await run_in_threadpool(find)
    return found.id if found is not None else _gone()


ConversationId = Annotated[str, Depends(_conversation_id)]


@router.post("/conversations", status_code=status.HTTP_201_CREATED)
async def begin(request: Request, service: ServiceOf) -> Token:
    """Begin a conversation. Nothing is asked and nothing is known but the token that comes back."""
    if not request.app.state.limits.conversations.allows(_address(request)):
        raise HTTPException(status.HTTP_429_TOO_MANY_REQUESTS, "error.too_many", {"Retry-After": "60"})
    token = secrets.token_urlsafe(24)
    hashed = inbox.address_hash(CHANNEL, token, key=service.key)
    now = utc_now()
    await service.writer.run(
        lambda session: inbox.conversation_of(session, CHANNEL, hashed, now=now), within=BEGIN_SECONDS
    )
    return Token(token=token)


@router.post(
    "/messages",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=Accepted,
    responses={code: {"model": Refused} for code in (401, 404, 413, 422, 429, 503)},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": NewMessage.model_json_schema()}},
        }
    },
)
async def write(
    request: Request, service: ServiceOf, authorization: Annotated[str, Header()] = ""
) -> Accepted | JSONResponse:
    """Write a message. 202 means that it is stored and will be answered, also when the server stops now.

    Whoever is in danger gets the help in this response, whatever its status.
    """
    arrival = await _arrival(request)
    try:
        return await _take(request, service, arrival, authorization)
    except HTTPException as refusal:
        reply = arrival.help(None)
        return _refused(refusal.status_code, str(refusal.detail), reply, refusal.headers)
    except (SQLAlchemyError, TimeoutError):
        reply = arrival.help(None) or arrival.sorry()
        return _refused(503, "error.database", reply, {"Retry-After": "5"})


@router.get("/messages")
async def read(
    request: Request,
    service: ServiceOf,
    conversation_id: ConversationId,
    after: Annotated[int, Query(ge=0, le=LARGEST_CURSOR)] = 0,
) -> Transcript:
    """The conversation since `after`, a cursor from an earlier answer; from the beginning without it."""
    transcript = await run_in_threadpool(_read, service, conversation_id, after)
    if transcript is None:
        _gone()
    request.app.state.marks.note(conversation_id, transcript.cursor)
    return transcript


@router.get("/events")
async def listen(
    request: Request,
    service: ServiceOf,
    conversation_id: ConversationId,
    after: Annotated[int, Query(ge=0, le=LARGEST_CURSOR)] = 0,
) -> EventSourceResponse:
    """New entries as server-sent events, from `after` on; each carries a transcript as JSON.

    The event `typing` says that one of the staff is writing; `gone` ends the stream when the conversation was deleted.
    """
    limits, address = request.app.state.limits, _address(request)
    if not (limits.streams.has_room(conversation_id) and limits.streams_of_address.has_room(address)):
        raise HTTPException(status.HTTP_429_TOO_MANY_REQUESTS, "error.too_many", {"Retry-After": "10"})
    # What another process of the same service stores is not announced here.
    look_again = None if service.owns_database else LOOK_AGAIN_SECONDS

    async def events() -> AsyncIterator[dict[str, Any]]:
        cursor = after
        with (
            limits.streams.taken(conversation_id),
            limits.streams_of_address.taken(address),
            request.app.state.announcer.listening(conversation_id) as something_new,
        ):
            while True:
                something_new.clear()
                if something_new.is_typing:
                    something_new.is_typing = False
                    yield {"event": "typing", "data": ""}
                transcript = await run_in_threadpool(_read, service, conversation_id, cursor)
                if transcript is None:
                    yield {"event": "gone", "data": ""}
                    return
                if transcript.entries:
                    cursor = transcript.cursor
                    yield {"event": "entries", "id": str(cursor), "data": transcript.model_dump_json()}
                    request.app.state.marks.note(conversation_id, cursor)
                try:
                    await asyncio.wait_for(something_new.wait(), look_again)
                except TimeoutError:
                    continue

    return EventSourceResponse(events(), ping=HEARTBEAT_SECONDS)


@router.delete("/conversation", status_code=status.HTTP_204_NO_CONTENT)
async def delete(request: Request, service: ServiceOf, conversation_id: ConversationId) -> Response:
    """Delete the conversation with everything in it: 204 when it is done, 202 when it will be as soon as the database is free.

    Whoever leaves the page does not wait for the answer, so the deletion is not given up either.
    """
    beside = request.app.state.beside
    beside.add(done := asyncio.create_task(_forget(request, service, conversation_id), name="deletion"))
    done.add_done_callback(beside.discard)
    try:
        await asyncio.wait_for(asyncio.shield(done), DELETE_SECONDS)
    except TimeoutError:
        return Response(status_code=status.HTTP_202_ACCEPTED)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


async def _forget(request: Request, service: Service, conversation_id: str) -> None:
    now = utc_now()
    # Handed in and shielded: also a service that stops now finishes it.
    gone = service.writer.submit(lambda session: people.forget(session, conversation_id, now=now))
    await asyncio.shield(asyncio.wrap_future(gone))
    await run_in_threadpool(empty_the_log, service.engine)
    request.app.state.announcer.announce(conversation_id)


@router.get("/texts/{language}")
async def texts(service: ServiceOf, language: str) -> dict[str, Any]:
    """What the chat window itself says in a language, its direction, and the names of all languages."""
    content = service.content.current().content
    if language not in content.known_languages:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"no such language; there are {', '.join(content.languages)}")
    return page_texts(content, language)


@dataclass(frozen=True)
class _Arrival:
    """A message the moment it arrived: what could be read of it, and what the phrases make of that."""

    data: object
    text: str
    hint: str | None
    urgency: Urgency | None
    now: datetime
    frozen: FrozenPath

    @property
    def is_certain(self) -> bool:
        return self.urgency is not None and self.urgency.level is Level.CERTAIN

    def help(self, language: str | None) -> Reply | None:
        """The help for somebody who is certainly in danger."""
        if not self.is_certain:
            return None
        return self.frozen.urgent_reply(self.text, language=language, hint=self.hint, now=self.now)

    def too_many(self, language: str | None) -> Reply:
        """What to do where it is one message too many."""
        return self.frozen.too_many(self.text, language=language, hint=self.hint)

    def sorry(self) -> Reply:
        """The honest word that the message could not be kept."""
        return self.frozen.failed(self.text, language=None, hint=self.hint, now=self.now, is_kept=False)


async def _arrival(request: Request) -> _Arrival:
    frozen: FrozenPath = request.app.state.frozen()
    data: object
    try:
        raw = await read_body(request)
        data = json.loads(raw)
    except BodyTooLargeError as unfinished:
        raw, data = unfinished.beginning, HTTPException(413, "error.too_long")
    except BodyTooSlowError as unfinished:
        raw, data = unfinished.beginning, HTTPException(408, "error.too_slow")
    except (ValueError, RecursionError):
        data = HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, "error.no_json")
    fields = data if isinstance(data, dict) else {}
    text = fields.get("text")
    hint = fields.get("language")
    hint = hint if isinstance(hint, str) and len(hint) <= 8 else None
    said = text if isinstance(text, str) else " ".join(_strings(data)) or readable(raw)
    text = _whole(said)
    # Longer than anybody writes: judged beside the loop that serves everybody else.
    urgency = frozen.judge(text) if len(text) < LONG_TEXT else await run_in_threadpool(frozen.judge, text)
    return _Arrival(data, text, hint, urgency, utc_now(), frozen)


def _strings(data: object, depth: int = 4) -> Iterator[str]:
    """Every text in what was sent: a client that somebody wrote in a hurry may put a cry for help anywhere."""
    if isinstance(data, str):
        yield data
    elif depth and isinstance(data, dict | list):
        for value in data.values() if isinstance(data, dict) else data:
            yield from _strings(value, depth - 1)


async def _take(request: Request, service: Service, arrival: _Arrival, authorization: str) -> Accepted | JSONResponse:
    if isinstance(arrival.data, HTTPException):
        raise arrival.data
    incoming, message_id = _incoming(arrival, service.settings.max_text_characters)
    hashes = _hashes(service, authorization)
    hashed = hashes[0]
    limits = request.app.state.limits
    matter = matter_of(incoming, arrival.urgency, arrival.frozen)
    # The limits are for those who flood, not for those who cry or press what we have offered: an address has others for these.
    is_over = not limits.messages.allows(hashed, matter)
    is_free = arrival.urgency is not None
    is_over = is_over or not (is_free or limits.of_address.allows(f"{_address(request)}:{matter}"))
    stored = await service.writer.run(
        lambda session: _store(session, hashes, incoming, arrival, is_over=is_over), within=STORE_SECONDS
    )
    if stored is None:
        _gone()
    if stored.is_refused:
        reply = arrival.help(stored.language) or arrival.too_many(stored.language)
        return _refused(status.HTTP_429_TOO_MANY_REQUESTS, "error.too_many", reply, {"Retry-After": "60"})
    if stored.help is None and not stored.is_duplicate:
        request.app.state.worker.wake()
    elif stored.help is not None:
        request.app.state.announcer.announce(stored.conversation_id)
    return Accepted(id=message_id, duplicate=stored.is_duplicate, reply=stored.help, cursor=stored.cursor)


@dataclass(frozen=True)
class _Stored:
    conversation_id: str
    is_duplicate: bool = False
    is_refused: bool = False
    language: str | None = None
    help: Reply | None = None
    cursor: int | None = None


def _store(
    session: Session, hashes: Sequence[str], incoming: Incoming, arrival: _Arrival, *, is_over: bool
) -> _Stored | None:
    found = inbox.find_conversation(session, CHANNEL, *hashes)
    if found is None:
        return None
    if is_over:
        is_known = inbox.is_stored(session, found.id, incoming.provider_id)
        return _Stored(found.id, is_duplicate=is_known, is_refused=not is_known, language=found.language)
    is_urgent = arrival.urgency is not None
    inbox_id = inbox.accept(session, found.id, incoming, now=arrival.now, is_urgent=is_urgent)
    if inbox_id is None:
        return _Stored(found.id, is_duplicate=True)
    reply = arrival.help(found.language)
    if reply is None or not reply.topic:
        return _Stored(found.id)
    with_staff = cases.kind_with_staff(session, found.id)
    asks = handover.open_for(session, found.id, reply.topic, language=reply.language, now=arrival.now)
    if with_staff == reply.topic:
        return _Stored(found.id)  # a person is there for just this: the numbers were given and are not said again
    cursor = outbox.store_help(session, inbox_id, reply, now=arrival.now)
    if asks:
        handover.ask_consent(session, arrival.frozen.content, found.id, language=reply.language, now=arrival.now)
    return _Stored(found.id, help=isolated(reply), cursor=cursor)


def _incoming(arrival: _Arrival, limit: int) -> tuple[Incoming, str]:
    try:
        message = NewMessage.model_validate(arrival.data)
    except ValidationError as error:
        # Which field is wrong, never what stood in it.
        fields = sorted({str(fault["loc"][0]) if fault["loc"] else "body" for fault in error.errors()})
        raise HTTPException(422, f"error.wrong_fields: {', '.join(fields)}"[:200]) from None
    given = [value for value in (message.text, message.button, message.position) if value is not None]
    if len(given) != 1:
        raise HTTPException(422, "error.wrong_fields: send exactly one of text, button and position")
    message_id = _whole(message.id)
    if message.position is not None:
        body = f"{message.position.latitude},{message.position.longitude}"
        return Incoming(message_id, Kind.LOCATION, body, arrival.hint), message_id
    if message.button is not None:
        return Incoming(message_id, Kind.BUTTON, _whole(message.button), arrival.hint), message_id
    text = arrival.text.replace("\x00", "").strip()
    if not text:
        raise HTTPException(422, "error.empty")
    if len(text) > limit:
        raise HTTPException(422, "error.too_long")
    return Incoming(message_id, Kind.TEXT, text, arrival.hint), message_id


def _whole(text: str) -> str:
    """The text without halves of characters, which no database takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _refused(code: int, detail: str, reply: Reply | None, headers: Any) -> JSONResponse:
    shown = isolated(reply).model_dump(mode="json") if reply is not None else None
    return JSONResponse({"detail": detail, "reply": shown}, code, headers)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _read(service: Service, conversation_id: str, after: int) -> Transcript | None:
    with reading(service.sessions) as session:
        if session.execute(select(Conversation.id).where(Conversation.id == conversation_id)).first() is None:
            return None
        return _transcript(session, conversation_id, after)


def _transcript(session: Session, conversation_id: str, after: int) -> Transcript:
    replies = outbox.after(session, conversation_id, after)
    entries = [
        Entry(cursor=one.id, author=one.reply.get("author", "bot"), at=one.created_at, reply=one.reply)
        for one in replies
    ]
    if after == 0:
        entries += _what_was_written(session, conversation_id)
        entries.sort(key=lambda entry: (entry.at, entry.author != "person"))
    return Transcript(entries=entries, cursor=max([after, *(delivery.id for delivery in replies)]))


def _what_was_written(session: Session, conversation_id: str) -> list[Entry]:
    rows = session.execute(
        select(InboxMessage.provider_id, InboxMessage.kind, InboxMessage.body, InboxMessage.received_at)
        .where(InboxMessage.conversation_id == conversation_id, InboxMessage.body != "")
        .order_by(InboxMessage.id)
    )
    return [
        Entry(
            cursor=0,
            author="person",
            at=row.received_at,
            id=row.provider_id,
            text=row.body if row.kind == Kind.TEXT else None,
            button=row.body if row.kind == Kind.BUTTON else None,
        )
        for row in rows
        if row.kind != Kind.LOCATION
    ]
