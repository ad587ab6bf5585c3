"""Templates and texts of the console, in the language of whoever looks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from babel import Locale
from fastapi import Request
from fastapi.templating import Jinja2Templates
from markupsafe import Markup
from starlette.responses import HTMLResponse

from bot.sign_in import Person
from bot.staff import LANGUAGES

HERE = Path(__file__).parent
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
templates = Jinja2Templates(HERE / "templates")


@cache
def texts(language: str) -> Mapping[str, str]:
    """What the console says in a language."""
    found: dict[str, str] = yaml.safe_load((HERE / "texts" / f"{language}.yml").read_text("utf-8"))
    return found


@cache
def language_names(language: str) -> Mapping[str, str]:
    """What all languages are called in one."""
    return dict(Locale.parse(language).languages)


def browser_language(request: Request) -> str:
    """The first language of the browser that the console speaks."""
    for part in request.headers.get("accept-language", "").split(","):
        code = part.split(";")[0].strip().lower().split("-")[0]
        if code in LANGUAGES:
            return code
    return LANGUAGES[0]


def page(
    request: Request, template: str, *, person: Person | None = None, code: int = 200, **shown: Any
) -> HTMLResponse:
    """A page, in the language of the one who is signed in or of the browser."""
    language = person.language if person is not None else browser_language(request)
    here = request.url.path + ("?show=closed" if request.query_params.get("show") == "closed" else "")
    context = {"t": texts(language), "language": language, "person": person, "here": here, **shown}
    context["names"] = language_names(language)
    # With "no-referrer", as elsewhere, browsers hide the origin of our own forms too, which `bot.console.access` looks at.
    return templates.TemplateResponse(request, template, context, code, {"Referrer-Policy": "same-origin"})


def part(template: str, language: str, **shown: Any) -> Markup:
    """A part of a page, to be put into others."""
    context = {"t": texts(language), "names": language_names(language), **shown}
    return Markup(templates.get_template(template).render(context))  # noqa: S704 (drawn by a template that escapes)


def message(request: Request, key: str, code: int, person: Person | None = None) -> HTMLResponse:
    """A page that says one thing, with the way back."""
    return page(request, "message.html", person=person, code=code, key=key)


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(AMSTERDAM):%d-%m %H:%M}"


templates.env.filters["clock"] = _clock
