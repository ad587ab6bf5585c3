"""The duty plan as a form, for leads: when staff are there, teams, the on-call list, targets. The plan itself: `bot.duty`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from bot import duty
from bot.console import access
from bot.console.access import SignedIn
from bot.console.pages import page
from bot.conversations import utc_now
from bot.duty import DAYS, KINDS, SUGGESTED_HOURS, Plan, PlanChangedError
from bot.sign_in import Person
from bot.staff import SEES_ALL_CASES
from knowledge.database import reading

router = APIRouter(prefix="/console/duty", include_in_schema=False)
MOST_TEAMS = 30


async def _lead(request: Request, person: SignedIn) -> Person:
    if person.role not in SEES_ALL_CASES:
        await access.refuse(request, person)
    return person


Lead = Annotated[Person, Depends(_lead)]


@router.get("")
async def show(request: Request, person: Lead, saved: bool = False) -> Response:
    """The plan as it is."""
    plan, version = await run_in_threadpool(_read, request)
    return _form(request, person, as_fields(plan), version=version, saved=saved)


@router.post("")
async def save(request: Request, person: Lead) -> Response:
    """Store the plan; where something is wrong, or somebody was faster, what was typed stays in the form."""
    posted = await access.posted_by(request, person)
    fields, now = posted.fields, utc_now()
    languages = request.app.state.service.content.current().content.known_languages
    try:
        plan = as_plan(fields, languages)
    except ValidationError as error:
        wrong = {str(fault["loc"][0]) for fault in error.errors()}
        return _form(request, person, fields, version=fields.get("version", ""), wrong=wrong, code=422)
    seen = int(fields["version"]) if fields.get("version", "").isdecimal() else -1
    try:
        await request.app.state.service.writer.run(
            lambda session: duty.change(session, plan, person.id, seen=seen, now=now)
        )
    except PlanChangedError:
        _, version = await run_in_threadpool(_read, request)
        return _form(request, person, fields, version=version, wrong={"version"}, code=409)
    return RedirectResponse("/console/duty?saved=true", 303)


def as_fields(plan: Plan) -> dict[str, str]:
    """The fields of the form that show a plan."""
    fields = {"name": plan.name, "on_call": "\n".join(plan.on_call)}
    fields |= {f"hours.{number}": spans for number, spans in enumerate(plan.hours or SUGGESTED_HOURS)}
    fields |= {"on_holidays": "on"} if plan.on_holidays else {}
    fields["closed_days"] = "\n".join(day.isoformat() for day in plan.closed_days)
    fields |= {f"target.{kind}": str(minutes) for kind, minutes in plan.targets.items()}
    for number, team in enumerate(plan.teams):
        fields[f"team.{number}.name"] = team.name
        fields[f"team.{number}.languages"] = " ".join(team.languages)
        fields[f"team.{number}.emails"] = "\n".join(team.emails)
        fields |= {f"team.{number}.kind.{kind}": "on" for kind in team.kinds}
    return fields


def as_plan(fields: Mapping[str, str], languages: tuple[str, ...]) -> Plan:
    """The plan that the fields say; a team of which nothing was typed is none.

    Args:
        languages: that a team may be for.

    Raises:
        pydantic.ValidationError: something of it can't be.

    """
    teams = [_team(fields, number, languages) for number in range(MOST_TEAMS)]
    return Plan.model_validate(
        {
            "name": fields.get("name", ""),
            "hours": [fields.get(f"hours.{number}", "") for number in range(len(DAYS))],
            "on_holidays": "on_holidays" in fields,
            "closed_days": [_iso(word) for word in re.split(r"[\s,;]+", fields.get("closed_days", "")) if word],
            "teams": [team for team in teams if team is not None],
            "on_call": duty.addresses(fields.get("on_call", "")),
            "targets": {kind: fields.get(f"target.{kind}", "") for kind in KINDS},
        }
    )


def _team(fields: Mapping[str, str], number: int, languages: tuple[str, ...]) -> dict[str, Any] | None:
    own = {name: fields.get(f"team.{number}.{name}", "") for name in ("name", "languages", "emails")}
    kinds = [kind for kind in KINDS if f"team.{number}.kind.{kind}" in fields]
    if not any(own.values()) and not kinds:
        return None
    spoken = re.split(r"[\s,;]+", own["languages"].lower()) if own["languages"] else []
    # A language that nobody writes would be a team that nobody reaches: None is refused where the plan is made.
    known = [code if code in languages else None for code in spoken if code]
    return {"name": own["name"], "kinds": kinds, "languages": known, "emails": duty.addresses(own["emails"])}


def _iso(day: str) -> str:
    """A date as people here type it ("24-12-2026") in the notation that is kept; any other text as it is."""
    typed = re.fullmatch(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})", day)
    return f"{typed[3]}-{int(typed[2]):02}-{int(typed[1]):02}" if typed else day


def _read(request: Request) -> tuple[Plan, int]:
    with reading(request.app.state.service.sessions) as session:
        return duty.read(session)


def _form(
    request: Request,
    person: Person,
    fields: Mapping[str, str],
    *,
    version: int | str,
    wrong: set[str] | None = None,
    saved: bool = False,
    code: int = 200,
) -> Response:
    used = {int(name.split(".")[1]) for name in fields if re.match(r"team\.\d{1,2}\.", name)}
    return page(
        request,
        "duty.html",
        person=person,
        code=code,
        fields=fields,
        version=version,
        wrong=sorted(wrong or ()),
        saved=saved,
        days=DAYS,
        kinds=KINDS,
        teams=range(min(max(used, default=-1) + 2, MOST_TEAMS)),
        languages=request.app.state.service.content.current().content.known_languages,
    )
