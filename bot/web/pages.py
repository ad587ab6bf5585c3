"""The page with the chat, the API's documentation, and health."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.templating import Jinja2Templates
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import HTMLResponse, JSONResponse

from bot.service import Service

router = APIRouter(include_in_schema=False)
templates = Jinja2Templates(Path(__file__).parent / "templates")
DEFAULT_LANGUAGE = "en"


@router.get("/", response_class=HTMLResponse)
def home(request: Request, lang: str = "") -> HTMLResponse:
    """The page, in the language of `?lang=` or of the browser."""
    service: Service = request.app.state.service
    phrases = service.content.current().content.phrases
    language = lang if lang in phrases else _browser_language(request, set(phrases))
    return templates.TemplateResponse(
        request, "home.html", {"language": language, "page": phrases[language], "languages": phrases}
    )


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
    """Whether the database answers and the model is loaded; 503 and what is missing where not."""
    service: Service = request.app.state.service
    try:
        with service.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        database = True
    except SQLAlchemyError:
        database = False
    model = request.app.state.worker.assistant is not None
    ready = database and model
    body = {"ready": ready, "database": database, "model": model, "content": service.content.current().version}
    return JSONResponse(body, 200 if ready else 503)


def _browser_language(request: Request, served: set[str]) -> str:
    for part in request.headers.get("accept-language", "").split(","):
        code = part.split(";")[0].strip().lower().split("-")[0]
        if code in served:
            return code
    return DEFAULT_LANGUAGE
