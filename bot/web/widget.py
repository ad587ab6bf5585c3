"""The chat on other people's websites: the script they include, the little that it asks for, and the page in its frame.

Which websites those are: `ALLOWED_ORIGINS`. Any other gets no answer to the script's question, and no browser shows it the frame.

A browser that lets a frame keep nothing (private windows) would lose the conversation on the website's next page. There the website
keeps a ticket for the tab: the token, sealed, which of all scripts in browsers only the frame's can have opened again. A website's
own server could, too: it can claim any origin. Whoever is among the allowed is trusted that far (docs/widget.md).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, Field
from starlette.responses import FileResponse, HTMLResponse

from bot.addresses import AddressBook, UnreadableAddressError
from bot.service import Service
from bot.web.pages import chat_page, spoken_by
from bot.web.shell import STATIC, framed_by
from bot.web.texts import NEUTRAL_PAGE, page_texts

router = APIRouter(include_in_schema=False)
FOR_EVERYBODY = {"Cross-Origin-Resource-Policy": "cross-origin"}
# Short: a webmaster who was just let in should not wait, and neither should a correction.
KEPT = {"Cache-Control": "public, max-age=300"}
TICKET_SECONDS = 3600


@router.get("/widget.js")
def script() -> FileResponse:
    """The script that a website includes; the same for everybody."""
    return FileResponse(STATIC / "widget.js", media_type="text/javascript", headers={**FOR_EVERYBODY, **KEPT})


@router.get("/widget.json")
def about(request: Request, response: Response, lang: str = "") -> dict[str, Any]:
    """What the script says in a language and which languages there are; only allowed websites can read it."""
    service: Service = request.app.state.service
    content = service.content.current().content
    language = spoken_by(request, lang, content.known_languages)
    texts = page_texts(content, language)
    response.headers.update(KEPT)
    said = {key: texts["texts"][f"web.{key}"] for key in ("open", "close", "title", "conversation")}
    return {
        **said,
        "language": language,
        "direction": texts["direction"],
        "languages": list(content.known_languages),
        "leave_to": NEUTRAL_PAGE,
    }


@router.get("/embed", response_class=HTMLResponse)
def embed(request: Request, site: str, lang: str = "") -> HTMLResponse:
    """The chat in the frame of a website; 403 for one that is not among those allowed."""
    service: Service = request.app.state.service
    if site not in service.settings.allowed_origins:
        raise HTTPException(403, "this website is not among ALLOWED_ORIGINS")
    page = chat_page(request, spoken_by(request, lang, service.content.current().content.known_languages), site=site)
    page.headers.update(FOR_EVERYBODY)
    page.headers["Content-Security-Policy"] = framed_by(site)
    return page


class Sealed(BaseModel):
    """A conversation's token, or a ticket for it."""

    value: str = Field(min_length=16, max_length=400)


@router.post("/embed/ticket")
def ticket(request: Request, token: Sealed) -> Sealed:
    """The ticket for a token."""
    _only_for_the_frame(request)
    return Sealed(value=_tickets(request).seal(token.value))


@router.post("/embed/token")
def token(request: Request, ticket: Sealed) -> Sealed:
    """The token behind a ticket of the last hour; 404 for any other."""
    _only_for_the_frame(request)
    try:
        return Sealed(value=_tickets(request).read(ticket.value, not_older=TICKET_SECONDS))
    except UnreadableAddressError:
        raise HTTPException(404, "error.no_conversation") from None


def _only_for_the_frame(request: Request) -> None:
    # Browsers say truly where a request with a body comes from, and scripts of the website are at home elsewhere. Servers need not.
    if urlsplit(request.headers.get("origin", "")).netloc != request.headers.get("host"):
        raise HTTPException(403, "this is for the page of the chat only")


def _tickets(request: Request) -> AddressBook:
    service: Service = request.app.state.service
    return AddressBook(service.key, purpose="tickets")
