"""The page with the chat, the API's documentation, and health."""

from __future__ import annotations

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
    content = service.content.current().content
    phrases = content.phrases
    language = lang if lang in phrases else _browser_language(request, set(phrases))
    shown = {
        "language": language,
        "page": phrases[language],
        "languages": phrases,
        "texts": page_texts(content, language),
        "emergency_number": number_of(content, None),
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


def _browser_language(request: Request, served: set[str]) -> str:
    for part in request.headers.get("accept-language", "").split(","):
        code = part.split(";")[0].strip().lower().split("-")[0]
        if code in served:
            return code
    return DEFAULT_LANGUAGE
