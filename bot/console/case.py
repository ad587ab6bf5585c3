"""A case: reading it, and everything that can be done with it. Each deed is a form; who may do it is decided in `bot.desk`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Depends, HTTPException, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from bot import attachments, audit, staff, translation
from bot.canned import Canned, canned
from bot.cases import CaseStateError, Outcome, State
from bot.console import access, views
from bot.console.access import FormOfHelper, Helper, Posted
from bot.console.answers import answer_for_staff
from bot.console.pages import language_names, message, page, texts
from bot.console.summary import summary
from bot.conversations import utc_now
from bot.desk import DEFAULT_LANGUAGE, Desk
from bot.inbox import Kind
from bot.outbox import StoppedError
from bot.service import Service
from bot.sign_in import Person
from bot.staff import SEES_ALL_CASES, StaffError
from bot.translation import TranslationError, Translator
from bot.typing_sign import Seer, seer_of
from knowledge.answers import UnknownTopicError
from knowledge.database import reading

LONGEST_TEXT = 2000


@dataclass(frozen=True)
class Draft:
    """What stands in the field for writing; `original` is what it was translated from."""

    text: str
    original: str = ""


CHOSEN_OUTCOMES = tuple(outcome for outcome in Outcome if outcome is not Outcome.DELETED)
Deed = Callable[[Session, datetime], str]


def _may_be_there(case_id: int) -> None:
    if not 0 < case_id <= views.LARGEST_ID:
        raise HTTPException(404)


router = APIRouter(prefix="/console/cases", include_in_schema=False, dependencies=[Depends(_may_be_there)])


@router.get("/{case_id}")
async def show(request: Request, person: Helper, case_id: int, topic: str = "", insert: int = 0) -> Response:
    """The transcript with what can be done.

    With `?topic=` the answer that would be sent, in both languages; with `?insert=` a canned reply in the field for writing.
    """
    return await _page_of(request, person, case_id, topic=topic, insert=insert)


async def _page_of(
    request: Request,
    person: Person,
    case_id: int,
    *,
    topic: str = "",
    insert: int = 0,
    draft: Draft | None = None,
    problem: str = "",
) -> Response:
    service, now = request.app.state.service, utc_now()
    content = service.content.current().content

    def look() -> tuple[views.Opened, str | None, list[tuple[str, str]], list[Canned]] | None:
        with reading(service.sessions) as session:
            row = views.find(session, case_id, now=now)
            if row is None:
                return None
            if not views.may_see(person, row):
                raise PermissionError
            spoken = views.conversation_of(session, case_id)[1]
            return views.opened(session, row, person.language), spoken, staff.takers(session), canned(session)

    try:
        found = await run_in_threadpool(look)
    except PermissionError:
        await access.refuse(request, person, case_id)
    if found is None:
        raise HTTPException(404, "no_case")
    opened, spoken, colleagues, replies = found
    theirs = spoken if spoken is not None and spoken in content.phrases else DEFAULT_LANGUAGE
    own = person.language
    mine = opened.row.state == State.CLAIMED and opened.row.owner == person.id
    preview = None
    if topic and mine:
        try:
            preview = tuple(answer_for_staff(content, topic, code, now=now) for code in (own, theirs))
        except UnknownTopicError:
            raise HTTPException(404, "no_topic") from None
    labels = {name: content.words[name, own].button for name in content.topics}
    spoken_name = language_names(own).get(str(spoken), spoken or "–")
    known = summary(opened, texts=texts(own), labels=labels, language=spoken_name, now=now)
    return page(
        request,
        "case.html",
        person=person,
        case=opened,
        row=opened.row,
        mine=mine,
        sees_all=person.role in SEES_ALL_CASES,
        summary=known,
        watchers=opened.row.others(person.id),
        colleagues=[one for one in colleagues if one[0] != person.id],
        replies=replies,
        draft=draft or Draft(next((one.texts.get(theirs, "") for one in replies if one.id == insert), "")),
        problem=problem,
        translates=bool(service.settings.libretranslate_url),
        untranslated=sum(_wants_translation(line) for line in opened.lines),
        labels=labels,
        areas=_by_area(labels, content.phrases[own].areas),
        spoken=spoken,
        theirs=theirs,
        topic=topic,
        preview=preview,
        outcomes=CHOSEN_OUTCOMES,
        longest=LONGEST_TEXT,
    )


@router.get("/{case_id}/files/{file_id}")
async def file(request: Request, person: Helper, case_id: int, file_id: int) -> Response:
    """What the person sent, to save and never to be shown in the page of the console."""
    service, now = request.app.state.service, utc_now()

    def look(session: Session) -> attachments.File | None:
        row = views.find(session, case_id, now=now)
        if row is None:
            return None
        if not views.may_see(person, row):
            raise PermissionError
        shown = {line.file.id for line in views.opened(session, row, person.language).lines if line.file is not None}
        if file_id not in shown:
            return None
        conversation_id = views.conversation_of(session, case_id)[0]
        found = attachments.read(session, file_id, conversation_id or "", service.addresses)
        if found is not None:
            audit.record(session, person.id, "file_read", case_id=case_id, details={"file": file_id}, now=now)
        return found

    try:
        found = await service.writer.run(look)
    except PermissionError:
        await access.refuse(request, person, case_id)
    if found is None:
        raise HTTPException(404, "no_file")
    headers = {
        "Content-Disposition": f'attachment; filename="{found.name}"',
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return Response(found.data, media_type=found.media_type, headers=headers)


@router.post("/{case_id}/claim")
async def claim(request: Request, posted: FormOfHelper, case_id: int) -> Response:
    """Take a case that waits; of two at the same instant one is told that the other has it."""
    desk: Desk = request.app.state.desk
    try:
        await _do(request, lambda session, now: desk.claim(session, case_id, posted.person.id, now=now))
    except CaseStateError:
        return message(request, "taken", 409, posted.person)
    return _back_to(case_id)


@router.post("/{case_id}/say")
async def say(request: Request, posted: FormOfHelper, case_id: int) -> Response:
    """Write to the person."""
    desk: Desk = request.app.state.desk
    text, original = _text(posted), posted.fields.get("original", "")[:LONGEST_TEXT]
    return await _as_owner(
        request,
        posted,
        case_id,
        lambda session, now: desk.say(session, case_id, posted.person.id, text, now=now, original=original),
    )


@router.post("/{case_id}/typing")
async def typing(request: Request, posted: FormOfHelper, case_id: int) -> Response:
    """Show the person that one is writing to them; nothing of what is written comes here."""
    service: Service = request.app.state.service

    def look() -> Seer | None:
        with reading(service.sessions) as session:
            return seer_of(session, case_id, posted.person.id)

    seer = await run_in_threadpool(look)
    if seer is not None:
        request.app.state.announcer.announce_typing(seer.conversation_id)
        # A browser has few connections to one host: a messenger that hangs must not keep what is written from being sent.
        beside = request.app.state.beside
        beside.add(shown := asyncio.create_task(request.app.state.channels.show_typing(seer), name="typing"))
        shown.add_done_callback(beside.discard)
    return Response(status_code=204)


@router.post("/{case_id}/draft")
async def draft(request: Request, posted: FormOfHelper, case_id: int) -> Response:
    """Translate what was written, to be looked at before it is sent; where that fails it is there as it was."""
    text = _text(posted)
    _, spoken, _ = await _readable(request, posted.person, case_id)
    content = request.app.state.service.content.current().content
    target = spoken if spoken is not None and spoken in content.phrases else DEFAULT_LANGUAGE
    try:
        (translated,) = await _translator(request).translate([text], posted.person.language, target)
    except TranslationError:
        return await _page_of(request, posted.person, case_id, draft=Draft(text), problem="translation.failed")
    return await _page_of(request, posted.person, case_id, draft=Draft(translated[:LONGEST_TEXT], text))


@router.post("/{case_id}/translate")
async def translate(request: Request, posted: FormOfHelper, case_id: int) -> Response:
    """Translate what the person wrote into one's own language; the original stays above it."""
    service, language = request.app.state.service, posted.person.language
    conversation_id, spoken, texts_by_id = await _readable(request, posted.person, case_id)
    if texts_by_id:
        try:
            found = await _translator(request).translate(list(texts_by_id.values()), spoken, language)
        except TranslationError:
            return await _page_of(request, posted.person, case_id, problem="translation.failed")
        by_id = dict(zip(texts_by_id, found, strict=True))
        await service.writer.run(lambda session: translation.keep(session, language, by_id, texts_by_id))
        request.app.state.on_reply(conversation_id)
    return _back_to(case_id)


@router.post("/{case_id}/note")
async def note(request: Request, posted: FormOfHelper, case_id: int) -> Response:
    """Write a note that only staff see."""
    desk: Desk = request.app.state.desk
    text = _text(posted)
    return await _as_owner(
        request, posted, case_id, lambda session, now: desk.note(session, case_id, posted.person.id, text, now=now)
    )


@router.post("/{case_id}/answer")
async def answer(request: Request, posted: FormOfHelper, case_id: int) -> Response:
    """Send a knowledge answer in the person's language."""
    service, desk = request.app.state.service, request.app.state.desk
    content, now = service.content.current().content, utc_now()

    def spoken() -> str | None:
        with reading(service.sessions) as session:
            return views.conversation_of(session, case_id)[1]

    language = await run_in_threadpool(spoken)
    try:
        reply = answer_for_staff(
            content,
            posted.fields.get("topic", ""),
            language if language is not None and language in content.phrases else DEFAULT_LANGUAGE,
            now=now,
        )
    except UnknownTopicError:
        raise HTTPException(404, "no_topic") from None
    return await _as_owner(
        request,
        posted,
        case_id,
        lambda session, now: desk.send_answer(session, case_id, posted.person.id, reply, now=now),
    )


@router.post("/{case_id}/hand-over")
async def hand_over(request: Request, posted: FormOfHelper, case_id: int) -> Response:
    """Give the case to a colleague."""
    desk: Desk = request.app.state.desk
    to = posted.fields.get("to", "")
    try:
        return await _as_owner(
            request,
            posted,
            case_id,
            lambda session, now: desk.hand_over(session, case_id, posted.person.id, to, now=now),
            to_queue=True,
        )
    except StaffError:
        raise HTTPException(422, "no_colleague") from None


@router.post("/{case_id}/hand-back")
async def hand_back(request: Request, posted: FormOfHelper, case_id: int) -> Response:
    """Give the conversation back to the bot; the case waits again."""
    desk: Desk = request.app.state.desk
    return await _as_owner(
        request,
        posted,
        case_id,
        lambda session, now: desk.hand_back(session, case_id, posted.person.id, now=now),
        to_queue=True,
    )


@router.post("/{case_id}/close")
async def close(request: Request, posted: FormOfHelper, case_id: int) -> Response:
    """End the case with an outcome."""
    desk: Desk = request.app.state.desk
    chosen = posted.fields.get("outcome", "")
    if chosen not in CHOSEN_OUTCOMES:
        raise HTTPException(422, "no_outcome")
    return await _as_owner(
        request,
        posted,
        case_id,
        lambda session, now: desk.close(session, case_id, posted.person.id, Outcome(chosen), now=now),
        to_queue=True,
    )


@router.post("/{case_id}/reopen")
async def reopen(request: Request, posted: FormOfHelper, case_id: int) -> Response:
    """Let a closed case wait again: leads only."""
    desk: Desk = request.app.state.desk
    if posted.person.role not in SEES_ALL_CASES:
        await access.refuse(request, posted.person, case_id)
    return await _as_owner(
        request, posted, case_id, lambda session, now: desk.reopen(session, case_id, posted.person.id, now=now)
    )


async def _as_owner(request: Request, posted: Posted, case_id: int, deed: Deed, *, to_queue: bool = False) -> Response:
    try:
        await _do(request, deed)
    except CaseStateError:
        await access.refuse(request, posted.person, case_id)
    except StoppedError:
        return message(request, "stopped", 409, posted.person)
    except LookupError:
        return message(request, "gone", 410, posted.person)
    return RedirectResponse("/console/queue", 303) if to_queue else _back_to(case_id)


async def _readable(request: Request, person: Person, case_id: int) -> tuple[str, str | None, Mapping[int, str]]:
    """The conversation of a case that one may read, its language, and the texts shown there that have no translation yet."""
    service: Service = request.app.state.service

    def look() -> tuple[str | None, str | None, Mapping[int, str]]:
        with reading(service.sessions) as session:
            row = views.find(session, case_id, now=utc_now())
            if row is None or not views.may_see(person, row):
                raise PermissionError
            shown = views.opened(session, row, person.language).lines
            wanted = {line.inbox_id: line.text for line in shown if _wants_translation(line)}
            return *views.conversation_of(session, case_id), {
                one: said for one, said in wanted.items() if one is not None
            }

    try:
        conversation_id, spoken, texts_by_id = await run_in_threadpool(look)
    except PermissionError:
        await access.refuse(request, person, case_id)
    if conversation_id is None:
        raise HTTPException(410, "gone")
    return conversation_id, spoken, texts_by_id


def _translator(request: Request) -> Translator:
    settings = request.app.state.service.settings
    if not settings.libretranslate_url:
        raise HTTPException(404, "translation.off")
    return Translator(settings.libretranslate_url, settings.libretranslate_api_key.get_secret_value())


def _wants_translation(line: views.Line) -> bool:
    return line.author == "person" and line.kind == Kind.TEXT and line.translation is None


async def _do(request: Request, deed: Deed) -> None:
    service: Service = request.app.state.service
    conversation_id = await service.writer.run(lambda session: deed(session, utc_now()))
    request.app.state.on_reply(conversation_id)
    request.app.state.worker.wake()  # what was given back to the bot is answered at once


def _text(posted: Posted) -> str:
    text = posted.fields.get("text", "")
    if not text or len(text) > LONGEST_TEXT:
        raise HTTPException(422, "text_length")
    return text


def _by_area(labels: dict[str, str], areas: dict[str, str]) -> dict[str, list[tuple[str, str]]]:
    grouped: dict[str, list[tuple[str, str]]] = {}
    for topic, title in labels.items():
        area = topic.partition(".")[0]
        grouped.setdefault(areas.get(area, area), []).append((topic, title))
    return grouped


def _back_to(case_id: int) -> Response:
    return RedirectResponse(f"/console/cases/{case_id}", 303)
