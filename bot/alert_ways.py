"""The ways by which staff are alerted: e-mail, a signed webhook, their Telegram group. Whom and when: `bot.alarm`.

What is sent holds kind, language, waiting minutes and the address of the case in the console, and nothing of the person; of several
cases how many of each kind, and the address of the queue.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import smtplib
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import structlog
from sqlalchemy.orm import Session, sessionmaker

from actions.reply import Reply
from bot import alarm
from bot.alarm import Alert, Message, Reason, Way
from bot.cases import priority_of
from bot.channels.port import Channel, RetryLaterError, UndeliverableError
from bot.console.pages import texts
from bot.conversations import utc_now
from bot.settings import Settings
from bot.staff import LANGUAGES
from bot.writer import Writer
from knowledge.database import reading

log = structlog.get_logger()
SECONDS = 10.0  # to wait for a mail server or a webhook, each time it is to answer
LONGEST_SECONDS = 45.0  # for all of it, less than what is sent is leased for
MAIL_THREADS = 2  # of their own: a mail server that hangs holds up nothing but mail
DIGEST = "digest"  # in place of the reason, where alerts go together
Send = Callable[[Message], Awaitable[None]]


class AlertNotSentError(RuntimeError):
    """A message was not taken; the error says why by a code, without any address."""


class Alarm:
    """Watches over cases that wait, and tells staff.

    Args:
        telegram: the channel, where it is on.

    """

    def __init__(
        self, sessions: sessionmaker[Session], writer: Writer, settings: Settings, telegram: Channel | None
    ) -> None:
        self._sessions, self._writer = sessions, writer
        self._ways = _ways(settings, telegram)
        self._sending: set[asyncio.Task[bool]] = set()  # asyncio itself would forget them

    async def look(self, *, now: datetime) -> Sequence[asyncio.Task[bool]]:
        """Take cases a step on where their time has come, and begin to send what is to be sent.

        Returns:
            What was begun, each to be whether a message went out. Nobody has to wait for it: what hangs is left to itself.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is away; nothing is forgotten.

        """
        if not await asyncio.to_thread(self._is_anything_due, now):
            return ()
        await self._writer.run(lambda session: alarm.escalate(session, tuple(self._ways), now=now))
        messages = await self._writer.run(lambda session: alarm.lease(session, now=now))
        begun = [asyncio.create_task(self._send(message, now)) for message in messages]
        self._sending.update(begun)
        for task in begun:
            task.add_done_callback(self._end)
        return begun

    def _end(self, task: asyncio.Task[bool]) -> None:
        self._sending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The database went away meanwhile: it is sent again when the lease is over, which may be twice, and never not at all.
            log.warning("alert_not_recorded", reason=type(error).__name__)

    def _is_anything_due(self, now: datetime) -> bool:
        with reading(self._sessions) as session:
            return alarm.is_anything_due(session, now=now)

    async def _send(self, message: Message, now: datetime) -> bool:
        try:
            if message.way not in self._ways:
                raise AlertNotSentError("way_is_off")
            await asyncio.wait_for(self._ways[message.way](message), LONGEST_SECONDS)
        except AlertNotSentError as error:
            reason = str(error)
        except Exception as error:  # of a library: over a password that it can't encode, for one
            reason = type(error).__name__
        else:
            await self._writer.run(lambda session: alarm.record_sent(session, message, now=now))
            return True
        await self._writer.run(lambda session: alarm.record_failure(session, message, reason, now=now))
        return False


def _ways(settings: Settings, telegram: Channel | None) -> Mapping[Way, Send]:
    """Those that are set up."""
    ways: dict[Way, Send] = {}
    if smtp := settings.smtp_url.get_secret_value():
        threads = ThreadPoolExecutor(MAIL_THREADS, thread_name_prefix="mail")

        async def by_mail(message: Message) -> None:
            mail = mail_of(message, settings.mail_from, settings.public_url)
            await asyncio.get_running_loop().run_in_executor(threads, send_mail, mail, message.to, smtp)

        ways[Way.MAIL] = by_mail
    if settings.alert_webhook_url:
        key = settings.alert_webhook_secret.get_secret_value().encode()
        ways[Way.WEBHOOK] = lambda message: send_webhook(message, settings.alert_webhook_url, key, settings.public_url)
    if settings.staff_telegram_chat and telegram is not None:
        chat = settings.staff_telegram_chat
        ways[Way.TELEGRAM] = lambda message: send_telegram(message, telegram, chat, settings.public_url)
    return ways


def as_data(message: Message, public_url: str) -> dict[str, Any]:
    """A message as a webhook gets it: an alert, or several under `cases`."""
    if len(message.cases) == 1:
        return _alert_as_data(message.cases[0], public_url)
    return {
        "id": message.id,
        "reason": DIGEST,
        "minutes": _longest(message),
        "url": f"{public_url}/console/queue",
        "cases": [_alert_as_data(alert, public_url) for alert in message.cases],
    }


def _alert_as_data(alert: Alert, public_url: str) -> dict[str, Any]:
    return {
        "id": alert.id,
        "case": alert.case_id,
        "reason": alert.reason.value,
        "kind": alert.kind,
        "language": alert.language,
        "minutes": alert.minutes,
        "url": f"{public_url}/console/cases/{alert.case_id}",
    }


def as_text(message: Message, public_url: str) -> str:
    """A message as staff read it, in every language of the console."""
    said = [_sentence(message, language) for language in LANGUAGES]
    page = f"cases/{message.cases[0].case_id}" if len(message.cases) == 1 else "queue"
    return "\n".join([*said, f"{public_url}/console/{page}"])


def _sentence(message: Message, language: str) -> str:
    words = texts(language)
    if len(message.cases) == 1:
        alert = message.cases[0]
        kind = words.get(f"kind.{alert.kind}", alert.kind)
        head = words[f"alert.{alert.reason}"]
        return words["alert"].format(head=head, kind=kind, language=alert.language or "?", minutes=alert.minutes)
    counts = Counter(alert.kind for alert in message.cases)
    in_order = sorted(counts, key=lambda kind: (priority_of(kind), kind))
    kinds = ", ".join(f"{counts[kind]} × {words.get(f'kind.{kind}', kind)}" for kind in in_order)
    is_last_call = any(alert.reason is Reason.ON_CALL for alert in message.cases)
    key = "alert.digest.on_call" if is_last_call else "alert.digest"
    return words[key].format(count=len(message.cases), minutes=_longest(message), kinds=kinds)


def _longest(message: Message) -> int:
    return max(alert.minutes for alert in message.cases)


def mail_of(message: Message, sender: str, public_url: str) -> EmailMessage:
    """The e-mail; its id is the message's, so that one which comes twice can be told."""
    mail = EmailMessage()
    mail["From"] = mail["To"] = sender  # whom else it goes to is nobody's business
    mail["Subject"] = _sentence(message, LANGUAGES[0])
    mail["Message-ID"] = f"<alert-{message.id}@{urlsplit(public_url).hostname}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(as_text(message, public_url))
    return mail


def send_mail(mail: EmailMessage, to: tuple[str, ...], smtp_url: str) -> None:
    """Hand an e-mail to the server; a password goes over an encrypted line only.

    Raises:
        AlertNotSentError: it was not taken.

    """
    address = urlsplit(smtp_url)
    host, is_tls, context = address.hostname or "", address.scheme == "smtps", ssl.create_default_context()
    try:
        server = (
            smtplib.SMTP_SSL(host, address.port or 465, timeout=SECONDS, context=context)
            if is_tls
            else smtplib.SMTP(host, address.port or 587, timeout=SECONDS)
        )
        with server:
            server.ehlo()
            if not is_tls and server.has_extn("starttls"):
                server.starttls(context=context)
                is_tls = True
            if address.username:
                if not is_tls:
                    raise AlertNotSentError("no_encryption")
                server.login(unquote(address.username), unquote(address.password or ""))
            refused = server.send_message(mail, to_addrs=to)
    except (smtplib.SMTPException, OSError) as error:
        raise AlertNotSentError(type(error).__name__) from None
    if refused:
        # Others have it: sent again they would get it twice. Which of the plan's addresses is wrong, the server's log says.
        log.error("alert_refused_for_some", count=len(refused), of=len(to))


async def send_webhook(message: Message, url: str, key: bytes, public_url: str) -> None:
    """Post a message, signed over timestamp and body (`signature`).

    Raises:
        AlertNotSentError: it was not answered with success.

    """
    body = json.dumps(as_data(message, public_url)).encode()
    timestamp = str(int(utc_now().timestamp()))
    headers = {
        "Content-Type": "application/json",
        "X-Wegwijs-Alert": str(message.id),
        "X-Wegwijs-Timestamp": timestamp,
        "X-Wegwijs-Signature": signature(body, timestamp, key),
    }
    try:
        async with httpx.AsyncClient(timeout=SECONDS) as client:
            answer = await client.post(url, content=body, headers=headers)
    except httpx.HTTPError as error:
        raise AlertNotSentError(type(error).__name__) from None
    if not answer.is_success:
        raise AlertNotSentError(f"status_{answer.status_code}")


def signature(body: bytes, timestamp: str, key: bytes) -> str:
    """What a receiver computes again: `sha256=` and the HMAC-SHA256 of timestamp, a full stop and the body, in hexadecimal."""
    return f"sha256={hmac.new(key, timestamp.encode() + b'.' + body, hashlib.sha256).hexdigest()}"


async def send_telegram(message: Message, telegram: Channel, chat: str, public_url: str) -> None:
    """Write a message to the group. Raises AlertNotSentError where Telegram does not take it."""
    try:
        await telegram.send(chat, Reply(language=LANGUAGES[0], text=as_text(message, public_url)))
    except (RetryLaterError, UndeliverableError) as error:
        raise AlertNotSentError(error.reason) from None
