"""Puts the web application together and runs what lives beside it: workers, the loading of the model, the watch on content."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import structlog
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actions.content import use_store
from bot import inbox, people
from bot.conversations import Worker, utc_now
from bot.frozen import FrozenPath
from bot.service import Service
from bot.web import chat, pages
from bot.web.events import Announcer
from knowledge.schema import ParameterKind

STATIC = Path(__file__).parent / "static"
CLEAN_UP_EVERY = timedelta(hours=1)
# No script or style from anywhere but here; the page may be framed by nobody.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "geolocation=(self), camera=(), microphone=()",
}

log = structlog.get_logger()
LoadAssistant = Callable[[], object]


def create_app(service: Service) -> FastAPI:
    """The application for a service; the model is loaded behind it while it listens already."""
    app = FastAPI(
        title="Wegwijs chat API",
        version="1",
        description="What the chat on the web page uses: write a message, read the answers. No name, no e-mail, no cookie.",
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.state.announcer = Announcer()
    app.state.frozen = FrozenPath(service.content.current().content)
    app.state.worker = Worker(service.sessions, app.state.frozen, on_reply=app.state.announcer.announce)
    if service.settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(service.settings.allowed_origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
        )
    app.add_middleware(SecurityHeaders)
    app.include_router(chat.router)
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


class SecurityHeaders:
    """Adds the headers above to every response; plain ASGI, because Starlette's own base costs two milliseconds a request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and its response back."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    use_store(service.content)
    app.state.announcer.bind(asyncio.get_running_loop())
    if service.owns_database:
        with service.sessions.begin() as session:
            inbox.release_all(session)
    tasks = [
        asyncio.create_task(app.state.worker.run(), name="worker"),
        asyncio.create_task(_load_assistant(app), name="model"),
        asyncio.create_task(_watch_content(service), name="content"),
        asyncio.create_task(_clean_up(service), name="clean-up"),
    ]
    yield
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task


async def _load_assistant(app: FastAPI) -> None:
    service: Service = app.state.service
    try:
        app.state.worker.assistant = await asyncio.to_thread(service.load_assistant)
    except Exception:
        log.exception("model_not_loaded")
        return
    log.info("model_loaded")
    app.state.worker.wake()


async def _watch_content(service: Service) -> None:
    version = service.content.current().version
    while True:
        await asyncio.sleep(service.settings.content_check_seconds)
        try:
            edition = await asyncio.to_thread(service.content.refresh)
        except Exception:
            # The edition in memory goes on being served.
            log.exception("content_not_refreshed")
            continue
        if edition.version != version:
            version = edition.version
            log.info("content_changed", version=version)


async def _clean_up(service: Service) -> None:
    while True:
        try:
            await asyncio.to_thread(_delete_expired, service)
        except Exception:
            log.exception("clean_up_failed")
        await asyncio.sleep(CLEAN_UP_EVERY.total_seconds())


def _delete_expired(service: Service) -> None:
    now = utc_now()
    parameter = service.content.current().content.parameters[people.MESSAGE_DAYS]
    value = parameter.on(now.date())
    if value is None or parameter.kind is not ParameterKind.NUMBER:
        raise ValueError(f"{people.MESSAGE_DAYS} has no number for today")
    with service.sessions.begin() as session:
        gone = people.delete_expired(session, days=int(str(value.value)), now=now)
    log.info("expired_messages_deleted", messages=gone)
