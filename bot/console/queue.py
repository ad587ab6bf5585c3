"""The queue, the live events of queue and case, and the audit log for leads."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from markupsafe import Markup
from sqlalchemy.orm import Session
from sse_starlette.sse import EventSourceResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from bot import audit, dead_letters, duty, presence, sign_in, staff
from bot.console import access, views
from bot.console.access import COOKIE, Helper, Lead, SignedIn
from bot.console.pages import page, part
from bot.conversations import utc_now
from bot.duty import Plan
from bot.service import Service
from bot.staff import SEES_ALL_CASES, TAKES_CASES
from bot.web.events import QUEUE
from knowledge.database import reading

LOOK_AGAIN_SECONDS = 20.0
ACCESS_SECONDS = 2.0  # after which whoever was signed out or removed hears nothing any more
GONE = "gone"  # the mark of a case that one may not see any more: its page finds that out, and hears no more of it
LOOK_AGAIN_OFTEN_SECONDS = 1.0  # where another process may have stored something
GATHER_SECONDS = 0.1
HEARTBEAT_SECONDS = 15
router = APIRouter(prefix="/console", include_in_schema=False)


@router.get("")
async def home(person: SignedIn) -> Response:
    """To the queue, or to the canned replies for whoever takes no cases."""
    return RedirectResponse("/console/queue" if person.role in TAKES_CASES else "/console/canned", 303)


@dataclass(frozen=True, eq=False)
class _Shown:
    """One page of the queue, the same for all who chose the same, as it was read once: read again it is another one."""

    rows: Sequence[views.Row]
    has_more: bool
    choices: views.Choices
    waiting: Sequence[int]
    dead: int
    plan: Plan

    def names(self, staff_id: str) -> bool:
        """Whether somebody is in it, as an owner or looking: for them it says so in other words."""
        return any(row.owner == staff_id or staff_id in dict(row.watchers) for row in self.rows)


@router.get("/queue")
async def queue(request: Request, person: Helper, chosen: Annotated[views.Filter, Query()], show: str = "") -> Response:
    """The cases that are open, or with `?show=closed` those that were closed, for leads; filtered as the address says."""
    service, once, now = request.app.state.service, request.app.state.once, utc_now()
    closed, sees_all = show == "closed", person.role in SEES_ALL_CASES
    if closed and not sees_all:
        await access.refuse(request, person)

    def read(session: Session) -> _Shown:
        rows, has_more = views.queue(session, chosen, person.id, closed=closed, now=now)
        choices, waiting = views.choices(session, closed=closed), views.waiting(session)
        return _Shown(rows, has_more, choices, waiting, dead_letters.count(session), duty.plan_of(session))

    def look() -> tuple[_Shown, Markup, bool]:
        mine = person.id if chosen.owner == "me" else None
        # Has its connection before it waits for others: whoever makes for all must not wait for one that those who wait hold.
        with reading(service.sessions) as session:
            shown = once.read(("queue", chosen, closed, mine), lambda: read(session), now=now)
            named = person.id if shown.names(person.id) else None

            def draw() -> Markup:
                pages = _pages(chosen, closed=closed, has_more=shown.has_more)
                parts = {"person": person, "shown": shown, "closed": closed, "pages": pages}
                return part("queue_live.html", person.language, **parts)

            # Of this very reading: drawn after a further announcement it would pass for what was read since.
            live = once.read(("drawn", shown, named, person.language), draw, now=now)
            return shown, live, sees_all and not duty.is_saved(session)

    shown, live, lacks_plan = await run_in_threadpool(look)
    return page(
        request,
        "queue.html",
        person=person,
        live=live,
        closed=closed,
        waiting=shown.waiting,
        chosen=chosen,
        choices=shown.choices,
        dead=shown.dead,
        lacks_plan=lacks_plan,
    )


def _pages(chosen: views.Filter, *, closed: bool, has_more: bool) -> list[tuple[str, str]]:
    """The ways to the pages before and after, with the choice kept."""
    kept = {name: value for name, value in chosen.model_dump(exclude={"page"}).items() if value}
    kept |= {"show": "closed"} if closed else {}
    around = (("page.before", chosen.page - 1, chosen.page > 1), ("page.after", chosen.page + 1, has_more))
    return [(key, "?" + urlencode({**kept, "page": number})) for key, number, is_there in around if is_there]


@router.get("/log")
async def log(request: Request, person: Lead) -> Response:
    """The audit log and whether it is whole."""
    service: Service = request.app.state.service

    def look() -> tuple[list[Any], audit.Verdict, dict[str, str]]:
        with reading(service.sessions) as session:
            called = {member.id: member.name for member in staff.members(session)}
            return views.log(session), audit.verify(session), called

    entries, verdict, called = await run_in_threadpool(look)
    return page(request, "log.html", person=person, entries=entries, verdict=verdict, called=called)


@router.get("/events")
async def listen(
    request: Request, person: Helper, case: Annotated[int | None, Query(ge=1, le=views.LARGEST_ID)] = None
) -> Response:
    """The event `changed` whenever queue or case did, `waiting` with the ids of all cases that wait, and `signed_out`."""
    service: Service = request.app.state.service
    token = request.cookies.get(COOKIE, "")
    about = QUEUE
    if case is not None:
        visible = await run_in_threadpool(_visible_conversation, request, person, case)
        if visible is None:
            await access.refuse(request, person, case)
        about = visible
    look_again = LOOK_AGAIN_SECONDS if service.owns_database else LOOK_AGAIN_OFTEN_SECONDS

    def look(before: tuple[str, str] | None) -> tuple[str, str] | None:
        """A mark of what is shown, and who waits; as they were, where they were read before; None where it is over."""
        now = utc_now()
        with reading(service.sessions) as session:
            there = sign_in.person_of(session, token, now=now)
            if there is None or there.role not in TAKES_CASES:
                return None
        if before is not None:
            return before
        # Another transaction, which has seen nothing yet: what was read for all must not be older than the last announcement.
        with reading(service.sessions) as session:
            mark, waiting = request.app.state.queue_marks.read(session, now=now)
            if case is None:
                return mark, waiting
            row = views.find(session, case, now=now)
            may_see = row is not None and views.may_see(there, row)
            return views.mark_of_case(session, row, person.id) if row is not None and may_see else GONE, waiting

    async def events() -> AsyncIterator[dict[str, Any]]:
        shown = waited = before = None
        announcer = request.app.state.announcer
        # A case is listened to through the queue, whose listeners hear of every conversation: they are told who waits, too.
        with announcer.listening(QUEUE) as something_new, _present(request, person, case, about) as is_here:
            while True:
                is_here()
                something_new.clear()
                if before is None:
                    looked = time.monotonic()
                found = await run_in_threadpool(look, before)
                if found is None:
                    yield {"event": "signed_out", "data": ""}
                    return
                mark, waiting = found
                if waiting != waited:
                    waited = waiting
                    yield {"event": "waiting", "data": waiting}
                if mark != shown:
                    # Also at the beginning: something may have changed between the page and this.
                    shown = mark
                    yield {"event": "changed", "data": mark}
                try:
                    await asyncio.wait_for(something_new.wait(), min(look_again, ACCESS_SECONDS))
                    await asyncio.sleep(GATHER_SECONDS)
                    before = None
                except TimeoutError:
                    before = found if time.monotonic() - looked < look_again else None

    return EventSourceResponse(events(), ping=HEARTBEAT_SECONDS)


@contextmanager
def _present(request: Request, person: sign_in.Person, case_id: int | None, about: str) -> Iterator[Callable[[], None]]:
    """Colleagues see for as long as the block runs that somebody has a case open. Gives what to call now and then."""
    service, announcer = request.app.state.service, request.app.state.announcer
    if case_id is None:
        yield lambda: None
        return
    written = -math.inf

    def tell(done: Future[Any]) -> None:
        if done.exception() is None and done.result() is not False:
            announcer.announce(about)

    def is_here() -> None:
        nonlocal written
        if time.monotonic() - written >= LOOK_AGAIN_SECONDS / 2:
            written, now = time.monotonic(), utc_now()
            looked = service.writer.submit(lambda session: presence.look(session, case_id, person.id, now=now))
            looked.add_done_callback(tell)

    try:
        yield is_here
    finally:
        # Not awaited: this runs while the connection is being cancelled.
        service.writer.submit(lambda session: presence.leave(session, case_id, person.id)).add_done_callback(tell)


def _visible_conversation(request: Request, person: sign_in.Person, case_id: int) -> str | None:
    with reading(request.app.state.service.sessions) as session:
        row = views.find(session, case_id, now=utc_now())
        if row is None or not views.may_see(person, row):
            return None
        return views.conversation_of(session, case_id)[0]
