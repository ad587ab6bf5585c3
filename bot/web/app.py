"""Puts the web application together and runs what lives beside it: database, worker, model, content, clean-up.

It listens at once. With the database out of reach or the model not loaded it serves the page and the help for people in danger,
and goes on by itself when they are there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse

from actions.content import use_store
from bot import cases, people, presence, sign_in
from bot.alert_ways import Alarm
from bot.channels.registry import Channels
from bot.console.routes import install as install_console
from bot.conversations import Worker, utc_now
from bot.deliveries import DeliveryMarks
from bot.desk import Desk
from bot.frozen import FrozenPath
from bot.limits import PerPerson, Slots, Window
from bot.service import Service
from bot.settings import Settings
from bot.web import chat, pages, webhooks, widget
from bot.web.compression import Compression
from bot.web.events import QUEUE, Announcer
from bot.web.shell import STATIC, Shell
from knowledge.database import empty_the_log
from knowledge.files import Content
from knowledge.schema import ParameterKind
from knowledge.store import ContentStore

CLEAN_UP_EVERY = timedelta(hours=1)
SILENCE_CHECK_SECONDS = 10.0
CASES_CHECK_SECONDS = 0.5
MARKS_EVERY_SECONDS = 2.0
CHANNELS_PAUSE_SECONDS = 1.0
DATABASE_CHECK_SECONDS = 1.0
DATABASE_PATIENCE_SECONDS = 3.0  # that the start waits for it

log = structlog.get_logger()


@dataclass(frozen=True)
class Limits:
    """Everything that is counted for one process."""

    conversations: Window
    messages: PerPerson
    of_address: Window
    streams: Slots
    streams_of_address: Slots

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits of the settings."""
        return cls(
            conversations=Window(settings.conversations_per_minute),
            messages=PerPerson(settings.messages_per_minute),
            of_address=Window(settings.messages_per_minute_of_address),
            streams=Slots(chat.STREAMS_PER_CONVERSATION),
            streams_of_address=Slots(chat.STREAMS_PER_ADDRESS),
        )


class FrozenPathOf:
    """The frozen path of the content that is being served, made anew when that changes."""

    def __init__(self, content: ContentStore) -> None:
        self._content = content
        self._version = content.current().version
        self._frozen = FrozenPath(content.current().content)

    def __call__(self) -> FrozenPath:
        """The frozen path of now."""
        return self._frozen

    def renew(self) -> None:
        """Look whether the content has changed; takes half a second where it has."""
        edition = self._content.current()
        if edition.version != self._version:
            self._frozen, self._version = FrozenPath(edition.content), edition.version


def create_app(service: Service) -> FastAPI:
    """The application for a service; database and model are got ready behind it while it listens already."""
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
    app.state.frozen = FrozenPathOf(service.content)
    app.state.limits = Limits.of(service.settings)
    app.state.marks = DeliveryMarks()
    app.state.beside = set()  # small tasks that nobody waits for

    def on_reply(conversation_id: str) -> None:
        app.state.announcer.announce(conversation_id)
        app.state.channels.delivery.wake()

    app.state.on_reply = on_reply
    app.state.desk = Desk(lambda: service.content.current().content)
    app.state.worker = Worker(
        service.writer,
        app.state.frozen,
        on_reply=on_reply,
        on_deleted=lambda: empty_the_log(service.engine),
    )

    def on_stored() -> None:
        app.state.worker.wake()
        app.state.announcer.announce(QUEUE)

    app.state.channels = Channels(service, app.state.frozen, on_stored=on_stored)
    app.state.alarm = Alarm(service.sessions, service.writer, service.settings, app.state.channels.telegram)
    if service.settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(service.settings.allowed_origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
        )
    app.add_middleware(Compression)
    app.add_middleware(Shell)
    for error in (SQLAlchemyError, TimeoutError):
        app.add_exception_handler(error, _database_away)
    app.add_exception_handler(RequestValidationError, _wrong_fields)
    app.include_router(chat.router)
    app.include_router(pages.router)
    app.include_router(widget.router)
    app.include_router(webhooks.router)
    install_console(app)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


async def _database_away(_request: Request, _error: Exception) -> JSONResponse:
    return JSONResponse({"detail": "error.database"}, 503, {"Retry-After": "5"})


async def _wrong_fields(_request: Request, error: Exception) -> JSONResponse:
    # FastAPI's own answer repeats what was sent, which a log or a screenshot would keep.
    faults = error.errors() if isinstance(error, RequestValidationError) else ()
    return JSONResponse({"detail": [{"loc": fault["loc"], "msg": fault["msg"]} for fault in faults]}, 422)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    use_store(service.content)
    app.state.announcer.bind(asyncio.get_running_loop())
    app.state.worker.start()
    running: list[Callable[[FastAPI], Any]] = [
        _keep_database,
        _load_assistant,
        _watch_content,
        _clean_up,
        _write_marks,
        _take_back_silent,
        _watch_cases,
        _run_channels,
    ]
    tasks = [asyncio.create_task(task(app), name=task.__name__) for task in running]
    # A database that is there is ready in a moment, and nobody is turned away; one that is not holds nothing up.
    with suppress(TimeoutError):
        async with asyncio.timeout(DATABASE_PATIENCE_SECONDS):
            while not service.is_ready:
                await asyncio.sleep(0.02)
    yield
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
    await asyncio.to_thread(app.state.worker.stop)
    with suppress(SQLAlchemyError):
        await asyncio.to_thread(app.state.marks.write, service.writer, now=utc_now())


async def _keep_database(app: FastAPI) -> None:
    """Prepare the database, as often as it takes, and again where it vanished."""
    service: Service = app.state.service
    has_failed = False
    while True:
        if await asyncio.to_thread(service.begin_anew):
            try:
                content = service.content.current().content
                await asyncio.to_thread(service.prepare, content, now=utc_now())
            except Exception as error:  # also Alembic's, over a file that is somebody else's database
                if not has_failed:
                    log.warning("database_not_ready", error=type(error).__name__)
                has_failed = True
            else:
                has_failed = False
                log.info("database_ready")
                app.state.worker.wake()
        await asyncio.sleep(DATABASE_CHECK_SECONDS)


async def _load_assistant(app: FastAPI) -> None:
    service: Service = app.state.service
    try:
        app.state.worker.use(await asyncio.to_thread(service.load_assistant))
    except Exception:
        log.exception("model_not_loaded")
        return
    log.info("model_loaded")


async def _watch_content(app: FastAPI) -> None:
    service: Service = app.state.service
    version = service.content.current().version
    while True:
        await asyncio.sleep(service.settings.content_check_seconds)
        if not service.is_ready:
            continue
        try:
            edition = await asyncio.to_thread(service.content.refresh)
            await asyncio.to_thread(app.state.frozen.renew)
        except Exception:
            # The edition in memory goes on being served.
            log.exception("content_not_refreshed")
            continue
        if edition.version != version:
            version = edition.version
            log.info("content_changed", version=version)


async def _run_channels(app: FastAPI) -> None:
    while True:
        try:
            await app.state.channels.run()
            return
        except Exception:
            # One that failed has stopped the others: all begin again, nothing is lost meanwhile.
            log.exception("channels_failed")
        await asyncio.sleep(CHANNELS_PAUSE_SECONDS)


async def _write_marks(app: FastAPI) -> None:
    while True:
        await asyncio.sleep(MARKS_EVERY_SECONDS)
        with suppress(SQLAlchemyError):
            await asyncio.to_thread(app.state.marks.write, app.state.service.writer, now=utc_now())


async def _take_back_silent(app: FastAPI) -> None:
    """Conversations whose member of staff is silent go back to the bot."""
    service: Service = app.state.service
    while True:
        await asyncio.sleep(SILENCE_CHECK_SECONDS)
        try:
            back = await service.writer.run(lambda session: app.state.desk.take_back_silent(session, now=utc_now()))
        except SQLAlchemyError:
            continue  # the writer has said so
        except Exception:
            log.exception("not_taken_back")  # and tried again: this is how nobody stays alone with a silent bot
            continue
        for conversation_id in back:
            app.state.on_reply(conversation_id)
        if back:
            app.state.worker.wake()
            log.info("conversations_taken_back", count=len(back))


async def _watch_cases(app: FastAPI) -> None:
    """Tell staff of cases that nobody has, again and to others the longer they wait."""
    service: Service = app.state.service
    while True:
        await asyncio.sleep(CASES_CHECK_SECONDS)
        if not service.is_ready:
            continue
        try:
            await app.state.alarm.look(now=utc_now())
        except SQLAlchemyError:
            pass  # the writer has said so
        except Exception:
            log.exception("alarm_failed")


async def _clean_up(app: FastAPI) -> None:
    service: Service = app.state.service
    while True:
        if service.is_ready:
            try:
                await asyncio.to_thread(_delete_expired, service)
            except Exception:
                log.exception("clean_up_failed")
            await asyncio.sleep(CLEAN_UP_EVERY.total_seconds())
        else:
            await asyncio.sleep(DATABASE_CHECK_SECONDS)


def _delete_expired(service: Service) -> None:
    now, content = utc_now(), service.content.current().content
    message_days, case_days = (_days(content, name, now) for name in (people.MESSAGE_DAYS, cases.CASE_DAYS))
    gone = service.writer.call(lambda session: people.delete_expired(session, days=message_days, now=now))
    ended = service.writer.call(lambda session: cases.delete_expired(session, days=case_days, now=now))
    service.writer.call(lambda session: sign_in.delete_over(session, now=now))
    service.writer.call(lambda session: presence.delete_over(session, now=now))
    empty_the_log(service.engine)
    log.info("expired_deleted", messages=gone, cases=ended)


def _days(content: Content, name: str, now: datetime) -> int:
    parameter = content.parameters[name]
    value = parameter.on(now.date())
    if value is None or parameter.kind is not ParameterKind.NUMBER:
        raise ValueError(f"{name} has no number for today")
    return int(str(value.value))
