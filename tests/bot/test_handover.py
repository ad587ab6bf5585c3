"""From the bot to a person: what is offered when, what "yes" and "no" come to, and what staff may read."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from actions.reply import Button, ContactCard, Effect, Reply
from bot import cases, duty, inbox, outbox, staff
from bot.assistant_port import OFFERED, Outcome
from bot.cases import Consent, State
from bot.conversations import Worker
from bot.duty import ASKED, Plan
from bot.frozen import FrozenPath
from bot.inbox import Incoming, Kind, Turn
from bot.models import Case, Conversation
from bot.service import Service
from bot.staff import Role
from knowledge.files import Content
from tests.conftest import NOW, rows

OPEN, CLOSED = NOW, NOW + timedelta(hours=9)  # Monday 11:00 and 20:00 by Dutch time
NUMBERS = (
    ContactCard(name="A", what_for="", phone="112", is_open=True),
    ContactCard(name="B", what_for="", is_open=False),
)


class Scripted:
    """An assistant that says what it is told to."""

    def __init__(self, *replies: Reply, slots: dict[str, Any] | None = None) -> None:
        self._replies, self._slots = replies, slots or {}

    async def respond(self, turn: Turn) -> Outcome:
        return Outcome(self._replies, {"language": "en", **self._slots})


def offers(language: str = "en") -> Scripted:
    menu = Button(label="Menu", payload="/menu")
    reply = Reply(
        language=language, text="numbers alone", contacts=NUMBERS, buttons=(menu,), effect=Effect.OFFER_PERSON
    )
    return Scripted(reply)


def says_yes(language: str = "en") -> Scripted:
    return Scripted(Reply(language=language, text="yes", effect=Effect.ASK_PERSON))


class Talk:
    """One person's conversation, with the turns of a worker at a moment of one's choice."""

    def __init__(self, service: Service, content: Content) -> None:
        self._service, self._frozen, self._count = service, FrozenPath(content), 0
        with service.sessions.begin() as session:
            hashed = inbox.address_hash("web", "a", key=b"key")
            self.id = inbox.conversation_of(session, "web", hashed, now=NOW).id

    def turn(
        self, assistant: Any, body: str = "a person please", *, kind: Kind = Kind.TEXT, now: datetime = NOW
    ) -> list[dict[str, Any]]:
        """What is said to a message."""
        self._count += 1
        with self._service.sessions.begin() as session:
            inbox.accept(session, self.id, Incoming(f"message-{self._count}", kind, body), now=now)
            before = max((one.id for one in outbox.after(session, self.id)), default=0)
        worker = Worker(self._service.writer, lambda: self._frozen, clock=lambda: now)
        if assistant is not None:
            worker.use(assistant)
        while worker.take_turns():
            pass
        with self._service.sessions() as session:
            return [one.reply for one in outbox.after(session, self.id, before)]

    def slots(self) -> dict[str, Any]:
        with self._service.sessions() as session:
            return session.get_one(Conversation, self.id).slots


@pytest.fixture
def talk(service: Service, content: Content) -> Talk:
    return Talk(service, content)


@pytest.fixture
def helper(service: Service) -> str:
    """Somebody who takes cases; returns their id."""
    return account_of(service, "ann", Role.HELPER)


def account_of(service: Service, name: str, role: Role) -> str:
    with service.sessions.begin() as session:
        invited = staff.add(session, name, f"{name}@example.org", role, "en", book=service.addresses, now=NOW)
        staff.begin(session, invited.staff_id, "a hash", step=0, now=NOW)
    return invited.staff_id


def the_case(sessions: sessionmaker[Session]) -> Case:
    with sessions() as session:
        return session.query(Case).one()


def payloads(reply: dict[str, Any]) -> list[str]:
    return [button["payload"] for button in reply["buttons"]]


def test_where_there_are_no_staff_nobody_is_offered(talk: Talk, service: Service) -> None:
    account_of(service, "eve", Role.EDITOR)
    with service.sessions.begin() as session:
        staff.add(session, "new", "new@example.org", Role.HELPER, "en", book=service.addresses, now=NOW)
    (reply,) = talk.turn(offers())
    assert reply["text"] == "numbers alone"
    assert payloads(reply) == ["/menu"]
    assert talk.slots()["asked"] is None


@pytest.mark.parametrize("language", ["en", "nl", "pl", "uk"])
def test_while_staff_are_there_the_offer_says_until_when_and_asks(
    talk: Talk, helper: str, content: Content, language: str
) -> None:
    (reply,) = talk.turn(offers(language))
    phrases = content.phrases[language].phrases
    assert reply["text"].startswith(phrases["hours.open"].format(name="Wegwijs", when="17:00"))
    assert reply["text"].endswith(phrases["human.ask"])
    assert payloads(reply) == ["/affirm", "/deny", "/menu"]
    assert [card["name"] for card in reply["contacts"]] == ["A", "B"]
    assert talk.slots()["asked"] == "person"
    assert talk.slots()[OFFERED] == payloads(reply)


def test_outside_the_hours_it_says_when_and_which_number_answers_now(
    talk: Talk, helper: str, content: Content, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        duty.change(session, Plan(name="Fair"), helper, seen=0, now=NOW)
    (reply,) = talk.turn(offers(), now=CLOSED)
    phrases = content.phrases["en"].phrases
    assert reply["text"].startswith(phrases["hours.closed"].format(name="Fair", when="Tuesday 09:00"))
    assert reply["text"].endswith(phrases["human.leave"])
    assert [card["name"] for card in reply["contacts"]] == ["A"]
    assert reply["contacts_heading"] == phrases["human.call_now"]


@pytest.mark.parametrize(("now", "key"), [(OPEN, "human.asked"), (CLOSED, "human.left")])
def test_yes_opens_a_case_that_staff_may_read_and_says_what_happens(
    talk: Talk, helper: str, content: Content, sessions: sessionmaker[Session], now: datetime, key: str
) -> None:
    talk.turn(offers(), now=now)
    (reply,) = talk.turn(says_yes(), "yes", now=now)
    assert reply["text"].endswith(content.phrases["en"].phrases[key])
    found = the_case(sessions)
    assert (found.kind, found.state, found.consent) == (ASKED, State.WAITING, Consent.YES)
    assert found.consent_at == now
    assert found.priority > cases.priority_of("urgent.homeless_tonight")


def test_who_has_asked_is_told_that_it_is_known_and_is_not_asked_again(
    talk: Talk, helper: str, content: Content, sessions: sessionmaker[Session]
) -> None:
    talk.turn(says_yes(), "yes")
    (reply,) = talk.turn(offers())
    assert reply["text"] == content.phrases["en"].phrases["human.waiting"]
    assert "/affirm" not in payloads(reply)
    assert talk.slots()["asked"] is None
    assert rows(sessions.kw["bind"], "staff_case") == 1


def test_asking_for_a_person_lets_staff_read_the_emergency_that_is_open(
    talk: Talk, helper: str, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        cases.open_case(session, talk.id, "urgent.abuse", language="en", now=NOW)
    (reply,) = talk.turn(offers())
    assert "/affirm" in payloads(reply)
    talk.turn(says_yes(), "yes")
    found = the_case(sessions)
    assert (found.kind, found.consent) == ("urgent.abuse", Consent.YES)


def test_deletion_takes_the_consent_too(
    talk: Talk, helper: str, sessions: sessionmaker[Session], engine: Engine
) -> None:
    talk.turn(says_yes(), "yes")
    talk.turn(Scripted(Reply(language="en", text="{date} {messages} {receipt}", effect=Effect.DELETE_DATA)), "delete")
    found = the_case(sessions)
    assert (found.conversation_id, found.consent, found.consent_at) == (None, None, None)
