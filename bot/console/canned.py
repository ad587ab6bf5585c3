"""The pages of canned replies (`bot.canned`): a list that shows which language is missing, and a form for each."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from bot import canned
from bot.canned import Canned, CannedError
from bot.console.access import Editor, FormOfEditor
from bot.console.pages import page
from bot.conversations import utc_now
from bot.service import Service
from bot.sign_in import Person
from knowledge.database import reading

router = APIRouter(prefix="/console/canned", include_in_schema=False)
NEW = "new"


@router.get("")
async def show(request: Request, person: Editor) -> Response:
    """All of them, with the languages that each has and lacks."""
    return _page(request, person, "canned.html", replies=await _all(request))


@router.get("/{which}")
async def edit(request: Request, person: Editor, which: str) -> Response:
    """The form of one, or of a new one."""
    if which == NEW:
        return _form(request, person, which, "", {})
    found = next((one for one in await _all(request) if str(one.id) == which), None)
    if found is None:
        raise HTTPException(404, "no_canned")
    return _form(request, person, which, found.name, found.texts)


@router.post("/{which}")
async def save(request: Request, posted: FormOfEditor, which: str) -> Response:
    """Keep it; where that can't be, the form comes back with what was written."""
    service, now = request.app.state.service, utc_now()
    languages = service.content.current().content.phrases
    name, texts = posted.fields.get("name", ""), {code: posted.fields.get(f"text.{code}", "") for code in languages}
    reply_id = _id(which) if which != NEW else None
    try:
        await service.writer.run(lambda session: canned.save(session, reply_id, name, texts, posted.person.id, now=now))
    except CannedError as error:
        return _form(request, posted.person, which, name, texts, problem=error.code, code=422)
    except LookupError:
        raise HTTPException(404, "no_canned") from None
    return RedirectResponse("/console/canned", 303)


@router.post("/{which}/remove")
async def remove(request: Request, posted: FormOfEditor, which: str) -> Response:
    """Remove it."""
    service, now, reply_id = request.app.state.service, utc_now(), _id(which)
    try:
        await service.writer.run(lambda session: canned.remove(session, reply_id, posted.person.id, now=now))
    except LookupError:
        raise HTTPException(404, "no_canned") from None
    return RedirectResponse("/console/canned", 303)


def _id(which: str) -> int:
    if not which.isascii() or not which.isdigit() or len(which) > 9:
        raise HTTPException(404, "no_canned")
    return int(which)


async def _all(request: Request) -> list[Canned]:
    service: Service = request.app.state.service

    def look() -> list[Canned]:
        with reading(service.sessions) as session:
            return canned.canned(session)

    return await run_in_threadpool(look)


def _form(request: Request, person: Person, which: str, name: str, texts: Any, **shown: Any) -> Response:
    limits = {"longest_name": canned.LONGEST_NAME, "longest": canned.LONGEST_TEXT}
    return _page(request, person, "canned_form.html", which=which, name=name, written=texts, **limits, **shown)


def _page(request: Request, person: Person, template: str, **shown: Any) -> Response:
    languages = list(request.app.state.service.content.current().content.phrases)
    return page(request, template, person=person, languages=languages, **shown)
