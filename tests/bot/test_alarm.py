"""Cases that wait: who is told when, once each, over a real mail server, a webhook and Telegram's group, and over restarts."""

from __future__ import annotations

import asyncio
import email
import email.policy
import hashlib
import hmac
import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy.orm import Session, sessionmaker
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from structlog.testing import capture_logs

from bot import alarm, alert_ways, cases, duty, inbox, staff
from bot.alarm import Way
from bot.alert_ways import Alarm
from bot.channels.telegram import Telegram
from bot.desk import Desk
from bot.duty import ASKED, Plan, Team
from bot.inbox import Incoming, Kind
from bot.models import Case, StaffAlert
from bot.service import Service, open_service
from bot.settings import Settings, SettingsError, read_settings
from bot.staff import Role
from bot.web.app import create_app
from knowledge.files import Content
from tests.bot.channels.servers import TOKEN, Loopback, TelegramServer
from tests.conftest import NOW
from tests.patience import until
from tests.process import free_port

DANGER, ABUSE = "urgent.danger", "urgent.abuse"
SAID = "he beats me at Kerkstraat 12, my name is Olena"
PUBLIC = "https://help.example.org"
NIGHT = NOW + timedelta(hours=12)
PLAN = Plan(
    teams=(
        Team(name="Polski", languages=("pl",), emails=("polish@example.org",)),
        Team(name="first", emails=("first@example.org",)),
        Team(name="second", emails=("second@example.org",)),
    ),
    on_call=("oncall@example.org",),
    targets={DANGER: 5, ABUSE: 10, ASKED: 60},
)


class MailServer:
    """A real one on loopback that keeps what it gets; with `refuses` it takes nothing."""

    def __init__(self) -> None:
        self.got: list[tuple[list[str], Any]] = []
        self.refuses = False
        self.unknown = ""
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port())
        self._controller.start()
        self.url = f"smtp://127.0.0.1:{self._controller.port}"

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's)
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address == self.unknown:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's)
        if self.refuses:
            return "451 not now"
        self.got.append((envelope.rcpt_tos, email.message_from_bytes(envelope.content, policy=email.policy.default)))
        return "250 taken"

    def stop(self) -> None:
        self._controller.stop()


class Webhook(Loopback):
    """Keeps what is posted, and answers as it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.code = 204
        super().__init__(Starlette(routes=[Route("/alerts", self._take, methods=["POST"])]))

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        if self.code < 300:
            self.got.append((dict(request.headers), body))
        return Response(status_code=self.code)


@pytest.fixture
def mail() -> Iterator[MailServer]:
    server = MailServer()
    yield server
    server.stop()


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    server = Webhook()
    yield server
    server.stop()


@pytest.fixture
def conversation(sessions: sessionmaker[Session]) -> str:
    with sessions.begin() as session:
        duty.change(session, PLAN, "ann", seen=0, now=NOW)
        found = inbox.conversation_of(session, "web", inbox.address_hash("web", "a", key=b"key"), now=NOW).id
        inbox.accept(session, found, Incoming("message-1", Kind.TEXT, SAID), now=NOW)
    return found


@pytest.fixture
def opened(sessions: sessionmaker[Session], conversation: str) -> Callable[..., int]:
    """Opens a case; returns its id."""

    def open_one(kind: str = DANGER, language: str = "en", now: datetime = NOW) -> int:
        with sessions.begin() as session:
            made = cases.open_case(session, conversation, kind, language=language, now=now)
        assert made is not None
        return made

    return open_one


def cry(sessions: sessionmaker[Session], number: int, *, kind: str = DANGER, now: datetime = NOW) -> None:
    """Open the case of somebody else."""
    with sessions.begin() as session:
        hashed = inbox.address_hash("web", f"other {number}", key=b"key")
        found = inbox.conversation_of(session, "web", hashed, now=now).id
        cases.open_case(session, found, kind, language="en", now=now)


def account(service: Service, name: str, role: Role = Role.HELPER) -> str:
    with service.sessions.begin() as session:
        return staff.add(session, name, f"{name}@example.org", role, "en", book=service.addresses, now=NOW).staff_id


def with_(service: Service, **changes: Any) -> Settings:
    return service.settings.model_copy(update={"public_url": PUBLIC, **changes})


def by_mail(service: Service, mail: MailServer) -> Alarm:
    settings = with_(service, smtp_url=SecretStr(mail.url), mail_from="alerts@example.org")
    return Alarm(service.sessions, service.writer, settings, None)


def by_mail_and_webhook(service: Service, mail: MailServer, webhook: Webhook) -> Alarm:
    settings = with_(
        service,
        smtp_url=SecretStr(mail.url),
        mail_from="alerts@example.org",
        alert_webhook_url=f"{webhook.url}/alerts",
        alert_webhook_secret=SecretStr("key"),
    )
    return Alarm(service.sessions, service.writer, settings, None)


async def look(watching: Alarm, now: datetime) -> int:
    """Look, and wait for what was begun; returns how many messages went out."""
    return sum(await asyncio.gather(*await watching.look(now=now)))


def minutes(count: float) -> datetime:
    return NOW + timedelta(minutes=count)


def told(sessions: sessionmaker[Session], way: Way = Way.WEBHOOK) -> list[str]:
    with sessions() as session:
        return [one.reason for one in session.query(StaffAlert).order_by(StaffAlert.id) if one.way == way]


async def test_a_case_that_nobody_takes_goes_from_the_team_to_the_next_and_to_those_on_call(
    service: Service, mail: MailServer, opened: Callable[..., int]
) -> None:
    case, watching = opened(), by_mail(service, mail)
    for at in (0, 0, 4.9, 5, 5.1, 10, 15, 16, 600):
        await look(watching, minutes(at))
    assert [recipients for recipients, _ in mail.got] == [
        ["first@example.org"],
        ["first@example.org"],
        ["second@example.org"],
        ["oncall@example.org"],
    ]
    first, last = mail.got[0][1], mail.got[-1][1]
    assert first["Subject"] == "Nieuw: Gevaar, taal en, wacht 0 min."
    assert first["To"] == "alerts@example.org"
    assert "wacht 15 min" in last["Subject"]
    assert "ON CALL, nobody has taken this: Danger, language en, waiting 15 min." in last.get_content()
    assert f"{PUBLIC}/console/cases/{case}" in last.get_content()


async def test_nothing_of_the_person_is_in_an_alert(
    service: Service,
    mail: MailServer,
    webhook: Webhook,
    opened: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    case = opened()
    watching = by_mail_and_webhook(service, mail, webhook)
    for at in (0, 5, 10, 15):
        await look(watching, minutes(at))
    sent = [message.as_string() for _, message in mail.got] + [body.decode() for _, body in webhook.got]
    assert len(sent) == 8
    for word in ("Kerkstraat", "Olena", "beats"):
        assert word not in " ".join(sent) + capsys.readouterr().out
    allowed = {"id", "case", "reason", "kind", "language", "minutes", "url"}
    assert set(json.loads(webhook.got[0][1])) == allowed
    assert json.loads(webhook.got[1][1])["minutes"] == 5
    assert json.loads(webhook.got[0][1])["case"] == case


async def test_a_webhook_is_signed_over_its_body_and_the_moment(
    service: Service, webhook: Webhook, opened: Callable[..., int]
) -> None:
    opened()
    settings = with_(service, alert_webhook_url=f"{webhook.url}/alerts", alert_webhook_secret=SecretStr("the key"))
    await look(Alarm(service.sessions, service.writer, settings, None), NOW)
    ((headers, body),) = webhook.got
    moment = headers["x-wegwijs-timestamp"]
    expected = hmac.new(b"the key", moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["x-wegwijs-signature"] == f"sha256={expected}"
    assert abs(int(moment) - datetime.now(UTC).timestamp()) < 3600


async def test_the_group_of_the_staff_is_told_over_the_bot(
    service: Service, content: Content, opened: Callable[..., int]
) -> None:
    server = TelegramServer()
    channel = Telegram(TOKEN, server.url, lambda: content)
    opened()
    settings = with_(service, staff_telegram_chat="-1001234567890")
    assert await look(Alarm(service.sessions, service.writer, settings, channel), NOW) == 1
    (text,) = server.texts(-1001234567890)
    assert "Danger, language en, waiting 0 min." in text
    await channel.bot.shutdown()
    server.stop()


async def test_what_a_server_does_not_take_is_sent_when_it_does_and_once(
    service: Service, mail: MailServer, opened: Callable[..., int], sessions: sessionmaker[Session]
) -> None:
    opened(ABUSE)
    mail.refuses = True
    assert await look(by_mail(service, mail), NOW) == 0
    mail.refuses = False
    after_a_restart = by_mail(service, mail)
    assert await look(after_a_restart, NOW + timedelta(seconds=1)) == 0  # it waits a little before it tries again
    assert await look(after_a_restart, minutes(1)) == 1
    assert await look(after_a_restart, minutes(2)) == 0
    assert len(mail.got) == 1


async def test_an_address_that_the_server_does_not_know_shows_in_the_log_without_it(
    service: Service, mail: MailServer, opened: Callable[..., int]
) -> None:
    opened(DANGER)
    mail.unknown = "oncall@example.org"
    with capture_logs() as logged:
        assert await look(by_mail(service, mail), minutes(60)) == 1
    (refused,) = [entry for entry in logged if entry["event"] == "alert_refused_for_some"]
    assert refused["count"] == 1
    assert "oncall" not in str(logged)
    assert mail.unknown not in mail.got[0][0]


async def test_a_server_that_is_not_there_stops_nothing(
    service: Service, webhook: Webhook, opened: Callable[..., int], sessions: sessionmaker[Session]
) -> None:
    opened()
    settings = with_(
        service,
        smtp_url=SecretStr(f"smtp://127.0.0.1:{free_port()}"),
        mail_from="alerts@example.org",
        alert_webhook_url=f"{webhook.url}/alerts",
        alert_webhook_secret=SecretStr("key"),
    )
    assert await look(Alarm(service.sessions, service.writer, settings, None), NOW) == 1
    assert len(webhook.got) == 1
    with sessions() as session:
        assert session.query(StaffAlert).filter_by(way=Way.MAIL).one().attempts == 1


async def test_a_mail_server_that_hangs_holds_up_neither_other_ways_nor_the_next_case(
    service: Service, webhook: Webhook, sessions: sessionmaker[Session], conversation: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection and never says a word
        settings = with_(
            service,
            smtp_url=SecretStr(f"smtp://127.0.0.1:{silent.getsockname()[1]}"),
            mail_from="alerts@example.org",
            alert_webhook_url=f"{webhook.url}/alerts",
            alert_webhook_secret=SecretStr("key"),
        )
        watching, begun = Alarm(service.sessions, service.writer, settings, None), []
        for number in range(alert_ways.MAIL_THREADS + 1):
            cry(sessions, number)
            now = minutes(number * 0.3)
            by_mail, by_webhook = await watching.look(now=now)
            assert await by_webhook
            assert not by_mail.done()
            begun.append(by_mail)
    # Closed, it refuses; whatever was not read is an error for whoever wrote it.
    for task in begun:
        task.cancel()
    assert len(webhook.got) == alert_ways.MAIL_THREADS + 1


async def test_many_cries_go_together_and_none_is_lost(
    service: Service, mail: MailServer, webhook: Webhook, sessions: sessionmaker[Session], conversation: str
) -> None:
    watching = by_mail_and_webhook(service, mail, webhook)
    opened_at = {0.0: 1, 0.1: 1, 0.2: 30, 0.3: 30, 0.9: 10, 1.01: 0, 1.02: 0}
    sent_at, made = {}, 0
    for at, count in opened_at.items():
        for _ in range(count):
            cry(sessions, made, kind=ABUSE if made else DANGER, now=minutes(at))
            made += 1
        sent_at[at] = await look(watching, minutes(at))
    assert sent_at == {0.0: 2, 0.1: 2, 0.2: 2, 0.3: 0, 0.9: 0, 1.01: 2, 1.02: 0}
    bodies = [json.loads(body) for _, body in webhook.got]
    told_of = [entry["case"] for body in bodies for entry in body.get("cases", [body])]
    assert len(told_of) == len(set(told_of)) == made
    assert [body["reason"] for body in bodies] == ["new", "new", "digest", "digest"]
    subjects = [message["Subject"] for _, message in mail.got]
    assert subjects[2:] == [
        "30 gesprekken wachten op iemand, het langst 0 min: 30 × Mishandeling.",
        "40 gesprekken wachten op iemand, het langst 0 min: 40 × Mishandeling.",
    ]
    assert mail.got[-1][1].get_content().strip().endswith(f"{PUBLIC}/console/queue")
    with sessions() as session:
        assert session.query(Case).filter_by(state="waiting").count() == made


async def test_among_many_the_worst_comes_first_and_the_last_call_is_said(
    service: Service, mail: MailServer, sessions: sessionmaker[Session], conversation: str
) -> None:
    for number, kind in enumerate([ABUSE] * 3 + [DANGER] * 2):
        cry(sessions, number, kind=kind)
    assert await look(by_mail(service, mail), minutes(45)) == 1
    text = mail.got[0][1].get_content()
    assert "ON CALL, nobody has taken these. 5 cases wait, the longest 45 min: 2 × Danger, 3 × Abuse." in text


async def test_a_failure_that_nobody_thought_of_is_counted_and_given_up_in_the_end_too(
    service: Service, opened: Callable[..., int], sessions: sessionmaker[Session]
) -> None:
    opened()
    no_label = SecretStr(f"smtp://{'a' * 64}.example")  # which Python's own resolver answers with UnicodeError
    settings = with_(service, smtp_url=no_label, mail_from="alerts@example.org")
    watching = Alarm(service.sessions, service.writer, settings, None)
    assert await look(watching, NOW) == 0
    with sessions.begin() as session:
        session.query(StaffAlert).one().attempts = alarm.MOST_ATTEMPTS - 1
    assert await look(watching, minutes(1)) == 0
    with sessions() as session:
        assert session.query(StaffAlert).one().failure == "UnicodeError"


async def test_an_alert_that_nobody_needs_any_more_is_not_sent(
    service: Service, mail: MailServer, opened: Callable[..., int], sessions: sessionmaker[Session]
) -> None:
    case, watching = opened(), by_mail(service, mail)
    mail.refuses = True
    await look(watching, NOW)
    mail.refuses = False
    with sessions.begin() as session:
        cases.claim(session, case, "ann", now=NOW)
    for at in (1, 10, 60):
        assert await look(watching, minutes(at)) == 0
    assert mail.got == []


def test_of_two_processes_at_the_same_instant_one_tells(
    sessions: sessionmaker[Session], opened: Callable[..., int]
) -> None:
    opened()

    def look(_: int) -> int:
        with sessions.begin() as session:
            return alarm.escalate(session, (Way.WEBHOOK,), now=NOW)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(look, range(4))) == [0, 0, 0, 1]
    assert told(sessions) == ["new"]


def test_after_a_long_stop_a_case_is_told_once_to_all_whom_it_concerns(
    sessions: sessionmaker[Session], opened: Callable[..., int]
) -> None:
    opened(language="pl")
    with sessions.begin() as session:
        alarm.escalate(session, (Way.MAIL,), now=minutes(100))
        (alert,) = session.query(StaffAlert)
        assert alert.reason == "on_call"
        assert alert.to == ["polish@example.org", "first@example.org", "oncall@example.org"]


def test_who_asked_without_danger_is_told_while_somebody_is_there_and_wakes_nobody(
    sessions: sessionmaker[Session], opened: Callable[..., int]
) -> None:
    opened(ASKED, now=NIGHT)

    def at(moment: datetime) -> list[str]:
        with sessions.begin() as session:
            alarm.escalate(session, (Way.WEBHOOK,), now=moment)
        return told(sessions)

    assert at(NIGHT + timedelta(hours=5)) == []
    morning = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
    assert at(morning) == ["reminder"]
    assert at(morning + timedelta(hours=6)) == ["reminder"]


def test_without_hours_that_somebody_set_a_request_is_told_at_any_time(
    sessions: sessionmaker[Session], opened: Callable[..., int]
) -> None:
    opened(ASKED, now=NIGHT)
    with sessions.begin() as session:
        duty.change(session, Plan(hours=None), "ann", seen=1, now=NOW)
        alarm.escalate(session, (Way.WEBHOOK,), now=NIGHT)
    assert told(sessions) == ["new"]


def test_in_danger_the_hours_do_not_matter(sessions: sessionmaker[Session], opened: Callable[..., int]) -> None:
    opened(now=NIGHT)
    with sessions.begin() as session:
        alarm.escalate(session, (Way.WEBHOOK,), now=NIGHT)
    assert told(sessions) == ["new"]


def test_a_case_that_got_worse_is_told_anew(
    sessions: sessionmaker[Session], opened: Callable[..., int], conversation: str
) -> None:
    opened(ABUSE)
    for kind, at in ((ABUSE, 0), (DANGER, 4), (ABUSE, 5)):
        with sessions.begin() as session:
            cases.open_case(session, conversation, kind, language="en", now=minutes(at))
            alarm.escalate(session, (Way.WEBHOOK,), now=minutes(at))
    assert told(sessions) == ["new", "new"]


async def test_a_helper_who_was_silent_too_long_and_the_team_are_told(
    service: Service, mail: MailServer, content: Content, opened: Callable[..., int], sessions: sessionmaker[Session]
) -> None:
    ann, case, watching = account(service, "ann"), opened(), by_mail(service, mail)
    desk = Desk(lambda: content)
    with sessions.begin() as session:
        desk.claim(session, case, ann, now=NOW)
    await look(watching, minutes(9))
    assert mail.got == []
    with sessions.begin() as session:
        desk.take_back_silent(session, now=minutes(10))
    for at in (10, 11):
        await look(watching, minutes(at))
    ((recipients, message),) = mail.got
    assert recipients == ["first@example.org", "ann@example.org"]
    assert message["Subject"] == "Wacht weer op iemand: Gevaar, taal en, wacht 0 min."


def test_without_teams_everybody_who_takes_cases_is_told(
    service: Service, sessions: sessionmaker[Session], opened: Callable[..., int]
) -> None:
    opened()
    account(service, "ann")
    account(service, "eve", Role.EDITOR)
    with sessions.begin() as session:
        duty.change(session, Plan(), "ann", seen=1, now=NOW)
        alarm.escalate(session, (Way.MAIL,), now=NOW)
        assert session.query(StaffAlert).one().to == ["ann@example.org"]


async def test_with_no_way_set_up_the_log_says_that_a_case_waits(
    service: Service, opened: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    case = opened()
    await look(Alarm(service.sessions, service.writer, with_(service), None), minutes(5))
    said = capsys.readouterr().out
    assert "case_waits" in said
    assert SAID not in said
    assert f"case={case}" in said or f'"case": {case}' in said


@pytest.mark.parametrize(
    ("half", "names"),
    [
        ({"smtp_url": "smtp://mail.example.org"}, ("SMTP_URL", "MAIL_FROM", "PUBLIC_URL")),
        ({"mail_from": "a@example.org"}, ("SMTP_URL", "MAIL_FROM")),
        ({"smtp_url": "http://secretword@x", "mail_from": "a@b.nl", "public_url": PUBLIC}, ("SMTP_URL", "mail server")),
        ({"alert_webhook_url": "https://x.org/a"}, ("ALERT_WEBHOOK_SECRET",)),
        ({"staff_telegram_chat": "-100"}, ("TELEGRAM_BOT_TOKEN",)),
        ({"staff_telegram_chat": "our group"}, ("STAFF_TELEGRAM_CHAT",)),
    ],
)
def test_half_set_alerts_stop_the_start_with_a_sentence(half: dict[str, str], names: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(_env_file=None, **half)
    assert all(name in str(refused.value) for name in names)
    assert "secretword" not in str(refused.value)


def test_in_the_running_service_a_cry_is_told_at_once_and_not_again_after_a_restart(
    service: Service, content: Content, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Service, "load_assistant", lambda self: None)
    settings = with_(service, alert_webhook_url=f"{webhook.url}/alerts", alert_webhook_secret=SecretStr("key"))
    with TestClient(create_app(open_service(settings, content))) as client:
        token = client.post("/api/v1/conversations").json()["token"]
        cry = {"id": "message-1", "text": "I want to kill myself"}
        client.post("/api/v1/messages", json=cry, headers={"Authorization": f"Bearer {token}"})
        until(lambda: webhook.got)
    with TestClient(create_app(open_service(settings, content))) as client:
        token = client.post("/api/v1/conversations").json()["token"]
        cry = {"id": "message-1", "text": "my husband hits me"}
        client.post("/api/v1/messages", json=cry, headers={"Authorization": f"Bearer {token}"})
        until(lambda: len(webhook.got) > 1)
    kinds = [json.loads(body)["kind"] for _, body in webhook.got]
    assert kinds == ["urgent.suicide", "urgent.abuse"]
    with service.sessions() as session:
        assert session.query(Case).count() == 2
