"""Which channels are set up, and running them beside the web application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError
from telegram.error import InvalidToken, TelegramError

from bot.addresses import UnreadableAddressError
from bot.attachments import Fetcher
from bot.channels.delivery import Delivery
from bot.channels.port import Channel, Moved, Received, RetryLaterError
from bot.channels.reception import Reception
from bot.channels.telegram import Telegram, webhook_secret
from bot.channels.whatsapp import WhatsApp
from bot.conversations import utc_now
from bot.frozen import FrozenPath
from bot.service import Service
from bot.settings import Settings
from bot.typing_sign import Seer
from knowledge.files import Content

TELEGRAM_WEBHOOK = "/webhooks/telegram"
WHATSAPP_WEBHOOK = "/webhooks/whatsapp"
START_AGAIN_SECONDS = 30.0

log = structlog.get_logger()


@dataclass(frozen=True)
class State:
    """Whether a channel is on, and why (not)."""

    name: str
    is_on: bool
    why: str


def states(settings: Settings) -> list[State]:
    """Every channel of this version."""
    telegram, whatsapp = (
        bool(token.get_secret_value()) for token in (settings.telegram_bot_token, settings.whatsapp_token)
    )
    polling = "long polling" if not settings.public_url else f"webhook at {settings.public_url}{TELEGRAM_WEBHOOK}"
    webhook = f"webhook at {settings.public_url}{WHATSAPP_WEBHOOK}"
    return [
        State("web", True, f"http://{settings.host}:{settings.port}"),
        _state("telegram", telegram, polling if telegram else "TELEGRAM_BOT_TOKEN is not set", settings),
        _state("whatsapp", whatsapp, webhook if whatsapp else "WHATSAPP_TOKEN is not set", settings),
    ]


def _state(name: str, is_set_up: bool, why: str, settings: Settings) -> State:
    is_closed = is_set_up and name in settings.closed_channels
    return State(name, is_set_up and not is_closed, "closed: CLOSED_CHANNELS" if is_closed else why)


class Channels:
    """The messengers of a process: receiving, sending, and what keeps them going.

    Args:
        on_stored: told when a message was stored, so that a worker takes it.

    """

    def __init__(self, service: Service, frozen: Callable[[], FrozenPath], *, on_stored: Callable[[], None]) -> None:
        settings = service.settings
        self._service = service
        self._frozen = frozen
        self.telegram: Telegram | None = None
        self.whatsapp: WhatsApp | None = None

        def content() -> Content:
            return service.content.current().content

        if token := settings.telegram_bot_token.get_secret_value():
            self.telegram = Telegram(token, settings.telegram_api_url, content)
        if token := settings.whatsapp_token.get_secret_value():
            self.whatsapp = WhatsApp(token, settings.whatsapp_phone_id, settings.whatsapp_api_url, content)
        addresses = service.addresses
        self.reception = Reception(
            service.sessions,
            service.writer,
            frozen,
            addresses,
            keys=service.keys,
            per_minute=settings.messages_per_minute,
            on_stored=on_stored,
        )
        self.fetcher = Fetcher(
            service.sessions, service.writer, self.by_name, addresses, clock=utc_now, on_fetched=lambda _: on_stored()
        )
        self.delivery = Delivery(service.sessions, service.writer, self.by_name, addresses, clock=utc_now)

    @property
    def by_name(self) -> Mapping[str, Channel]:
        """The channels that are on."""
        return {channel.name: channel for channel in (self.telegram, self.whatsapp) if channel is not None}

    async def run(self) -> None:
        """Send and, where it has no webhook, ask Telegram for updates; until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            if self.by_name:
                tasks.create_task(self.delivery.run(), name="delivery")
                tasks.create_task(self.fetcher.run(), name="attachments")
            if self.telegram is not None:
                tasks.create_task(self._run_telegram(self.telegram), name="telegram")

    async def take(self, channel: Channel, received: Received) -> None:
        """Receive one message; raises where it has to come again. A closed channel stores nothing but a STOP.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: it could not be stored.
            TimeoutError: likewise.
            RetryLaterError: the channel is closed, and the help for somebody in danger could not be sent.

        """
        if self._is_closed(channel) and not self.reception.says_stop(received):
            await self._turn_away(channel, received)
        else:
            await self.reception.take(channel, received, now=utc_now())

    async def take_all(self, channel: Channel, received: Sequence[Received]) -> None:
        """Receive messages in order. From the first that can't be stored on none is, but whoever is in danger is helped.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: they have to come again.
            TimeoutError: likewise.
            RetryLaterError: likewise; as `take` does.

        """
        for number, one in enumerate(received):
            try:
                await self.take(channel, one)
            except (SQLAlchemyError, TimeoutError, RetryLaterError):
                for later in received[number + 1 :]:
                    await self.help(channel, later)
                raise

    async def help(self, channel: Channel, received: Received) -> None:
        """Give the number to whoever is in danger, where their message can't be stored now."""
        if self._is_closed(channel):
            with suppress(RetryLaterError):
                await self._turn_away(channel, received)
        else:
            await self.reception.help(channel, received, now=utc_now())

    def _is_closed(self, channel: Channel) -> bool:
        return channel.name in self._service.settings.closed_channels

    async def _turn_away(self, channel: Channel, received: Received) -> None:
        await self.reception.turn_away(channel, received, url=self._service.settings.public_url, now=utc_now())

    async def show_typing(self, seer: Seer) -> None:
        """Show somebody on a messenger that one of the staff is writing to them."""
        channel = self.by_name.get(seer.channel)
        if channel is not None and seer.address is not None:
            with suppress(UnreadableAddressError):
                address = self._service.addresses.read(seer.address)
                await channel.show_typing(address, last_message=seer.last_message)

    async def move(self, channel: Channel, moved: Moved) -> None:
        """Somebody has another address from now on; raises where that could not be stored."""
        await self.reception.move(channel, moved)

    async def _run_telegram(self, telegram: Telegram) -> None:
        public_url = self._service.settings.public_url
        webhook = f"{public_url}{TELEGRAM_WEBHOOK}" if public_url else None
        while True:
            try:
                await telegram.start(webhook=webhook, secret=webhook_secret(self._service.key))
                log.info("telegram_ready", webhook=webhook is not None)
                break
            except InvalidToken:
                log.error("telegram_token_refused")
            except TelegramError as error:
                log.warning("telegram_not_reached", error=type(error).__name__)
            await asyncio.sleep(START_AGAIN_SECONDS)
        if webhook is None:
            await telegram.poll(
                lambda received: self.take(telegram, received),
                help_with=lambda received: self.help(telegram, received),
            )
