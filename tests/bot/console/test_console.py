"""The console over the running application: who may see and do what, and a conversation both ways over page and Telegram."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from bot import audit, presence, staff
from bot.cases import Consent
from bot.console import views
from bot.console.pages import texts
from bot.console.queue import GONE
from bot.models import AuditEntry, Case, InboxMessage
from bot.service import Service, open_service
from bot.settings import Settings
from bot.staff import LANGUAGES, Role
from bot.web.app import create_app
from bot.web.shell import SECURITY_HEADERS
from knowledge.files import Content
from nlu.urgency import IN_ORDER_OF_DANGER
from tests.bot.channels.servers import TOKEN, TelegramServer
from tests.bot.console.conftest import BASE, PASSWORD, Answering, sign_in
from tests.bot.console.people import CRY, Person, case_of, decide, do, id_of, log_of, send
from tests.patience import until

Enter = Callable[..., TestClient]


def test_a_case_from_the_cry_to_its_end(
    enter: Enter, person: Person, sessions: sessionmaker[Session], content: Content
) -> None:
    ann, case = enter("ann"), case_of(sessions)
    assert "Suicide" in ann.get("/console/queue").text
    assert CRY not in ann.get(f"/console/cases/{case}").text
    assert do(ann, case, "claim").status_code == 200
    person.write("who is there?")
    do(ann, case, "say", text="I am <b>Ann</b>.")
    phrases = content.phrases["en"].phrases
    assert person.hears()[1:] == [("bot", phrases["staff.here.unread"]), ("staff", "I am <b>Ann</b>.")]
    page = ann.get(f"/console/cases/{case}").text
    assert "I am &lt;b&gt;Ann&lt;/b&gt;." in page
    assert "who is there?" not in page  # it was written to nobody yet
    person.write("hello Ann")
    until(lambda: "hello Ann" in ann.get(f"/console/cases/{case}").text)
    page = ann.get(f"/console/cases/{case}").text
    assert all(said in page for said in (CRY, "who is there?"))
    do(ann, case, "note", text="call back at nine")
    assert "call back at nine" in ann.get(f"/console/cases/{case}").text
    preview = ann.get(f"/console/cases/{case}?topic=care.mental_health").text
    title = content.words["care.mental_health", "en"].title
    assert title in preview
    do(ann, case, "answer", topic="care.mental_health")
    assert person.hears()[-1][0] == "staff"
    assert do(ann, case, "close", outcome="helped").url.path == "/console/queue"
    person.write("thanks")
    until(lambda: person.hears()[-1] == ("bot", "heard thanks"))
    assert ("bot", phrases["staff.done"]) in person.hears()
    assert "heard who is there?" not in str(person.hears())
    done = ["case_claimed", "message_sent", "note_written", "answer_sent", "case_closed"]
    assert [action for action in log_of(sessions) if action in done] == done
    with sessions() as session:
        assert audit.verify(session).is_whole


def test_the_numbers_are_not_said_again_where_a_person_is_there_for_just_that(
    enter: Enter, person: Person, sessions: sessionmaker[Session]
) -> None:
    ann, case = enter("ann"), case_of(sessions)
    do(ann, case, "claim")
    assert person.write(CRY)["reply"] is None
    assert person.write("my boss beats me")["reply"]["is_urgent"]


def test_of_two_helpers_who_claim_at_once_one_gets_it_and_the_other_is_told(
    enter: Enter, person: Person, sessions: sessionmaker[Session]
) -> None:
    helpers, case = [enter(f"helper{n}") for n in range(4)], case_of(sessions)
    with ThreadPoolExecutor(4) as pool:
        codes = sorted(pool.map(lambda one: do(one, case, "claim").status_code, helpers))
    assert codes == [200, 409, 409, 409]


def test_the_case_of_another_helper_is_neither_read_nor_written_and_the_log_shows_the_attempt(
    enter: Enter, person: Person, sessions: sessionmaker[Session]
) -> None:
    ann, bob, lead, case = enter("ann"), enter("bob"), enter("lead", Role.LEAD), case_of(sessions)
    do(ann, case, "claim")
    assert bob.get(f"/console/cases/{case}").status_code == 403
    assert bob.get(f"/console/events?case={case}").status_code == 403
    deeds = {"say": {"text": "x"}, "note": {"text": "x"}, "answer": {"topic": "care.gp"}, "hand-back": {}}
    deeds |= {"close": {"outcome": "helped"}, "reopen": {}}
    for deed, fields in deeds.items():
        assert do(bob, case, deed, **fields).status_code == 403, deed
        assert do(lead, case, deed, **fields).status_code == 403, deed
    assert lead.get(f"/console/cases/{case}").status_code == 200
    assert person.hears()[-1][0] == "bot"
    assert log_of(sessions).count("refused") == 14
    assert do(bob, case, "claim").status_code == 409


def test_a_form_without_the_sessions_own_token_does_nothing(
    enter: Enter, person: Person, sessions: sessionmaker[Session]
) -> None:
    ann, bob, case = enter("ann"), enter("bob"), case_of(sessions)
    of_bob = re.search(r'name="csrf" value="([^"]+)"', bob.get("/console/queue").text)[1]
    for fields in ({}, {"csrf": ""}, {"csrf": "é"}, {"csrf": of_bob}):
        assert ann.post(f"/console/cases/{case}/claim", data=fields).status_code == 403
    with sessions() as session:
        assert session.get_one(Case, case).owner is None


def test_roles(enter: Enter, person: Person, sessions: sessionmaker[Session]) -> None:
    helper, lead, editor = enter("ann"), enter("lead", Role.LEAD), enter("ed", Role.EDITOR)
    assert editor.get("/console").url.path == "/console/canned"
    for path in ("/console/queue", f"/console/cases/{case_of(sessions)}", "/console/events"):
        assert editor.get(path).status_code == 403
    for path in ("/console/log", "/console/queue?show=closed"):
        assert (helper.get(path).status_code, lead.get(path).status_code) == (403, 200)
    assert "whole" in lead.get("/console/log").text


@pytest.mark.parametrize(
    ("deed", "fields", "code"),
    [
        ("say", {"text": " "}, 422),
        ("say", {"text": "x" * 2001}, 422),
        ("note", {}, 422),
        ("answer", {"topic": "no.such"}, 404),
        ("close", {"outcome": "deleted"}, 422),
        ("close", {}, 422),
    ],
)
def test_what_makes_no_sense_is_refused(
    enter: Enter, person: Person, sessions: sessionmaker[Session], deed: str, fields: dict[str, str], code: int
) -> None:
    ann, case = enter("ann"), case_of(sessions)
    do(ann, case, "claim")
    assert do(ann, case, deed, **fields).status_code == code
    assert ann.get("/console/cases/999").status_code == 404
    assert ann.get(f"/console/cases/{case}?topic=no.such").status_code == 404


def test_a_number_that_no_database_holds_is_the_number_of_nothing(enter: Enter) -> None:
    ann = enter("ann")
    assert ann.get(f"/console/cases/{2**63}").status_code == 404
    assert ann.get(f"/console/events?case={2**63}").status_code == 422
    assert send(ann, f"/console/undelivered/{2**63}/retry").status_code == 404


def test_handing_back_and_reopening(enter: Enter, person: Person, sessions: sessionmaker[Session]) -> None:
    ann, lead, case = enter("ann"), enter("lead", Role.LEAD), case_of(sessions)
    do(ann, case, "claim")
    person.write("are you there?")
    do(ann, case, "hand-back")
    until(lambda: person.hears()[-1] == ("bot", "heard are you there?"))
    do(lead, case, "claim")
    do(lead, case, "close", outcome="referred")
    assert "Suicide" in lead.get("/console/queue?show=closed").text
    assert "Referred" in lead.get(f"/console/cases/{case}").text
    assert ann.get(f"/console/cases/{case}").status_code == 403
    assert do(lead, case, "reopen").status_code == 200
    assert "Take this case" in ann.get(f"/console/cases/{case}").text


def test_a_closed_case_shows_nothing_that_was_said_after_its_end(
    enter: Enter, person: Person, sessions: sessionmaker[Session]
) -> None:
    lead, case = enter("lead", Role.LEAD), case_of(sessions)
    decide(sessions)
    person.write("before the end")
    do(lead, case, "claim")
    do(lead, case, "close", outcome="helped")
    person.write("for the bot alone")
    until(lambda: person.hears()[-1] == ("bot", "heard for the bot alone"))
    page = lead.get(f"/console/cases/{case}").text
    assert "before the end" in page
    assert "for the bot alone" not in page


@pytest.fixture
def reopened(enter: Enter, person: Person, sessions: sessionmaker[Session]) -> tuple[TestClient, int]:
    """A lead with a case that was closed after a yes and opened anew; in between the person wrote to the bot."""
    lead, case = enter("lead", Role.LEAD), case_of(sessions)
    decide(sessions)
    person.write("before the end")
    do(lead, case, "claim")
    do(lead, case, "say", text="I am Lea.")
    do(lead, case, "close", outcome="helped")
    person.write("for the bot alone")
    until(lambda: person.hears()[-1] == ("bot", "heard for the bot alone"))
    do(lead, case, "reopen")
    return lead, case


def test_a_yes_is_for_the_case_as_it_stood_and_is_asked_for_anew_when_it_is_reopened(
    reopened: tuple[TestClient, int], person: Person, content: Content
) -> None:
    (lead, case), phrases = reopened, content.phrases["en"].phrases
    page = lead.get(f"/console/cases/{case}").text
    assert "before the end" in page
    assert "for the bot alone" not in page
    assert "was opened again" in page
    do(lead, case, "claim")
    assert person.hears()[-1] == ("bot", phrases["staff.here.again"])
    person.write("is that you?")  # before a word was said to them: no answer to anybody
    assert "for the bot alone" not in lead.get(f"/console/cases/{case}").text
    do(lead, case, "say", text="I am Lea, again.")
    person.write("hello Lea")
    until(lambda: "for the bot alone" in lead.get(f"/console/cases/{case}").text)


def test_a_no_after_reopening_takes_back_what_the_yes_let_be_read(
    reopened: tuple[TestClient, int], sessions: sessionmaker[Session]
) -> None:
    lead, case = reopened
    decide(sessions, Consent.NO)
    page = lead.get(f"/console/cases/{case}").text
    assert "before the end" not in page
    assert "for the bot alone" not in page
    do(lead, case, "claim")
    do(lead, case, "say", text="I am Lea, again.")
    assert "I am Lea, again." in lead.get(f"/console/cases/{case}").text


def test_after_a_no_a_reopened_case_shows_only_what_is_said_after_the_new_hello(
    enter: Enter, person: Person, sessions: sessionmaker[Session], content: Content
) -> None:
    lead, case = enter("lead", Role.LEAD), case_of(sessions)
    decide(sessions, Consent.NO)
    do(lead, case, "claim")
    do(lead, case, "say", text="I am Lea.")
    do(lead, case, "close", outcome="no_answer")
    person.write("somebody in my room wants to kill me")  # to the bot: another case, which others end
    with sessions() as session:
        newer = session.query(Case).order_by(Case.id.desc()).first()
        assert newer is not None
        assert newer.id != case
    do(lead, newer.id, "claim")
    do(lead, newer.id, "close", outcome="helped")
    do(lead, case, "reopen")
    do(lead, case, "claim")
    assert person.hears()[-1] == ("bot", content.phrases["en"].phrases["staff.here.refused"])
    assert "in my room" not in lead.get(f"/console/cases/{case}").text
    do(lead, case, "say", text="I am Lea, again.")
    person.write("no, thank you")
    page = lead.get(f"/console/cases/{case}").text
    assert "no, thank you" in page
    assert "in my room" not in page


def test_a_case_is_handed_to_a_colleague_who_goes_on_with_it(
    enter: Enter, person: Person, sessions: sessionmaker[Session], content: Content
) -> None:
    ann, bob, editor, case = enter("ann"), enter("bob"), enter("ed", Role.EDITOR), case_of(sessions)
    do(ann, case, "claim")
    page = ann.get(f"/console/cases/{case}").text
    ids = dict(re.findall(r'<option value="(\w+)">(\w+)</option>', page.split("hand-over")[1].split("</form>")[0]))
    assert list(ids.values()) == ["bob"]
    for nobody in ("", "nobody", id_of(sessions, "ed"), id_of(sessions, "ann").upper()):
        assert do(ann, case, "hand-over", to=nobody).status_code == 422
    assert do(bob, case, "hand-over", to=id_of(sessions, "bob")).status_code == 403
    assert do(ann, case, "hand-over", to=id_of(sessions, "bob")).url.path == "/console/queue"
    assert do(ann, case, "say", text="still me").status_code == 403
    assert do(bob, case, "say", text="I am Bob").status_code == 200
    assert person.hears()[-2:] == [("bot", content.phrases["en"].phrases["staff.colleague"]), ("staff", "I am Bob")]
    assert editor.get(f"/console/cases/{case}").status_code == 403
    with sessions() as session:
        entry = session.query(AuditEntry).filter_by(action="case_handed_over").one()
    assert (entry.actor, entry.details) == (id_of(sessions, "ann"), {"staff": id_of(sessions, "bob")})


def test_a_case_shows_what_the_bot_took_each_message_for_and_is_summed_up(
    app: Any, enter: Enter, person: Person, sessions: sessionmaker[Session], content: Content
) -> None:
    ann, case = enter("ann"), case_of(sessions)
    assert "Emergency: Suicide" not in ann.get(f"/console/cases/{case}").text  # nobody may read it yet
    decide(sessions)
    page = ann.get(f"/console/cases/{case}").text
    assert "Emergency: Suicide" in page
    assert "The person writes English, by web chat." in page
    assert "perhaps also" not in page
    person.write("my wages")
    label = content.words["work.unpaid_wages", "en"].button
    until(lambda: f"Understood: {label} · 82 %" in ann.get(f"/console/cases/{case}").text)
    page = ann.get(f"/console/cases/{case}").text
    assert f"The robot answered about: {label}." in page
    assert "Look out, perhaps also: Exploitation." in page
    assert "2 messages" in page
    assert "since one of you" not in page
    do(ann, case, "claim")
    do(ann, case, "say", text="tell me more")
    person.write("what?")
    until(lambda: "Not understood" in ann.get(f"/console/cases/{case}").text)
    page = ann.get(f"/console/cases/{case}").text
    assert "1 of them since one of you last answered." in page
    assert "The robot did not understand 1 of the messages." in page
    person.delete()
    with sessions() as session:
        assert session.query(InboxMessage).filter(InboxMessage.understood.is_not(None)).count() == 0


def test_who_has_a_case_open_is_seen_by_colleagues_until_they_leave(
    app: Any, enter: Enter, person: Person, sessions: sessionmaker[Session], service: Service
) -> None:
    ann, bob, case = enter("ann"), enter("bob"), case_of(sessions)
    with ThreadPoolExecutor(1) as pool:
        listening = pool.submit(lambda: bob.get(f"/console/events?case={case}").text)
        until(lambda: "bob looking" in ann.get(f"/console/cases/{case}").text)
        assert "bob looking" in ann.get("/console/queue").text
        assert "bob looking" not in bob.get("/console/queue").text
        with service.sessions.begin() as session:
            staff.remove(session, "bob@example.org", now=datetime.now(UTC))
        app.state.announcer.announce("queue")
        person.write("hello")
        assert "signed_out" in listening.result(60)
    until(lambda: "bob looking" not in ann.get("/console/queue").text)


def test_a_sign_of_life_is_believed_for_a_minute(sessions: sessionmaker[Session], person: Person, account: Any) -> None:
    account("ann")
    case, ann, now = case_of(sessions), id_of(sessions, "ann"), datetime.now(UTC)
    with sessions.begin() as session:
        assert presence.look(session, case, ann, now=now)
        assert not presence.look(session, case, ann, now=now + timedelta(seconds=20))
        assert presence.looking(session, now=now + timedelta(seconds=79)) == {case: [(ann, "ann")]}
        assert presence.looking(session, now=now + timedelta(seconds=80)) == {}
        presence.delete_over(session, now=now + timedelta(seconds=80))
        assert presence.look(session, case, ann, now=now)


def test_a_deleted_conversation_leaves_the_queue(enter: Enter, person: Person, sessions: sessionmaker[Session]) -> None:
    ann, case = enter("ann"), case_of(sessions)
    do(ann, case, "claim")
    person.delete()
    assert "Suicide" not in ann.get("/console/queue").text
    assert do(ann, case, "say", text="hello").status_code == 403
    assert "case_ended_by_deletion" in log_of(sessions)


def test_a_page_that_renews_itself_keeps_nobody_signed_in(enter: Enter, service: Service) -> None:
    ann, seen = enter("ann"), []
    original = service.writer.run
    service.writer.run = lambda job, **more: seen.append(job) or original(job, **more)  # type: ignore[method-assign]
    ann.get("/console/queue", headers={"X-Live": "1"})
    assert seen == []
    ann.get("/console/queue")
    assert len(seen) == 1


def test_every_page_has_the_security_headers_and_is_kept_by_nobody(enter: Enter, person: Person) -> None:
    ann = enter("ann")
    for path in ("/console/queue", "/console/sign-in", "/console/cases/1", "/console/cases/999", "/console/log"):
        answer = ann.get(path)
        assert {name.lower() for name in SECURITY_HEADERS} <= set(answer.headers.keys())
        assert answer.headers["cache-control"] == "no-store"
        assert not re.search(r"\son\w+=|style=|<script>", answer.text)


def test_both_languages_say_everything() -> None:
    spoken = {language: texts(language) for language in LANGUAGES}
    assert set(spoken["en"]) == set(spoken["nl"])
    for language in LANGUAGES:
        assert all(f"kind.{kind}" in spoken[language] for kind in IN_ORDER_OF_DANGER)
        for key, words in spoken[language].items():
            assert set(re.findall(r"{\w+}", words)) == set(re.findall(r"{\w+}", spoken["en"][key])), key


@pytest.fixture
def telegram() -> Iterator[TelegramServer]:
    server = TelegramServer()
    yield server
    server.stop()


def test_over_telegram_both_ways_and_nothing_is_lost_over_a_restart(
    telegram: TelegramServer,
    service: Service,
    content: Content,
    account: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Service, "load_assistant", lambda self: Answering())
    settings = Settings(
        _env_file=None,
        database_url=str(service.engine.url),
        secret_key="key of the tests",
        telegram_bot_token=TOKEN,
        telegram_api_url=telegram.url,
    )
    totp = pyotp.TOTP(account("ann"))
    browser = TestClient(create_app(open_service(settings, content)), base_url=BASE)
    with browser:
        telegram.say(7, CRY, code="en")
        until(lambda: telegram.sent)
        until(lambda: "Telegram" in sign_in_once(browser, totp).get("/console/queue").text)
        case = case_of(service.sessions)
        do(browser, case, "claim")
        telegram.say(7, CRY, code="en")
        do(browser, case, "say", text="I am here & I read you")
        until(lambda: "I am here &amp; I read you" in telegram.texts(7))
        telegram.say(7, "hello", code="en")
        until(lambda: browser.get(f"/console/cases/{case}").text.count(CRY) == 2)
        until(lambda: '· <span class="sent">sent' in browser.get(f"/console/cases/{case}").text)
        assert sum("113" in sent for sent in telegram.texts(7)) == 1
    cookies = dict(browser.cookies)
    telegram.say(7, "during the restart", code="en")
    again = TestClient(create_app(open_service(settings, content)), base_url=BASE, cookies=cookies)
    with again:
        until(lambda: "during the restart" in again.get(f"/console/cases/{case}").text)
        do(again, case, "close", outcome="helped")
        until(lambda: content.phrases["en"].phrases["staff.done"] in telegram.texts(7))
    assert not any(sent.startswith("heard") for sent in telegram.texts(7))


def sign_in_once(browser: TestClient, totp: pyotp.TOTP) -> TestClient:
    if "__Host-staff" not in browser.cookies:
        sign_in(browser, "ann", totp.now())
    return browser


REMOVED = "UPDATE staff SET is_active = false"
SIGNED_OUT = "DELETE FROM staff_session"
EDITOR = "UPDATE staff SET role = 'editor'"


@pytest.mark.parametrize("change", [REMOVED, SIGNED_OUT, EDITOR])
def test_an_open_page_hears_nothing_any_more_when_access_is_lost_in_another_process(
    app: Any, enter: Enter, service: Service, change: str
) -> None:
    ann = enter("ann")
    with ThreadPoolExecutor(1) as pool:
        listening = pool.submit(lambda: ann.get("/console/events").text)
        until(lambda: app.state.announcer.listeners("queue"))
        with service.sessions.begin() as session:  # nobody announces it
            session.execute(text(change))
        assert listening.result(60).rstrip().endswith("event: signed_out\r\ndata:")


def test_whoever_gave_a_case_away_hears_that_once_and_nothing_of_what_comes_after(
    app: Any, enter: Enter, person: Person, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob, case = enter("ann"), enter("bob"), case_of(service.sessions)
    do(ann, case, "claim")
    allowed: list[bool] = []
    may_see = views.may_see

    def watched(who: Any, row: Any) -> bool:
        if who.name == "ann":
            allowed.append(may_see(who, row))
        return may_see(who, row)

    monkeypatch.setattr(views, "may_see", watched)
    with ThreadPoolExecutor(1) as pool:
        listening = pool.submit(lambda: ann.get(f"/console/events?case={case}").text)
        until(lambda: app.state.announcer.listeners("queue"))
        do(ann, case, "hand-over", to=id_of(service.sessions, "bob"))
        until(lambda: False in allowed)
        for _ in range(3):
            looks = len(allowed)
            do(bob, case, "say", text="hello")
            until(lambda: len(allowed) > looks)  # noqa: B023 (it is over before the next one)
        with service.sessions.begin() as session:
            staff.remove(session, "ann@example.org", now=datetime.now(UTC))
        heard = listening.result(60)
    assert re.findall(r"event: changed\r\ndata: (.*)\r\n", heard)[-1] == GONE
    assert heard.count(GONE) == 1


def test_an_open_queue_hears_of_a_new_case_and_of_the_end_of_the_session(
    app: Any, enter: Enter, service: Service
) -> None:
    ann = enter("ann")
    with ThreadPoolExecutor(1) as pool:
        listening = pool.submit(lambda: ann.get("/console/events").text)
        time.sleep(0.5)
        Person(app).write(CRY)
        time.sleep(0.5)
        with service.sessions.begin() as session:
            staff.remove(session, "ann@example.org", now=datetime.now(UTC))
        app.state.announcer.announce("anybody")
        heard = listening.result(10)
    assert heard.count("event: changed") == 2
    assert heard.rstrip().endswith("event: signed_out\r\ndata:")
    assert PASSWORD not in heard
