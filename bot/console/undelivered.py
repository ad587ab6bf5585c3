"""The page of replies that did not arrive (`bot.dead_letters`)."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from bot import dead_letters
from bot.console.access import FormOfHelper, Helper
from bot.console.pages import page, texts
from bot.console.views import LARGEST_ID
from bot.conversations import utc_now
from bot.service import Service
from knowledge.database import reading

router = APIRouter(prefix="/console/undelivered", include_in_schema=False)


@router.get("")
async def show(request: Request, person: Helper) -> Response:
    """What did not arrive: what, since when, why."""
    service: Service = request.app.state.service
    content = service.content.current().content

    def look() -> list[dead_letters.DeadLetter]:
        with reading(service.sessions) as session:
            return dead_letters.dead_letters(session)

    found = await run_in_threadpool(look)
    labels = {name: content.words[name, person.language].button for name in content.topics}
    reasons = {one.id: reason_of(one.reason, person.language) for one in found}
    return page(request, "undelivered.html", person=person, letters=found, labels=labels, reasons=reasons)


@router.post("/{outbox_id}/retry")
async def retry(request: Request, posted: FormOfHelper, outbox_id: int) -> Response:
    """Try again."""
    service, now = request.app.state.service, utc_now()
    if not 0 < outbox_id <= LARGEST_ID:
        raise HTTPException(404, "not_dead")
    revived = await service.writer.run(
        lambda session: dead_letters.try_again(session, outbox_id, posted.person.id, now=now)
    )
    if not revived:
        raise HTTPException(404, "not_dead")
    request.app.state.channels.delivery.wake()
    return RedirectResponse("/console/undelivered", 303)


def reason_of(code: str, language: str) -> str:
    """A reason in words where there are some, with its code in any case."""
    cause = code.removeprefix("gave_up: ")
    said = texts(language).get(f"failure.{cause}")
    return f"{said} ({code})" if said else code
