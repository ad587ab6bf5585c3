"""The queue: filters that stand in the address, who waits as an open page hears it, and replies that did not arrive."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event
from sqlalchemy.orm import Session, sessionmaker

from actions.reply import Author, Reply
from bot import cases, dead_letters, duty, inbox, outbox, sign_in, staff
from bot.console import marks, queue, views
from bot.console.marks import Once, QueueMarks
from bot.duty import Plan
from bot.inbox import Incoming, Kind
from bot.models import Case, OutboxMessage
from bot.service import Service
from bot.web.events import Announcer
from tests.bot.console.people import CRY, Person, case_of, do, log_of, send
from tests.conftest import NOW
from tests.patience import until

Enter = Callable[..., TestClient]


def open_case(session: Session, name: str, kind: str, language: str, channel: str) -> int:
    """A case of somebody on a channel, with one message and one reply."""
    now = datetime.now(UTC)
    address = inbox.address_hash(channel, name, key=b"key")
    found = inbox.conversation_of(session, channel, address, now=now, address="sealed").id
    inbox.accept(session, found, Incoming("1", Kind.TEXT, "help"), now=now)
    outbox.store_word(session, found, Reply(language="en", text="words", topic="care.gp", author=Author.STAFF), now=now)
    case = cases.open_case(session, found, kind, language=language, now=now)
    assert case is not None
    return case


@pytest.fixture
def three(app: Any, sessions: sessionmaker[Session]) -> list[int]:
    with sessions.begin() as session:
        return [
            open_case(session, "a", "urgent.abuse", "pl", "telegram"),
            open_case(session, "b", "urgent.suicide", "uk", "whatsapp"),
            open_case(session, "c", "urgent.abuse", "uk", "telegram"),
        ]


def shown(page: str) -> list[int]:
    return [int(found) for found in re.findall(r'class="what"><a href="/console/cases/(\d+)"', page)]


def test_the_address_says_which_cases_are_shown(enter: Enter, three: list[int]) -> None:
    ann = enter("ann")
    polish, suicide, ukrainian = three
    do(ann, polish, "claim")
    for chosen, expected in {
        "": [suicide, ukrainian, polish],
        "?kind=urgent.abuse": [ukrainian, polish],
        "?language=uk": [suicide, ukrainian],
        "?channel=telegram&language=uk": [ukrainian],
        "?owner=me": [polish],
        "?owner=nobody": [suicide, ukrainian],
        "?kind=urgent.danger": [],
    }.items():
        page = ann.get(f"/console/queue{chosen}").text
        assert shown(page) == expected, chosen
        assert "2 waiting" in page  # whatever is shown, who waits is told
    assert "No case fits" in page
    page = ann.get("/console/queue?language=uk").text
    assert '<option value="uk" selected>' in page
    assert '<option value="web"' not in page
    assert ann.get("/console/queue?owner=everybody").status_code == 422


def test_whoever_has_a_case_open_hears_of_others_that_begin_to_wait(
    app: Any,
    enter: Enter,
    person: Person,
    service: Service,
    sessions: sessionmaker[Session],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[list[int]] = []
    original = views.waiting
    monkeypatch.setattr(views, "waiting", lambda session: looked.append(original(session)) or looked[-1])
    ann, case = enter("ann"), case_of(sessions)
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(lambda: ann.get(f"/console/events?case={case}").text)
        until(lambda: app.state.announcer.listeners("queue"))
        Person(app).write(CRY)
        until(lambda: any(len(one) == 2 for one in looked))
        with service.sessions.begin() as session:
            staff.remove(session, "ann@example.org", now=datetime.now(UTC))
        app.state.announcer.announce("queue")
        told = [json.loads(found) for found in re.findall(r"event: waiting\r\ndata: (.*)\r\n", heard.result(60))]
    assert told[0] == [case]
    assert len(told[-1]) == 2


def test_a_long_queue_is_shown_a_page_at_a_time_with_the_choice_kept(
    enter: Enter, three: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MOST_SHOWN", 2)
    ann = enter("ann")
    first, last = ann.get("/console/queue").text, ann.get("/console/queue?page=2").text
    assert shown(first) + shown(last) == [three[1], three[0], three[2]]
    assert 'href="?page=2"' in first
    assert "More urgent" not in first
    assert 'href="?page=1"' in last
    assert "Less urgent" not in last
    monkeypatch.setattr(views, "MOST_SHOWN", 1)
    assert 'href="?language=uk&amp;page=2"' in ann.get("/console/queue?language=uk").text


def test_the_marks_are_read_once_for_all_and_anew_after_every_announcement(
    app: Any, sessions: sessionmaker[Session], three: list[int]
) -> None:
    announcer, now = Announcer(), datetime.now(UTC)
    read = QueueMarks(Once(lambda: announcer.generation))
    with sessions.begin() as session:
        first = read.read(session, now=now)
        cases.claim(session, three[0], "ann", now=now)
        assert read.read(session, now=now) == first
        announcer.announce("queue")
        second = read.read(session, now=now)
        assert second[0] != first[0]
        assert json.loads(second[1]) == three[1:]
        cases.claim(session, three[1], "ann", now=now)
        assert read.read(session, now=now + timedelta(milliseconds=499)) == second
        assert json.loads(read.read(session, now=now + timedelta(milliseconds=500))[1]) == three[2:]


def test_the_queue_is_read_and_drawn_once_for_all_who_see_the_same_and_names_each_their_own(
    app: Any, enter: Enter, three: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob, eve = enter("ann"), enter("bob"), enter("eve")
    do(ann, three[0], "claim")
    monkeypatch.setattr(marks, "BELIEVED", timedelta(hours=1))  # however slow this machine is
    app.state.announcer.announce("queue")
    read: list[str] = []
    original = views.queue
    monkeypatch.setattr(views, "queue", lambda *given, **more: read.append(given[2]) or original(*given, **more))
    pages = [one.get("/console/queue").text for one in (bob, eve, ann, bob)]
    assert len(read) == 1
    assert ["<strong>you</strong>" in page for page in pages] == [False, False, True, False]
    assert [">ann<" in page.partition('id="live"')[2] for page in pages] == [True, True, False, True]
    assert shown(bob.get("/console/queue?owner=me").text) == []
    assert shown(ann.get("/console/queue?owner=me").text) == [three[0]]


def test_what_is_read_for_all_is_never_older_than_the_last_announcement(
    app: Any, enter: Enter, sessions: sessionmaker[Session], three: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marks, "BELIEVED", timedelta(hours=1))
    ann, original, opened = enter("ann"), sign_in.person_of, []

    def a_cry_comes_after_that(session: Session, *given: Any, **more: Any) -> Any:
        found = original(session, *given, **more)
        if app.state.announcer.listeners("queue") and not opened:
            with sessions.begin() as other:
                opened.append(open_case(other, "d", "urgent.danger", "pl", "telegram"))
            app.state.announcer.announce("queue")
        return found

    monkeypatch.setattr(sign_in, "person_of", a_cry_comes_after_that)
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(lambda: ann.get("/console/events").text)
        until(lambda: opened)
        with sessions.begin() as session:
            staff.remove(session, "ann@example.org", now=datetime.now(UTC))
        told = re.findall(r"event: waiting\r\ndata: (.*)\r\n", heard.result(60))
    assert json.loads(told[-1]) == [*three, *opened]


def test_a_page_drawn_while_something_changes_is_shown_to_nobody_who_asks_after_that(
    app: Any, enter: Enter, three: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marks, "BELIEVED", timedelta(hours=1))
    ann, bob, eve = enter("ann"), enter("bob"), enter("eve")
    original, done = queue._Shown.names, []

    def changes_meanwhile(shown: Any, staff_id: str) -> bool:
        if not done:
            done.append(True)
            do(ann, three[0], "claim")
        return original(shown, staff_id)

    app.state.announcer.announce("queue")
    monkeypatch.setattr(queue._Shown, "names", changes_meanwhile)
    bob.get("/console/queue")
    assert done
    assert ">ann<" in eve.get("/console/queue").text.partition('id="live"')[2]


def test_nobody_makes_others_wait_while_waiting_for_a_connection(
    app: Any, enter: Enter, service: Service, three: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, original, late = threading.local(), Once.read, []

    def read(*given: Any, **more: Any) -> Any:
        here.is_making = True
        try:
            return original(*given, **more)
        finally:
            here.is_making = False

    def note(*_given: Any) -> None:
        late.append(getattr(here, "is_making", False))

    ann = enter("ann")
    monkeypatch.setattr(Once, "read", read)
    event.listen(service.engine, "checkout", note)
    app.state.announcer.announce("queue")
    ann.get("/console/queue")
    event.remove(service.engine, "checkout", note)
    assert late
    assert not any(late)


def test_the_time_a_case_has_waited_stands_against_the_target_of_its_kind(
    app: Any, enter: Enter, sessions: sessionmaker[Session], three: list[int]
) -> None:
    ann, abuse, suicide = enter("ann"), three[0], three[1]
    with sessions.begin() as session:
        duty.change(session, Plan(targets={"urgent.abuse": 30, "urgent.suicide": 5}), "ann", seen=0, now=NOW)
        for case in (abuse, suicide):
            session.get_one(Case, case).waiting_since -= timedelta(minutes=7)
    app.state.announcer.announce("queue")
    rows = dict(
        re.findall(r'href="/console/cases/(\d+)".*?\n *(<td class="since.*?</td>)', ann.get("/console/queue").text)
    )
    assert "late" not in rows[str(abuse)]
    assert "of 30" in rows[str(abuse)]
    assert "7 min" in rows[str(suicide)]
    assert "late" in rows[str(suicide)]


@pytest.fixture
def dead(sessions: sessionmaker[Session], three: list[int]) -> list[int]:
    """Two dead replies, one of them refused after the provider took it; and one that is on its way."""
    with sessions.begin() as session:
        ids = [row.id for row in session.query(OutboxMessage).order_by(OutboxMessage.id)]
        outbox.record_failure(session, ids[0], "blocked")
        outbox.record_sent(session, ids[1], "wamid", now=datetime.now(UTC))
        outbox.record_states(session, {"wamid": "failed"})
    return ids[:2]


def test_what_did_not_arrive_is_listed_with_its_reason_and_tried_again(
    enter: Enter, dead: list[int], three: list[int], sessions: sessionmaker[Session]
) -> None:
    ann = enter("ann")
    assert "2 not delivered" in ann.get("/console/queue").text
    page = ann.get("/console/undelivered").text
    assert re.findall(r"undelivered/(\d+)/retry", page) == [str(dead[1]), str(dead[0])]
    assert "The person has blocked us (blocked)" in page
    assert "could not deliver it (failed)" in page
    assert f"#{three[0]}" in page
    assert "words" not in page
    assert send(ann, f"/console/undelivered/{dead[0]}/retry").status_code == 200
    assert send(ann, f"/console/undelivered/{dead[1]}/retry").status_code == 200
    with sessions() as session:
        for row in (session.get_one(OutboxMessage, one) for one in dead):
            assert (row.failure, row.state, row.delivered_at, row.attempts, row.next_try_at) == (
                None,
                None,
                None,
                0,
                None,
            )
    assert "Everything was delivered" in ann.get("/console/undelivered").text
    assert send(ann, f"/console/undelivered/{dead[0]}/retry").status_code == 404
    assert log_of(sessions).count("message_retried") == 2


def test_what_did_not_arrive_does_not_tell_what_the_person_of_a_case_asked(
    sessions: sessionmaker[Session], dead: list[int], three: list[int]
) -> None:
    with sessions.begin() as session:
        case = session.get_one(Case, three[0])
        case.state, case.closed_at = cases.State.CLOSED, datetime.now(UTC)
    with sessions() as session:
        topics = {one.id: (one.case_id, one.topic) for one in dead_letters.dead_letters(session)}
    assert topics == {dead[0]: (None, "care.gp"), dead[1]: (three[1], None)}


def test_trying_again_needs_a_form_of_ours_and_somebody_who_takes_cases(
    enter: Enter, dead: list[int], sessions: sessionmaker[Session]
) -> None:
    ann, editor = enter("ann"), enter("ed", staff.Role.EDITOR)
    assert ann.post(f"/console/undelivered/{dead[0]}/retry", data={}).status_code == 403
    assert editor.get("/console/undelivered").status_code == 403
    assert send(editor, f"/console/undelivered/{dead[0]}/retry").status_code == 403
    assert log_of(sessions).count("refused") == 3
    with sessions() as session:
        assert session.get_one(OutboxMessage, dead[0]).failure == "blocked"
