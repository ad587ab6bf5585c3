"""The page of figures (`bot.figures`) with its charts, and the same as CSV. For leads."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from bot.console.access import Lead
from bot.console.pages import page
from bot.conversations import utc_now
from bot.figures import AMSTERDAM, Figures, as_csv, figures
from bot.service import Service
from knowledge.database import reading

DAYS_SHOWN = 30
YEARS = range(2020, 2200)  # further away the arithmetic of dates ends
router = APIRouter(prefix="/console", include_in_schema=False)


async def _found(request: Request, _person: Lead, first: str = "", last: str = "") -> Figures:
    service: Service = request.app.state.service
    today = utc_now().astimezone(AMSTERDAM).date()
    until = _day(last) or today
    since = _day(first) or until - timedelta(days=DAYS_SHOWN - 1)
    if since > until:
        raise HTTPException(422, "no_days")

    def look() -> Figures:
        with reading(service.sessions) as session:
            return figures(session, since, until)

    return await run_in_threadpool(look)


Found = Annotated[Figures, Depends(_found)]


@router.get("/figures")
async def show(request: Request, person: Lead, found: Found) -> Response:
    """The figures of some days, the last thirty where the address names none."""
    return page(request, "figures.html", person=person, found=found)


@router.get("/figures.csv")
async def export(found: Found) -> Response:
    """The same as CSV."""
    name = f"wegwijs-{found.first}-{found.last}.csv"
    # With the mark that lets Excel read it as UTF-8.
    return Response(
        "\ufeff" + as_csv(found),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise HTTPException(422, "no_days") from None
    if day.year not in YEARS:
        raise HTTPException(422, "no_days")
    return day
