"""Telegram: updates in, messages out. When a reply goes and how often it is tried again: `bot.channels.delivery`.

Long polling, or a webhook where the service has a public address. An update is confirmed by asking for the next one after it was
stored, so what was not stored comes again, also after a restart.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import html
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog
from sqlalchemy.exc import SQLAlchemyError
from telegram import (
    Bot,
    BotCommand,
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    KeyboardButton,
    LinkPreviewOptions,
    Message,
    ReplyKeyboardMarkup,
    Update,
)
from telegram.constants import ChatAction, ChatType, ParseMode
from telegram.error import BadRequest, Forbidden, InvalidToken, NetworkError, RetryAfter, TelegramError
from telegram.request import HTTPXRequest

from actions.reply import Reply
from bot.channels.port import ForgedRequestError, MalformedPayloadError, Received, RetryLaterError, UndeliverableError
from bot.channels.render import blocks, shortened, split, with_bold
from bot.inbox import Incoming, Kind
from knowledge.files import Content

MAX_TEXT_CHARACTERS = 4096  # https://core.telegram.org/bots/api#sendmessage, after the entities are parsed
MAX_CALLBACK_BYTES = 64  # https://core.telegram.org/bots/api#inlinekeyboardbutton
MAX_DESCRIPTION_CHARACTERS = 512  # https://core.telegram.org/bots/api#setmydescription
BUTTON_CHARACTERS = 40  # wider ones are cut on a small phone
LOCATION_SIGN = "📍"  # above the button that shares a position, where other buttons stand before it
POLL_SECONDS = 25
EMPTY_SECONDS = 0.2
MOST_FAILURES = 3  # of one update
PAUSE_SECONDS = 3.0  # after a failure, before asking again
SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 (its name)
ALLOWED_UPDATES = ["message", "edited_message", "callback_query", "my_chat_member"]
# What people may type with a slash, and the button that it stands for.
COMMANDS = {
    "menu": "/menu",
    "help": "/menu",
    "settings": "/change_language",
    "emergency": '/area{"area":"urgent"}',
    "person": "/human",
    "language": "/change_language",
    "delete": "/delete_my_data",
}
_TOPIC = re.compile(r"^([a-z]+)[.-]([a-z0-9_]+)$")

log = structlog.get_logger()
Take = Callable[[Received], Awaitable[None]]


@dataclass(frozen=True)
class Parsed:
    """What an update comes to: a message of somebody, or nothing to answer; `pressed` is the button to mark as chosen."""

    received: Received | None
    pressed: CallbackQuery | None = None


def webhook_secret(key: bytes) -> str:
    """The secret that Telegram has to send with each update; derived, so that it needs no setting."""
    return hmac.new(key, b"telegram webhook", hashlib.sha256).hexdigest()


def verify(headers: Mapping[str, str], *, secret: str) -> None:
    """Raises `ForgedRequestError` where an update was not sent by Telegram; without a secret all are refused."""
    if not secret or not hmac.compare_digest(headers.get(SECRET_HEADER, "").encode(), secret.encode()):
        raise ForgedRequestError("the secret token is missing or wrong")


def parse(update: Update, languages: frozenset[str]) -> Parsed:
    """What an update asks of us. Edited messages were answered when they came and are judged anew; membership needs no answer.

    Args:
        languages: the served languages, for `/start pl`.

    """
    if update.callback_query is not None:
        return _pressed(update.callback_query)
    if update.message is not None:
        received = _message(update.message, languages)
        return Parsed(replace(received, written_at=update.message.date.timestamp()) if received is not None else None)
    if update.edited_message is not None:
        return Parsed(_edited(update.edited_message, update.update_id))
    return Parsed(None)


def _pressed(query: CallbackQuery) -> Parsed:
    if query.message is None or query.message.chat.type != ChatType.PRIVATE:
        return Parsed(None, query)
    incoming = Incoming(f"q{query.id}", Kind.BUTTON, _text(query.data or "/gone"), _hint(query.from_user.language_code))
    return Parsed(Received(str(query.message.chat.id), incoming), query)


def _message(message: Message, languages: frozenset[str]) -> Received | None:
    address = str(int(message.chat.id))
    if message.chat.type != ChatType.PRIVATE:
        # The same id each time: a group is spoken to once.
        return Received(address, Incoming("group", Kind.BUTTON, "/group"))
    hint = _hint(message.from_user.language_code if message.from_user else None)
    provider_id = f"m{message.message_id}"
    if message.text is not None:
        kind, body = _said(message.text, languages)
        return Received(address, Incoming(provider_id, kind, body, hint))
    if message.location is not None:
        position = f"{message.location.latitude},{message.location.longitude}"
        return Received(address, Incoming(provider_id, Kind.LOCATION, position, hint))
    if message.caption:
        return Received(address, Incoming(provider_id, Kind.TEXT, _text(message.caption), hint), _file_of(message))
    if message.effective_attachment is not None:
        return Received(address, Incoming(provider_id, Kind.BUTTON, "/cannot_read", hint), _file_of(message))
    return None  # somebody joined, a pinned message: nothing was said


def _edited(message: Message, update_id: int) -> Received | None:
    text = message.text or message.caption
    if message.chat.type != ChatType.PRIVATE or not text:
        return None  # a live location moves by edits
    hint = _hint(message.from_user.language_code if message.from_user else None)
    # Each edit once: the first may be a slip of the finger, and the second, in the same second, the cry.
    provider_id = f"e{message.message_id}.{update_id}"
    written_at = message.edit_date.timestamp() if message.edit_date else None
    incoming = Incoming(provider_id, Kind.TEXT, _text(text), hint, is_edit=True)
    return Received(str(int(message.chat.id)), incoming, written_at=written_at)


def _text(value: object) -> str:
    """What the library hands on as text, which may be anything that JSON knows; raises TypeError where it is none."""
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _file_of(message: Message) -> str | None:
    """The id of the file in a message; of a picture the largest of its sizes. Contacts and the like are no files."""
    attached = message.effective_attachment
    if isinstance(attached, list | tuple):
        attached = attached[-1] if attached else None
    return getattr(attached, "file_id", None)


def _said(text: str, languages: frozenset[str]) -> tuple[Kind, str]:
    command, _, rest = text.partition(" ")
    name = command.removeprefix("/").partition("@")[0].lower()
    if not command.startswith("/"):
        return Kind.TEXT, text
    if name == "start":
        return Kind.BUTTON, _start(rest.strip(), languages)
    return (Kind.BUTTON, COMMANDS[name]) if name in COMMANDS else (Kind.TEXT, text)


def _start(link: str, languages: frozenset[str]) -> str:
    """The button behind a deep link (`?start=housing-deposit`, `?start=pl`); the greeting where there is none."""
    if link in languages:
        return f'/language{{"language":"{link}"}}'
    topic = _TOPIC.match(link)
    return f"/{topic[1]}.{topic[2]}" if topic else "/greet"


def _hint(code: str | None) -> str | None:
    return code.split("-")[0].lower()[:8] if code else None


@dataclass(frozen=True)
class Payload:
    """One message to send."""

    text: str
    markup: InlineKeyboardMarkup | ReplyKeyboardMarkup | None


def render(reply: Reply, *, location_label: str | None = None) -> list[Payload]:
    """The messages of a reply; buttons stand under the last one. A message has one kind of them: the location has its own.

    Args:
        location_label: what the button says that shares a position, where the reply asks for one.

    """
    texts = split(blocks(reply), MAX_TEXT_CHARACTERS)
    marked = [with_bold(text, escape=html.escape, mark=lambda bold: f"<b>{bold}</b>") for text in texts]
    markups: list[InlineKeyboardMarkup | ReplyKeyboardMarkup | None] = [None] * len(marked)
    markups[-1] = _markup(reply)
    if reply.asks_location and location_label:
        share = KeyboardButton(location_label, request_location=True)
        keyboard = ReplyKeyboardMarkup([[share]], resize_keyboard=True, one_time_keyboard=True)
        if markups[-1] is None:
            markups[-1] = keyboard
        else:
            marked, markups = [*marked, LOCATION_SIGN], [*markups, keyboard]
    return [Payload(text, markup) for text, markup in zip(marked, markups, strict=True)]


def _markup(reply: Reply) -> InlineKeyboardMarkup | None:
    rows = [
        [InlineKeyboardButton(shortened(button.label, BUTTON_CHARACTERS), callback_data=button.payload)]
        for button in reply.buttons
        if len(button.payload.encode()) <= MAX_CALLBACK_BYTES
    ]
    return InlineKeyboardMarkup(rows) if rows else None


class Telegram:
    """The channel.

    Args:
        token: of the bot.
        api_url: the Bot API, Telegram's own or one that is hosted by oneself.
        content: for the commands and the button that shares a position.

    """

    name = "telegram"
    per_second = 25.0  # of the 30 that Telegram takes
    per_person_seconds = 1.0

    def __init__(self, token: str, api_url: str, content: Callable[[], Content]) -> None:
        self._content = content
        self.bot = Bot(
            token,
            base_url=f"{api_url.rstrip('/')}/bot",
            base_file_url=f"{api_url.rstrip('/')}/file/bot",
            request=HTTPXRequest(connection_pool_size=32, read_timeout=15, connect_timeout=10, pool_timeout=10),
            get_updates_request=HTTPXRequest(connection_pool_size=2, read_timeout=POLL_SECONDS + 10),
        )

    @property
    def _languages(self) -> frozenset[str]:
        return frozenset(self._content().languages)

    async def send(self, address: str, reply: Reply) -> str | None:
        """Send a reply as one message or, where it is very long, several; see `bot.channels.port.Channel`."""
        phrases = self._content().phrases
        label = phrases[reply.language].phrases["button.location"] if reply.language in phrases else None
        sent = None
        try:
            for payload in render(reply, location_label=label):
                sent = await self.bot.send_message(
                    int(address),
                    payload.text,
                    parse_mode=ParseMode.HTML,
                    reply_markup=payload.markup,
                    link_preview_options=LinkPreviewOptions(is_disabled=True),
                )
        except RetryAfter as error:
            seconds = error.retry_after
            raise RetryLaterError("flood", seconds if isinstance(seconds, int) else seconds.total_seconds()) from None
        except Forbidden:
            raise UndeliverableError("blocked") from None
        except BadRequest as error:
            if "chat not found" in error.message.lower():
                raise UndeliverableError("no_such_chat") from None
            raise UndeliverableError("refused") from None
        except (NetworkError, TelegramError) as error:
            raise RetryLaterError(type(error).__name__) from None
        return str(sent.message_id) if sent is not None else None

    async def show_typing(self, address: str, *, last_message: str) -> None:
        """Show for five seconds that a person is writing; see `bot.channels.port.Channel`."""
        with suppress(TelegramError):
            await self.bot.send_chat_action(int(address), ChatAction.TYPING)

    async def fetch(self, reference: str, *, most: int) -> bytes:
        """A file that somebody sent; see `bot.channels.port.Channel`."""
        try:
            found = await self.bot.get_file(reference)
            if (found.file_size or 0) > most:
                raise UndeliverableError("too_large")
            return bytes(await found.download_as_bytearray())
        except RetryAfter as error:
            raise RetryLaterError("flood") from error
        except BadRequest as error:
            # Telegram gives out no file above 20 MB, and none that it has forgotten.
            raise UndeliverableError("too_large" if "too big" in error.message.lower() else "gone") from None
        except TelegramError as error:
            raise RetryLaterError(type(error).__name__) from None

    async def start(self, *, webhook: str | None, secret: str) -> None:
        """Set webhook and commands; raises `telegram.error.TelegramError` where Telegram refuses or can't be reached."""
        if webhook is None:
            await self.bot.delete_webhook(drop_pending_updates=False)
        else:
            await self.bot.set_webhook(
                webhook, secret_token=secret, allowed_updates=ALLOWED_UPDATES, drop_pending_updates=False
            )
        try:
            await self._set_commands()
        except TelegramError as error:
            # Messages are worth more than the list of commands beside the field.
            log.warning("telegram_commands_not_set", error=type(error).__name__)

    async def _set_commands(self) -> None:
        content = self._content()
        for code in (None, *content.languages):
            phrases = content.phrases[code or "en"].phrases
            labels = {"menu": "menu", "emergency": "emergency", "person": "human", "language": None, "delete": "delete"}
            commands = [
                BotCommand(name, phrases[f"button.{key}"] if key else phrases["web.choose_language"])
                for name, key in labels.items()
            ]
            await self.bot.set_my_commands(commands, language_code=code)
            await self.bot.set_my_short_description(phrases["page.tagline"], language_code=code)
            # What stands in the empty chat: also that it is a robot, before anybody has written to it.
            await self.bot.set_my_description(phrases["greet"][:MAX_DESCRIPTION_CHARACTERS], language_code=code)

    async def take(self, update: Update, take: Take) -> None:
        """Hand one update on; raises what `take` raises where it could not be stored.

        Raises:
            MalformedPayloadError: fields are missing or of another kind than Telegram sends; the library checks neither.

        """
        try:
            parsed = parse(update, self._languages)
        except (AttributeError, TypeError, ValueError, OverflowError):
            raise MalformedPayloadError("this is no update of Telegram's") from None
        if parsed.received is not None:
            await take(parsed.received)
        if parsed.pressed is not None:
            await self._mark(parsed.pressed)

    async def take_raw(self, data: object, take: Take) -> None:
        """Hand on what a webhook or a poll brought; raises `MalformedPayloadError` where it is no update."""
        try:
            update = Update.de_json(data, self.bot) if isinstance(data, dict) else None
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError):
            update = None
        if update is None:
            raise MalformedPayloadError("this is no update of Telegram's")
        await self.take(update, take)

    async def poll(self, take: Take, *, help_with: Take) -> None:
        """Ask for updates until cancelled. An update that can't be stored is asked for again.

        Args:
            take: receives a message; raises where it can't be stored.
            help_with: gives those who are in danger their number; for the updates behind one that can't be stored.

        """
        offset: int | None = None
        failures = 0
        while True:
            try:
                # The library's own call reads all updates or none, and writes them into the log where it can't read one.
                updates = await self.bot.do_api_request(
                    "getUpdates", {"offset": offset, "timeout": POLL_SECONDS, "allowed_updates": ALLOWED_UPDATES}
                )
                if not updates:
                    # Telegram has waited; a server that doesn't is not asked all the time.
                    await asyncio.sleep(EMPTY_SECONDS)
                for place, update in enumerate(updates):
                    try:
                        await self.take_raw(update, take)
                    except MalformedPayloadError:
                        log.warning("telegram_update_left_out")
                    except (TelegramError, SQLAlchemyError, TimeoutError):
                        for later in updates[place + 1 :]:
                            with suppress(MalformedPayloadError, TelegramError):
                                await self.take_raw(later, help_with)
                        raise  # it comes again
                    except Exception:
                        log.exception("telegram_update_failed")
                        failures += 1
                        if failures < MOST_FAILURES:
                            break  # it comes again; one that never works may not keep everybody else waiting
                    failures = 0
                    offset = int(update["update_id"]) + 1
            except InvalidToken:
                log.error("telegram_token_refused")
                await asyncio.sleep(60)
            except (TelegramError, SQLAlchemyError, TimeoutError) as error:
                log.warning("telegram_poll_failed", error=type(error).__name__)
                await asyncio.sleep(PAUSE_SECONDS)
            except (KeyError, TypeError, ValueError):
                log.warning("telegram_poll_not_read")  # an answer without the numbers of its updates
                await asyncio.sleep(PAUSE_SECONDS)

    async def _mark(self, query: CallbackQuery) -> None:
        """Show which button was chosen. An old button's query has run out long ago, and that is no error to anybody."""
        with suppress(TelegramError):
            await query.answer()
        message = query.message
        if not isinstance(message, Message) or message.reply_markup is None:
            return
        rows = [
            [
                InlineKeyboardButton(
                    f"✓ {button.text.removeprefix('✓ ')}" if button.callback_data == query.data else button.text,
                    callback_data=button.callback_data,
                )
                for button in row
            ]
            for row in message.reply_markup.inline_keyboard
        ]
        # An answer that the library can't read is no trouble either: the message was taken before.
        with suppress(TelegramError, AttributeError, KeyError, TypeError, ValueError):
            await message.edit_reply_markup(InlineKeyboardMarkup(rows))
