"""The chat's HTTP API: begin, write, read, listen, delete. The page uses it, and so may any other client.

Who holds the token holds the conversation; the server keeps only a keyed hash of it. A message is answered 202 after it is
stored, with an id by which the client may send it again without its being taken twice.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request, Response, status
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from sse_starlette.sse import EventSourceResponse
from starlette.responses import JSONResponse

from actions.reply import Reply
from bot import inbox, outbox, people
from bot.bidi import isolated
from bot.conversations import utc_now
from bot.inbox import Incoming, Kind
from bot.models import Conversation, InboxMessage
from bot.service import Service
from knowledge.database import reading

CHANNEL = "web"
HEARTBEAT_SECONDS = 20
router = APIRouter(prefix="/api/v1", tags=["chat"])


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Position(_Body):
    """A shared position in degrees."""

    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)


class NewMessage(_Body):
    """What the person wrote, pressed or shared: exactly one of the three."""

    id: str = Field(
        min_length=8, max_length=64, description="Made by the client; the same message sent again has the same."
    )
    text: str | None = None
    button: str | None = Field(None, pattern=r"^/[a-z_]+(\.[a-z_]+)?(\{.*\})?$", max_length=64)
    position: Position | None = None
    language: str | None = Field(None, max_length=8, description="The language setting of the page, as a hint.")


class Token(_Body):
    """The key to a new conversation."""

    token: str


class Accepted(_Body):
    """The message is stored; `duplicate` where it was stored before."""

    id: str
    duplicate: bool


class Entry(_Body):
    """One entry of the conversation, the person's or the bot's."""

    cursor: int
    author: Literal["person", "bot"]
    at: datetime
    id: str | None = None
    text: str | None = None
    reply: Reply | None = None


class Transcript(_Body):
    """Entries in order; `cursor` is what to ask with next time."""

    entries: list[Entry]
    cursor: int


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceOf = Annotated[Service, Depends(_service)]


def _find(session: Session, service: Service, authorization: str) -> Conversation:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "send 'Authorization: Bearer <token>'")
    hashed = inbox.address_hash(CHANNEL, token, key=service.key)
    found = session.scalar(
        select(Conversation).where(Conversation.channel == CHANNEL, Conversation.address_hash == hashed)
    )
    if found is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "there is no such conversation (any more): begin a new one")
    return found


def _conversation_id(service: ServiceOf, authorization: Annotated[str, Header()] = "") -> str:
    with reading(service.sessions) as session:
        return _find(session, service, authorization).id


ConversationId = Annotated[str, Depends(_conversation_id)]


@router.post("/conversations", status_code=status.HTTP_201_CREATED)
def begin(service: ServiceOf) -> Token:
    """Begin a conversation. Nothing is asked and nothing is known but the token that comes back."""
    token = secrets.token_urlsafe(24)
    with service.sessions.begin() as session:
        inbox.conversation_of(session, CHANNEL, inbox.address_hash(CHANNEL, token, key=service.key), now=utc_now())
    return Token(token=token)


@router.post("/messages", status_code=status.HTTP_202_ACCEPTED, response_model=Accepted)
def write(
    request: Request,
    service: ServiceOf,
    message: NewMessage,
    authorization: Annotated[str, Header()] = "",
) -> Accepted | JSONResponse:
    """Write a message. 202 means that it is stored and will be answered, also when the server stops now.

    With the database out of reach the answer is 503 and carries the help for urgent messages.
    """
    incoming = _incoming(message, service.settings.max_text_characters)
    now = utc_now()
    try:
        with service.sessions.begin() as session:
            conversation = _find(session, service, authorization)
            since = now - timedelta(minutes=1)
            if inbox.received_since(session, conversation.id, since) >= service.settings.messages_per_minute:
                raise HTTPException(
                    status.HTTP_429_TOO_MANY_REQUESTS, "too many messages: wait a minute", {"Retry-After": "60"}
                )
            stored = inbox.accept(session, conversation, incoming, now=now)
    except OperationalError:
        return _without_database(request, incoming, now)
    request.app.state.worker.wake_threadsafe()
    return Accepted(id=message.id, duplicate=stored is None)


@router.get("/messages")
def read(service: ServiceOf, conversation_id: ConversationId, after: Annotated[int, Query(ge=0)] = 0) -> Transcript:
    """The conversation since `after`, a cursor from an earlier answer; from the beginning without it."""
    with reading(service.sessions) as session:
        transcript = _transcript(session, conversation_id, after)
    if transcript.cursor > after:
        with service.sessions.begin() as session:
            outbox.mark_delivered(session, conversation_id, up_to=transcript.cursor, now=utc_now())
    return transcript


@router.get("/events")
async def listen(
    request: Request, service: ServiceOf, conversation_id: ConversationId, after: Annotated[int, Query(ge=0)] = 0
) -> EventSourceResponse:
    """New entries as server-sent events, from `after` on; each carries a transcript as JSON."""

    async def events() -> AsyncIterator[dict[str, Any]]:
        cursor = after
        with request.app.state.announcer.listening(conversation_id) as something_new:
            while True:
                something_new.clear()
                transcript = await asyncio.to_thread(read, service, conversation_id, cursor)
                if transcript.entries:
                    cursor = transcript.cursor
                    yield {"event": "entries", "id": str(cursor), "data": transcript.model_dump_json()}
                await something_new.wait()

    return EventSourceResponse(events(), ping=HEARTBEAT_SECONDS)


@router.delete("/conversation", status_code=status.HTTP_204_NO_CONTENT)
def delete(service: ServiceOf, conversation_id: ConversationId) -> Response:
    """Delete the conversation with everything in it, at once."""
    with service.sessions.begin() as session:
        people.forget(session, conversation_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.get("/texts/{language}")
def texts(service: ServiceOf, language: str) -> dict[str, Any]:
    """What the chat window itself says in a language, its direction, and the names of all languages."""
    phrases = service.content.current().content.phrases
    if language not in phrases:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"no such language; there are {', '.join(sorted(phrases))}")
    own = phrases[language]
    shown = {k: v for k, v in own.phrases.items() if k.startswith(("web.", "error.", "button.", "label.", "page."))}
    names = {code: {"name": entry.name, "direction": entry.direction} for code, entry in sorted(phrases.items())}
    return {"language": language, "direction": own.direction, "texts": shown, "languages": names}


def _incoming(message: NewMessage, limit: int) -> Incoming:
    given = [value for value in (message.text, message.button, message.position) if value is not None]
    if len(given) != 1:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, "send exactly one of text, button and position")
    if message.position is not None:
        body = f"{message.position.latitude},{message.position.longitude}"
        return Incoming(message.id, Kind.LOCATION, body, message.language)
    if message.button is not None:
        return Incoming(message.id, Kind.BUTTON, message.button, message.language)
    text = (message.text or "").replace("\x00", "").strip()
    if not text:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, "error.empty")
    if len(text) > limit:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, "error.too_long")
    return Incoming(message.id, Kind.TEXT, text, message.language)


def _transcript(session: Any, conversation_id: str, after: int) -> Transcript:
    replies = outbox.undelivered(session, conversation_id, after=after)
    mine = (
        session.scalars(
            select(InboxMessage)
            .where(
                InboxMessage.conversation_id == conversation_id, InboxMessage.kind == Kind.TEXT, InboxMessage.body != ""
            )
            .order_by(InboxMessage.id)
        ).all()
        if after == 0
        else []
    )
    entries = [Entry(cursor=0, author="person", at=m.received_at, id=m.provider_id, text=m.body) for m in mine]
    entries += [Entry(cursor=d.id, author="bot", at=d.created_at, reply=d.reply) for d in replies]
    entries.sort(key=lambda entry: entry.at)
    return Transcript(entries=entries, cursor=max((d.id for d in replies), default=after))


def _without_database(request: Request, incoming: Incoming, now: datetime) -> JSONResponse:
    frozen = request.app.state.frozen
    text = incoming.body if incoming.kind is Kind.TEXT else ""
    reply = frozen.urgent_reply(text, language=None, hint=incoming.hint, now=now)
    reply = reply or frozen.failed(text, language=None, hint=incoming.hint, now=now)
    return JSONResponse(
        {"detail": "error.failed", "reply": isolated(reply).model_dump(mode="json")}, 503, {"Retry-After": "5"}
    )
