"""Puts the console into the web application."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from bot.console import canned, case, door, duty, figures, provider_door, queue, undelivered
from bot.console.access import SignedOutError
from bot.console.marks import Once, QueueMarks
from bot.console.pages import HERE, message
from bot.limits import Window

PASSWORDS_AT_ONCE = 2  # that are looked at: each takes 64 MB and a core
KNOWN = (
    "not_allowed",
    "other_site",
    "no_case",
    "no_topic",
    "too_long",
    "text_length",
    "no_outcome",
    "no_colleague",
    "not_dead",
    "no_canned",
    "no_days",
    "gone",
    "translation.off",
)


def install(app: FastAPI) -> None:
    """Add the routes, and pages for what is refused."""
    app.state.passwords = asyncio.Semaphore(PASSWORDS_AT_ONCE)
    app.state.once = Once(lambda: app.state.announcer.generation)
    app.state.queue_marks = QueueMarks(app.state.once)
    app.state.refusals = Window(provider_door.NOTED_A_MINUTE)
    app.state.returns = Window(provider_door.RETURNS_A_MINUTE)
    app.state.provider = provider_door.provider_of(app.state.service.settings)
    app.include_router(door.router)
    app.include_router(provider_door.router)
    app.include_router(queue.router)
    app.include_router(case.router)
    app.include_router(duty.router)
    app.include_router(undelivered.router)
    app.include_router(canned.router)
    app.include_router(figures.router)
    app.mount("/console/static", StaticFiles(directory=HERE / "static"), name="console-static")
    app.add_exception_handler(SignedOutError, _to_the_door)
    app.add_exception_handler(HTTPException, _refused)


async def _to_the_door(request: Request, _error: Exception) -> Response:
    if request.url.path.endswith("/events"):
        return JSONResponse({"detail": "signed_out"}, 401)
    return RedirectResponse("/console/sign-in", 303)


async def _refused(request: Request, error: Exception) -> Response:
    code = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(getattr(error, "detail", ""))
    if request.url.path.startswith("/console") and detail in KNOWN:
        return message(request, detail, code)
    if not isinstance(error, HTTPException):
        raise error
    return await http_exception_handler(request, error)
