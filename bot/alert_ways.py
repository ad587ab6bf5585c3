"""The ways by which staff are alerted: e-mail, a signed webhook, their Telegram group. Whom and when: `bot.alarm`.

What is sent holds kind, language, waiting minutes and the address of the case in the console, and nothing of the person.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import smtplib
import ssl
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import httpx
import structlog
from sqlalchemy.orm import Session, sessionmaker

from actions.reply import Reply
from bot import alarm
from bot.alarm import Alert, Way
from bot.channels.port import Channel, RetryLaterError, UndeliverableError
from bot.console.pages import texts
from bot.conversations import utc_now
from bot.settings import Settings
from bot.staff import LANGUAGES
from bot.writer import Writer
from knowledge.database import reading

log = structlog.get_logger()
SECONDS = 10.0  # to wait for a mail server or a webhook
Send = Callable[[Alert], Awaitable[None]]


class AlertNotSentError(RuntimeError):
    """An alert was not taken; the message says why by a code, without any address."""


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

    async def look(self, *, now: datetime) -> int:
        """Take cases a step on where their time has come and send what is to be sent; returns how many alerts went out.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is away; nothing is forgotten.

        """
        if not await asyncio.to_thread(self._is_anything_due, now):
            return 0
        await self._writer.run(lambda session: alarm.escalate(session, tuple(self._ways), now=now))
        alerts = await self._writer.run(lambda session: alarm.lease(session, now=now))
        return sum(await asyncio.gather(*(self._send(alert, now) for alert in alerts)))

    def _is_anything_due(self, now: datetime) -> bool:
        with reading(self._sessions) as session:
            return alarm.is_anything_due(session, now=now)

    async def _send(self, alert: Alert, now: datetime) -> bool:
        try:
            if alert.way not in self._ways:
                raise AlertNotSentError("way_is_off")
            await self._ways[alert.way](alert)
        except AlertNotSentError as error:
            reason = str(error)
        except Exception as error:  # of a library: over a password that it can't encode, for one
            reason = type(error).__name__
        else:
            await self._writer.run(lambda session: alarm.record_sent(session, alert.id, now=now))
            return True
        await self._writer.run(lambda session: alarm.record_failure(session, alert, reason, now=now))
        return False


def _ways(settings: Settings, telegram: Channel | None) -> Mapping[Way, Send]:
    """Those that are set up."""
    ways: dict[Way, Send] = {}
    if smtp := settings.smtp_url.get_secret_value():
        ways[Way.MAIL] = lambda alert: asyncio.to_thread(
            send_mail, mail_of(alert, settings.mail_from, settings.public_url), alert.to, smtp
        )
    if settings.alert_webhook_url:
        key = settings.alert_webhook_secret.get_secret_value().encode()
        ways[Way.WEBHOOK] = lambda alert: send_webhook(alert, settings.alert_webhook_url, key, settings.public_url)
    if settings.staff_telegram_chat and telegram is not None:
        chat = settings.staff_telegram_chat
        ways[Way.TELEGRAM] = lambda alert: send_telegram(alert, telegram, chat, settings.public_url)
    return ways


def as_data(alert: Alert, public_url: str) -> dict[str, str | int | None]:
    """An alert as a webhook gets it."""
    return {
        "id": alert.id,
        "case": alert.case_id,
        "reason": alert.reason.value,
        "kind": alert.kind,
        "language": alert.language,
        "minutes": alert.minutes,
        "url": f"{public_url}/console/cases/{alert.case_id}",
    }


def as_text(alert: Alert, public_url: str) -> str:
    """An alert as staff read it, in every language of the console."""
    said = [_sentence(alert, language) for language in LANGUAGES]
    return "\n".join([*said, f"{public_url}/console/cases/{alert.case_id}"])


def _sentence(alert: Alert, language: str) -> str:
    words = texts(language)
    kind = words.get(f"kind.{alert.kind}", alert.kind)
    head = words[f"alert.{alert.reason}"]
    return words["alert"].format(head=head, kind=kind, language=alert.language or "?", minutes=alert.minutes)


def mail_of(alert: Alert, sender: str, public_url: str) -> EmailMessage:
    """The e-mail; its id is the alert's, so that one which comes twice can be told."""
    mail = EmailMessage()
    mail["From"] = mail["To"] = sender  # whom else it goes to is nobody's business
    mail["Subject"] = _sentence(alert, LANGUAGES[0])
    mail["Message-ID"] = f"<alert-{alert.id}@{urlsplit(public_url).hostname}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(as_text(alert, public_url))
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


async def send_webhook(alert: Alert, url: str, key: bytes, public_url: str) -> None:
    """Post an alert, signed over timestamp and body (`signature`).

    Raises:
        AlertNotSentError: it was not answered with success.

    """
    body = json.dumps(as_data(alert, public_url)).encode()
    timestamp = str(int(utc_now().timestamp()))
    headers = {
        "Content-Type": "application/json",
        "X-Wegwijs-Alert": str(alert.id),
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


async def send_telegram(alert: Alert, telegram: Channel, chat: str, public_url: str) -> None:
    """Write an alert to the group. Raises AlertNotSentError where Telegram does not take it."""
    try:
        await telegram.send(chat, Reply(language=LANGUAGES[0], text=as_text(alert, public_url)))
    except (RetryLaterError, UndeliverableError) as error:
        raise AlertNotSentError(error.reason) from None
