"""The page with the chat, the API's documentation, and health."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.templating import Jinja2Templates
from starlette.responses import HTMLResponse, JSONResponse

from actions.emergency import number_of
from bot.service import Service
from bot.web.texts import page_texts

router = APIRouter(include_in_schema=False)
templates = Jinja2Templates(Path(__file__).parent / "templates")
DEFAULT_LANGUAGE = "en"


@router.get("/", response_class=HTMLResponse)
def home(request: Request, lang: str = "") -> HTMLResponse:
    """The page, in the language of `?lang=` or of the browser."""
    service: Service = request.app.state.service
    return chat_page(request, spoken_by(request, lang, service.content.current().content.languages))


def chat_page(request: Request, language: str, *, site: str | None = None) -> HTMLResponse:
    """The page with the chat.

    Args:
        language: one that is known, for emergencies at least.
        site: the website whose frame it is for; None for the page that stands alone.

    """
    service: Service = request.app.state.service
    content = service.content.current().content
    texts = page_texts(content, language)
    offered = [code for code in texts["languages"] if code in content.phrases or code == language]
    shown = {
        "language": language,
        "direction": texts["direction"],
        "page": texts["texts"],
        "languages": {code: texts["languages"][code]["name"] for code in offered},
        "texts": texts,
        "emergency": texts["texts"]["urgent.possible"].format(phone=number_of(content, None)),
        "site": site,
    }
    return templates.TemplateResponse(request, "home.html", shown)


@router.get("/docs", response_class=HTMLResponse)
def api_docs(request: Request) -> HTMLResponse:
    """The API, readable without scripts of other hosts."""
    return templates.TemplateResponse(request, "api.html", {"schema": request.app.openapi()})


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """Whether the process is alive."""
    return {"status": "alive"}


@router.get("/readyz")
def readyz(request: Request) -> JSONResponse:
    """Whether messages can be stored and the model answers them; 503 and what is missing where not."""
    service: Service = request.app.state.service
    database, model = service.is_ready, request.app.state.worker.has_assistant
    ready = database and model
    body = {"ready": ready, "database": database, "model": model, "content": service.content.current().version}
    return JSONResponse(body, 200 if ready else 503)


def spoken_by(request: Request, wish: str, served: Iterable[str]) -> str:
    """The language of a page: the one that was wished for, or else the browser's, among those that are served."""
    known = set(served)
    if wish in known:
        return wish
    for part in request.headers.get("accept-language", "").split(","):
        code = part.split(";")[0].strip().lower().split("-")[0]
        if code in known:
            return code
    return DEFAULT_LANGUAGE
