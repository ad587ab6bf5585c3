"""Where messengers bring what people write: signature first, then the inbox, then 200."""

from __future__ import annotations

import asyncio
import json

import structlog
from fastapi import APIRouter, HTTPException, Request
from starlette.responses import PlainTextResponse, Response

from bot import outbox
from bot.channels import telegram, whatsapp
from bot.channels.port import ForgedRequestError, MalformedPayloadError, RetryLaterError
from bot.channels.registry import TELEGRAM_WEBHOOK, WHATSAPP_WEBHOOK, Channels
from bot.web.body import BodyTooLargeError, BodyTooSlowError, read_body

LARGEST_WEBHOOK = 1024 * 1024  # bytes: Meta gathers up to a thousand updates

router = APIRouter(include_in_schema=False)
log = structlog.get_logger()


@router.post(TELEGRAM_WEBHOOK)
async def take_telegram(request: Request) -> Response:
    """One update of Telegram's; 503 where it can't be stored or helped, and Telegram brings it again."""
    channels: Channels = request.app.state.channels
    channel = channels.telegram
    if channel is None:
        raise HTTPException(404)
    try:
        telegram.verify(request.headers, secret=telegram.webhook_secret(request.app.state.service.key))
        await channel.take_raw(json.loads(await _body(request)), lambda received: channels.take(channel, received))
    except ForgedRequestError:
        raise HTTPException(403) from None
    except (MalformedPayloadError, ValueError, RecursionError):
        raise HTTPException(400) from None
    except RetryLaterError:
        raise HTTPException(503) from None
    return Response(status_code=200)


@router.get(WHATSAPP_WEBHOOK)
async def verify_whatsapp(request: Request) -> Response:
    """Meta's check that the address is ours."""
    channels: Channels = request.app.state.channels
    if channels.whatsapp is None:
        raise HTTPException(404)
    token = request.app.state.service.settings.whatsapp_verify_token.get_secret_value()
    try:
        return PlainTextResponse(whatsapp.handshake(request.query_params, token=token))
    except ForgedRequestError:
        raise HTTPException(403) from None


@router.post(WHATSAPP_WEBHOOK)
async def take_whatsapp(request: Request) -> Response:
    """Messages and statuses of WhatsApp's; 503 where they can't be stored or helped, and Meta brings them again."""
    channels: Channels = request.app.state.channels
    channel, service = channels.whatsapp, request.app.state.service
    if channel is None:
        raise HTTPException(404)
    body = await _body(request)
    try:
        whatsapp.verify(request.headers, body, secret=service.settings.whatsapp_app_secret.get_secret_value())
        parsed = whatsapp.parse(body)
    except ForgedRequestError:
        raise HTTPException(403) from None
    except MalformedPayloadError:
        raise HTTPException(400) from None
    if parsed.left_out:
        log.warning("whatsapp_messages_left_out", count=parsed.left_out)
    for moved in parsed.moved:
        await channels.move(channel, moved)
    try:
        await channels.take_all(channel, parsed.received)
    except RetryLaterError:
        raise HTTPException(503) from None
    for received in parsed.received:
        request.app.state.beside.add(
            task := asyncio.create_task(channel.mark_read(received.incoming.provider_id), name="read receipt")
        )
        task.add_done_callback(request.app.state.beside.discard)
    if parsed.statuses:
        states = {status.provider_id: status.state for status in parsed.statuses}
        await service.writer.run(lambda session: outbox.record_states(session, states), within=5)
    return Response(status_code=200)


async def _body(request: Request) -> bytes:
    try:
        return await read_body(request, most=LARGEST_WEBHOOK)
    except BodyTooLargeError:
        raise HTTPException(413) from None
    except BodyTooSlowError:
        raise HTTPException(408) from None
