"""Signing in: by password and code, never twice with one code, slowed down where it fails, over when it should be."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from typer.testing import CliRunner

from bot import sign_in as door
from bot import staff
from bot.cli import app as commands
from bot.models import AuditEntry, Staff, StaffSession
from bot.service import Service
from bot.staff import Role, StaffError
from tests.bot.console.conftest import PASSWORD, browser_of, sign_in
from tests.conftest import NOW, rows


@pytest.fixture
def browser(app: Any) -> TestClient:
    return browser_of(app)


def test_with_password_and_code_one_is_in_and_the_cookie_is_kept_from_scripts_and_other_sites(
    browser: TestClient, account: Callable[..., str], service: Service
) -> None:
    code = pyotp.TOTP(account("ann")).now()
    fields = {"email": " Ann@Example.org", "password": PASSWORD, "code": f"{code[:3]} {code[3:]}"}
    answer = browser.post("/console/sign-in", data=fields, follow_redirects=False)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-staff=")
    assert all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=strict", "Path=/"))
    assert browser.get("/console").url.path == "/console/queue"
    with service.sessions() as session:
        held = session.query(StaffSession).one()
        assert held.token_hash not in cookie


def test_nobody_is_in_without(browser: TestClient) -> None:
    for path in ("/console", "/console/queue", "/console/cases/1", "/console/log"):
        assert browser.get(path).url.path == "/console/sign-in"
    assert browser.get("/console/events").status_code == 401
    assert browser.post("/console/cases/1/claim", data={"csrf": "x"}).url.path == "/console/sign-in"


def test_a_code_is_good_once(app: Any, browser: TestClient, account: Callable[..., str]) -> None:
    code = pyotp.TOTP(account("ann")).now()
    assert sign_in(browser, "ann", code).status_code == 200
    assert sign_in(browser_of(app), "ann", code).status_code == 401


def test_so_is_a_recovery_code(app: Any, browser: TestClient, service: Service) -> None:
    now = datetime.now(UTC)
    with service.sessions.begin() as session:
        invited = staff.add(session, "ann", "ann@example.org", Role.HELPER, "en", book=service.addresses, now=now)
        codes = staff.begin(session, invited.staff_id, staff.hash_password(PASSWORD), step=0, now=now)
    assert len(set(codes)) == staff.RECOVERY_CODES
    written = f"{codes[0][:5]}-{codes[0][5:]}".upper()
    assert sign_in(browser, "ann", written).status_code == 200
    assert sign_in(browser_of(app), "ann", written).status_code == 401
    assert sign_in(browser_of(app), "ann", codes[1]).status_code == 200


def test_whatever_is_wrong_the_answer_is_the_same(browser: TestClient, account: Callable[..., str]) -> None:
    code = pyotp.TOTP(account("ann")).now()
    answers = [
        sign_in(browser, "ann", code, "wrong password"),
        sign_in(browser, "ann", "000000"),
        sign_in(browser, "ann", "١٢٣٤٥٦"),
        sign_in(browser, "nobody", code),
    ]
    assert [answer.status_code for answer in answers] == [401] * len(answers)
    assert len({re.sub(r'value="[^"]*"', "", answer.text) for answer in answers}) == 1


def test_after_five_failures_one_has_to_wait_also_with_the_right_password(
    browser: TestClient, account: Callable[..., str]
) -> None:
    code = pyotp.TOTP(account("ann")).now()
    codes = [sign_in(browser, "ann", "000000", f"guess {n}").status_code for n in range(7)]
    assert codes == [401] * 5 + [429] * 2
    slowed = sign_in(browser, "ann", code)
    assert slowed.status_code == 429
    assert 1 <= int(slowed.headers["retry-after"]) <= 31
    assert sign_in(browser, "bob", code).status_code == 401


def test_the_wait_doubles_and_an_account_guessed_at_from_everywhere_is_slowed_too(service: Service) -> None:
    attempts, now = door.Attempts(b"key"), NOW

    def begin(address: str) -> timedelta | None:
        with service.sessions.begin() as session:
            return attempts.begin(session, "ann@example.org", address, now=now)

    waits = []
    for _ in range(8):
        while (wait := begin("1.1.1.1")) is not None:
            waits.append(int(wait.total_seconds()))
            now += wait
    assert waits == [30, 60, 120]
    guesses = [begin(f"2.2.2.{n}") for n in range(40)]
    assert guesses[:20] == [None] * 20
    assert guesses[-1] is not None
    with service.engine.connect() as connection:
        assert "example.org" not in str(connection.execute(text("SELECT * FROM sign_in_failure")).all())


def test_a_session_ends_when_nobody_is_there_and_at_the_end_of_a_shift(
    service: Service, account: Callable[..., str]
) -> None:
    account("ann")
    with service.sessions.begin() as session:
        member = session.query(Staff).one()
        token = door.start(session, member.id, door.Proof(step=1), now=NOW)
        assert token is not None
        assert door.person_of(session, token, now=NOW + timedelta(minutes=59))
        assert door.person_of(session, token, now=NOW + timedelta(minutes=60)) is None
        held = session.query(StaffSession).one()
        for hours in range(1, 12):
            door.note_seen(session, held.token_hash, now=NOW + timedelta(hours=hours))
        assert door.person_of(session, token, now=NOW + timedelta(hours=11, minutes=59))
        assert door.person_of(session, token, now=NOW + timedelta(hours=12)) is None
        door.delete_over(session, now=NOW + timedelta(hours=12))
        assert session.query(StaffSession).count() == 0


def test_whoever_is_removed_is_out_at_once(enter: Callable[..., TestClient], service: Service) -> None:
    browser = enter("ann")
    assert browser.get("/console/queue").status_code == 200
    with service.sessions.begin() as session:
        staff.remove(session, "ann@example.org", now=NOW)
    assert browser.get("/console/queue").url.path == "/console/sign-in"


def test_signing_out_needs_the_form_and_ends_it(enter: Callable[..., TestClient], service: Service) -> None:
    browser = enter("ann")
    assert browser.post("/console/sign-out", data={"csrf": "wrong"}).status_code == 403
    csrf = re.search(r'name="csrf" value="([^"]+)"', browser.get("/console/queue").text)[1]
    elsewhere = browser.post("/console/sign-out", data={"csrf": csrf}, headers={"Origin": "https://evil.example"})
    assert elsewhere.status_code == 403
    assert browser.post("/console/sign-out", data={"csrf": csrf}).url.path == "/console/sign-in"
    assert browser.get("/console/queue").url.path == "/console/sign-in"
    with service.sessions() as session:
        actions = [entry.action for entry in session.query(AuditEntry).order_by(AuditEntry.id)]
    assert actions[-3:] == ["signed_in", "refused", "signed_out"]


def test_a_form_of_another_site_signs_nobody_in(browser: TestClient, account: Callable[..., str]) -> None:
    fields = {"email": "ann@example.org", "password": PASSWORD, "code": pyotp.TOTP(account("ann")).now()}
    answer = browser.post("/console/sign-in", data=fields, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403


def test_somebody_invited_chooses_a_password_and_connects_the_app_once(browser: TestClient, service: Service) -> None:
    now = datetime.now(UTC)
    with service.sessions.begin() as session:
        invited = staff.add(session, "ann", "ann@example.org", Role.ADMIN, "nl", book=service.addresses, now=now)
    path, totp = f"/console/welcome/{invited.token}", pyotp.parse_uri(invited.otpauth)
    assert "data:image/svg+xml" in browser.get(path).text
    assert browser.post(path, data={"password": PASSWORD, "code": "000000"}).status_code == 422
    assert browser.post(path, data={"password": "short", "code": totp.now()}).status_code == 422
    done = browser.post(path, data={"password": PASSWORD, "code": totp.now()})
    assert len(re.findall(r"<li>[0-9a-f]{5}-[0-9a-f]{5}</li>", done.text)) == staff.RECOVERY_CODES
    assert browser.get(path).status_code == 404
    assert browser.post(path, data={"password": "another password", "code": totp.now()}).status_code == 404
    later = totp.at(datetime.now(UTC) + timedelta(seconds=staff.STEP_SECONDS))
    assert sign_in(browser, "ann", later).status_code == 200


def test_an_invitation_ends(service: Service) -> None:
    with service.sessions.begin() as session:
        invited = staff.add(session, "ann", "a@b", Role.HELPER, "nl", book=service.addresses, now=NOW)
        assert staff.find_invited(session, invited.token, now=NOW + staff.INVITE) is None


def test_accounts_are_unique_and_a_removed_one_can_come_back(service: Service) -> None:
    with service.sessions.begin() as session:
        first = staff.add(session, "ann", "a@b", Role.HELPER, "nl", book=service.addresses, now=NOW)
        for name, email in (("bob", "A@B "), ("", "c@d"), ("bob", "nothing")):
            with pytest.raises(StaffError):
                staff.add(session, name, email, Role.HELPER, "nl", book=service.addresses, now=NOW)
        staff.remove(session, "a@b", now=NOW)
        with pytest.raises(StaffError):
            staff.reset(session, "a@b", book=service.addresses, now=NOW)
        again = staff.add(session, "ann", "a@b", Role.LEAD, "nl", book=service.addresses, now=NOW)
    assert (again.staff_id, again.token != first.token) == (first.staff_id, True)


def test_the_database_holds_nothing_that_opens_the_door(service: Service, account: Callable[..., str]) -> None:
    secret = account("ann")
    with service.engine.connect() as connection:
        stored = str(connection.execute(text("SELECT * FROM staff")).all())
    assert secret not in stored
    assert PASSWORD not in stored
    assert rows(service.engine, "staff_session") == 0


def test_the_commands(service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("DATABASE_URL", str(service.engine.url))
    monkeypatch.setenv("SECRET_KEY", "key of the tests")
    monkeypatch.setenv("COLUMNS", "200")
    run = CliRunner().invoke
    added = run(commands, ["staff", "add", "Ann", "ann@example.org", "--role", "admin"])
    assert "/console/welcome/" in added.stdout
    given = run(commands, ["staff", "add", "Bob", "bob@example.org", "--password-stdin"], input=f"{PASSWORD}\n")
    assert given.stdout.startswith("otpauth://totp/")
    assert run(commands, ["staff", "add", "Bob", "bob@example.org"]).exit_code == 1
    assert run(commands, ["staff", "add", "Bob", "c@example.org", "--role", "king"]).exit_code == 2
    listed = run(commands, ["staff", "list"]).stdout
    assert [word in listed for word in ("invited", "active", "admin", "helper")] == [True] * 4
    assert "/console/welcome/" in run(commands, ["staff", "reset", "bob@example.org"]).stdout
    closed = run(commands, ["staff", "remove", "bob@example.org"])
    assert closed.exit_code == 0
    assert "Nobody takes cases any more, and nobody is offered a person. Still open: 0." in closed.stdout
    assert run(commands, ["staff", "remove", "bob@example.org"]).exit_code == 1
    assert "removed" in run(commands, ["staff", "list"]).stdout
