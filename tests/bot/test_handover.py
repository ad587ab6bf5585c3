"""From the bot to a person: what is offered when, what "yes" and "no" come to, and what staff may read."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from actions.reply import MAX_PAYLOAD_BYTES, Button, ContactCard, Effect, Reply
from bot import cases, duty, handover, inbox, outbox, staff
from bot.assistant_port import OFFERED, AssistantPort, Outcome
from bot.cases import Consent, State
from bot.console import views
from bot.conversations import Worker
from bot.desk import Desk
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


class Scripted(AssistantPort):
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
    """Somebody who takes cases by the plan that was saved; returns their id."""
    with service.sessions.begin() as session:
        duty.change(session, Plan(), "lead", seen=0, now=NOW)
    return account_of(service, "ann", Role.HELPER)


def account_of(service: Service, name: str, role: Role) -> str:
    with service.sessions.begin() as session:
        invited = staff.add(session, name, f"{name}@example.org", role, "en", book=service.addresses, now=NOW)
        staff.begin(session, invited.staff_id, "a hash", step=0, now=NOW)
    return invited.staff_id


def close_the_account(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        staff.remove(session, "ann@example.org", now=NOW)


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
        duty.change(session, Plan(name="Fair"), helper, seen=1, now=NOW)
    (reply,) = talk.turn(offers(), now=CLOSED)
    phrases = content.phrases["en"].phrases
    assert reply["text"].startswith(phrases["hours.closed"].format(name="Fair", when="Tuesday 09:00"))
    assert reply["text"].endswith(phrases["human.leave"])
    assert [card["name"] for card in reply["contacts"]] == ["A"]
    assert reply["contacts_heading"] == phrases["human.call_now"]


@pytest.mark.parametrize("language", ["en", "nl", "pl", "uk"])
@pytest.mark.parametrize("now", [OPEN, CLOSED])
def test_hours_that_nobody_has_set_are_told_to_nobody(
    talk: Talk, service: Service, content: Content, language: str, now: datetime
) -> None:
    account_of(service, "ann", Role.HELPER)
    phrases = content.phrases[language].phrases
    unset = phrases["hours.unset"].format(name="Wegwijs")
    said = [
        talk.turn(cries("urgent.medical", language), "help", now=now)[-1]["text"],
        talk.turn(offers(language), now=now)[0]["text"],
        talk.turn(says_yes(language), "yes", now=now)[0]["text"],
    ]
    assert said == [f"{unset} {phrases[key]}" for key in ("consent.ask", "human.ask", "human.asked")]
    assert "17:00" not in str(said)
    assert "09:00" not in str(said)


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


@pytest.mark.parametrize("language", ["en", "nl", "pl", "uk"])
def test_a_yes_after_the_last_account_was_closed_promises_nobody(
    talk: Talk, helper: str, content: Content, sessions: sessionmaker[Session], engine: Engine, language: str
) -> None:
    talk.turn(offers(language))
    close_the_account(sessions)
    (reply,) = talk.turn(says_yes(language), "yes")
    phrases = content.phrases[language].phrases
    assert reply["text"] == f"{phrases['human.gone']} {phrases['human']}"
    assert any(card["phone"] for card in reply["contacts"])
    assert rows(engine, "staff_case") == 0


def test_who_has_asked_is_told_that_it_is_known_and_is_not_asked_again(
    talk: Talk, helper: str, content: Content, sessions: sessionmaker[Session]
) -> None:
    talk.turn(says_yes(), "yes")
    (reply,) = talk.turn(offers())
    assert reply["text"].endswith(content.phrases["en"].phrases["human.waiting"])
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


# Consent, before staff read what somebody in danger wrote.


def cries(kind: str = "urgent.abuse", language: str = "en", **slots: Any) -> Scripted:
    reply = Reply(language=language, text="call", topic=kind, is_urgent=True)
    return Scripted(reply, slots={"language": language, **slots})


YES, NO = (
    Scripted(Reply(language="en", text="plain", effect=effect)) for effect in (Effect.CONSENT, Effect.NO_CONSENT)
)


def button(case: int, answer: str, language: str = "en") -> str:
    return f'/consent{{"case":"{case}","answer":"{answer}","in":"{language}"}}'


def staff_see(sessions: sessionmaker[Session]) -> tuple[list[str], str | None]:
    """What the page of the one case shows of the chat, and the topic."""
    with sessions() as session:
        row = views.find(session, session.query(Case).one().id, now=NOW)
        assert row is not None
        opened = views.opened(session, row, "en")
    return [line.text for line in opened.lines], opened.topic


@pytest.mark.parametrize("language", ["en", "nl", "pl", "uk"])
def test_in_danger_the_numbers_come_first_then_the_question_and_staff_see_only_kind_and_language(
    talk: Talk, helper: str, content: Content, sessions: sessionmaker[Session], language: str
) -> None:
    numbers, question = talk.turn(cries(language=language, topic="urgent.abuse"), "he beats me")
    phrases, case = content.phrases[language].phrases, the_case(sessions)
    assert numbers["text"] == "call"
    assert phrases["consent.ask"] in question["text"]
    assert question["text"].endswith(phrases["consent.care"])
    assert question["language"] == language
    assert payloads(question) == [button(case.id, "yes", language), button(case.id, "no", language)]
    assert all(len(payload.encode()) <= MAX_PAYLOAD_BYTES for payload in payloads(question))
    assert (case.kind, case.language, case.consent) == ("urgent.abuse", language, None)
    assert staff_see(sessions) == ([], None)


@pytest.mark.parametrize(("kind", "phone"), [("urgent.suicide", "113"), ("urgent.medical", "112")])
def test_yes_by_button_lets_staff_read_and_says_what_happens_next(
    talk: Talk, helper: str, content: Content, sessions: sessionmaker[Session], kind: str, phone: str
) -> None:
    talk.turn(cries(kind, topic=kind), "words that staff may read", now=CLOSED)
    (reply,) = talk.turn(None, button(the_case(sessions).id, "yes"), kind=Kind.BUTTON, now=CLOSED)  # without a model
    assert "Tuesday 09:00" in reply["text"]
    assert phone in reply["text"]
    found = the_case(sessions)
    assert (found.consent, found.consent_at) == (Consent.YES, CLOSED)
    lines, topic = staff_see(sessions)
    assert "words that staff may read" in lines
    assert topic == kind


def test_who_was_helped_at_arrival_is_answered_in_the_language_of_the_question(
    talk: Talk, helper: str, content: Content, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        handover.open_for(session, talk.id, "urgent.danger", language="pl", now=NOW)
    (reply,) = talk.turn(None, button(the_case(sessions).id, "no", "pl"), kind=Kind.BUTTON)
    assert (reply["language"], reply["text"]) == ("pl", content.phrases["pl"].phrases["consent.no"])


def test_where_nobody_is_there_the_question_says_so_and_asks_not_to_wait(
    talk: Talk, helper: str, content: Content
) -> None:
    question = talk.turn(cries("urgent.danger"), "help", now=CLOSED)[1]["text"]
    phrases = content.phrases["en"].phrases
    assert question.endswith(phrases["consent.leave"])
    assert phrases["consent.care"] not in question


@pytest.mark.parametrize("typed", [True, False])
def test_a_yes_that_nobody_is_there_to_read_says_so_and_is_not_kept_for_others(
    talk: Talk, helper: str, content: Content, sessions: sessionmaker[Session], typed: bool
) -> None:
    talk.turn(cries("urgent.suicide"), "I want to die")
    close_the_account(sessions)
    pressed = (None, button(the_case(sessions).id, "yes"))
    (reply,) = talk.turn(YES, "yes") if typed else talk.turn(*pressed, kind=Kind.BUTTON)
    assert reply["text"] == content.phrases["en"].phrases["consent.gone"].format(phone="113")
    assert the_case(sessions).consent is None


def test_no_keeps_it_from_staff_and_the_case_stays(
    talk: Talk, helper: str, content: Content, sessions: sessionmaker[Session]
) -> None:
    talk.turn(cries(), "he beats me")
    (reply,) = talk.turn(NO, "no")
    assert reply["text"] == content.phrases["en"].phrases["consent.no"]
    found = the_case(sessions)
    assert (found.consent, found.state) == (Consent.NO, State.WAITING)
    assert staff_see(sessions) == ([], None)


def test_a_typed_yes_counts_for_the_question_that_was_just_put(
    talk: Talk, helper: str, sessions: sessionmaker[Session]
) -> None:
    talk.turn(cries(), "he beats me")
    assert talk.slots()["asked"] == "consent"
    assert talk.slots()[OFFERED] == ["/affirm", "/deny"]
    talk.turn(YES, "yes")
    assert the_case(sessions).consent == Consent.YES


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_a_stale_answer_does_nothing(
    talk: Talk, helper: str, content: Content, sessions: sessionmaker[Session], answer: str
) -> None:
    talk.turn(cries(), "he beats me")
    old = the_case(sessions).id
    with sessions.begin() as session:
        cases.claim(session, old, helper, now=NOW)
        cases.close(session, old, helper, cases.Outcome.HELPED, now=NOW)
        cases.open_case(session, talk.id, "urgent.danger", language="en", now=NOW)
    (reply,) = talk.turn(None, button(old, answer), kind=Kind.BUTTON)
    assert reply["text"] == content.phrases["en"].phrases["menu.gone"]
    with sessions() as session:
        assert {case.consent for case in session.query(Case)} == {None}


def test_a_button_of_somebody_elses_case_does_nothing(
    talk: Talk, helper: str, service: Service, content: Content, sessions: sessionmaker[Session]
) -> None:
    talk.turn(cries(), "he beats me")
    with sessions.begin() as session:
        other = inbox.conversation_of(session, "web", inbox.address_hash("web", "b", key=b"key"), now=NOW).id
        theirs = cases.open_case(session, other, "urgent.danger", language="en", now=NOW)
    assert theirs is not None
    talk.turn(None, button(theirs, "yes"), kind=Kind.BUTTON)
    with sessions() as session:
        assert session.get_one(Case, theirs).consent is None


def test_who_cries_again_is_asked_again_only_where_it_got_worse_and_they_have_not_said_yes(
    talk: Talk, helper: str, sessions: sessionmaker[Session]
) -> None:
    assert len(talk.turn(cries("urgent.homeless_tonight"), "one")) == 2
    assert len(talk.turn(cries("urgent.homeless_tonight"), "two")) == 1
    assert len(talk.turn(cries("urgent.danger"), "three")) == 2
    talk.turn(YES, "yes")
    assert len(talk.turn(cries("urgent.medical"), "four")) == 1


def test_without_staff_nobody_is_asked_and_a_case_is_kept_for_the_figures(
    talk: Talk, sessions: sessionmaker[Session]
) -> None:
    assert len(talk.turn(cries(), "he beats me")) == 1
    assert the_case(sessions).kind == "urgent.abuse"


def test_who_writes_a_language_for_emergencies_only_is_asked_in_the_default_one(
    talk: Talk, helper: str, content: Content, sessions: sessionmaker[Session]
) -> None:
    question = talk.turn(cries(native="ro"), "ajutor")[1]
    assert question["language"] == "en"
    assert the_case(sessions).language == "ro"


def claim(service: Service, content: Content, helper: str) -> Desk:
    desk = Desk(lambda: content)
    with service.sessions.begin() as session:
        desk.claim(session, session.query(Case).one().id, helper, now=NOW)
    return desk


def test_answering_a_helper_who_said_hello_counts_as_yes_and_nothing_before_does(
    talk: Talk, helper: str, service: Service, content: Content, sessions: sessionmaker[Session]
) -> None:
    talk.turn(cries(), "he beats me")
    desk = claim(service, content, helper)
    with sessions() as session:
        told = outbox.after(session, talk.id)[-1].reply["text"]
    assert told == content.phrases["en"].phrases["staff.here.unread"]
    talk.turn(cries(), "are you there?", now=NOW + timedelta(minutes=1))
    assert the_case(sessions).consent is None  # nobody has said a word
    with sessions.begin() as session:
        desk.say(session, the_case(sessions).id, helper, "I am Ann.", now=NOW + timedelta(minutes=2))
    assert staff_see(sessions)[0] == ["I am Ann."]
    talk.turn(cries(), "good, hello", now=NOW + timedelta(minutes=3))
    found = the_case(sessions)
    assert (found.consent, found.consent_at) == (Consent.YES, NOW + timedelta(minutes=3))
    assert {"he beats me", "good, hello"} <= set(staff_see(sessions)[0])


def test_who_said_no_and_writes_on_keeps_what_they_wrote_before_to_themselves(
    talk: Talk, helper: str, service: Service, content: Content, sessions: sessionmaker[Session]
) -> None:
    talk.turn(cries(), "he beats me")
    talk.turn(NO, "no")
    desk = claim(service, content, helper)
    case = the_case(sessions).id
    with sessions.begin() as session:
        assert outbox.after(session, talk.id)[-1].reply["text"] == content.phrases["en"].phrases["staff.here.refused"]
        desk.say(session, case, helper, "I am Ann.", now=NOW + timedelta(minutes=1))
    talk.turn(cries(), "hello Ann", now=NOW + timedelta(minutes=2))
    assert the_case(sessions).consent == Consent.NO
    assert staff_see(sessions) == (["I am Ann.", "hello Ann"], None)
    (reply,) = talk.turn(None, button(case, "yes"), kind=Kind.BUTTON, now=NOW + timedelta(minutes=3))
    assert reply["text"] == content.phrases["en"].phrases["consent.yes.here"]
    assert "he beats me" in staff_see(sessions)[0]


def test_who_said_no_keeps_what_they_write_to_the_bot_afterwards_to_themselves(
    talk: Talk, helper: str, service: Service, content: Content, sessions: sessionmaker[Session]
) -> None:
    talk.turn(cries(), "he beats me")
    talk.turn(NO, "no")
    desk = claim(service, content, helper)
    case = the_case(sessions).id
    with sessions.begin() as session:
        desk.say(session, case, helper, "I am Ann.", now=NOW + timedelta(minutes=1))
    talk.turn(cries(), "hello Ann", now=NOW + timedelta(minutes=2))
    with sessions.begin() as session:
        desk.say(session, case, helper, "Goodbye.", now=NOW + timedelta(minutes=3))
        desk.hand_back(session, case, helper, now=NOW + timedelta(minutes=3))
    answer = Scripted(Reply(language="en", text="about abortion"))
    assert len(talk.turn(answer, "I am pregnant", now=NOW + timedelta(minutes=4))) == 1
    told = content.phrases["en"].phrases["staff.back"]
    assert staff_see(sessions) == (["I am Ann.", "hello Ann", "Goodbye.", told], None)


def test_a_no_to_what_a_helper_asks_takes_no_consent_back(
    talk: Talk, helper: str, service: Service, content: Content, sessions: sessionmaker[Session]
) -> None:
    talk.turn(cries(), "he beats me")
    desk = claim(service, content, helper)
    with sessions.begin() as session:
        desk.say(session, the_case(sessions).id, helper, "Are you hurt?", now=NOW + timedelta(minutes=1))
    assert talk.turn(NO, "no", now=NOW + timedelta(minutes=2)) == []
    assert the_case(sessions).consent == Consent.YES


def test_a_yes_while_a_helper_is_silent_yet_is_a_yes_to_the_question(
    talk: Talk, helper: str, service: Service, content: Content, sessions: sessionmaker[Session]
) -> None:
    talk.turn(cries(), "he beats me")
    claim(service, content, helper)
    (reply,) = talk.turn(YES, "yes")
    assert reply["text"] == content.phrases["en"].phrases["consent.yes.here"]
    assert the_case(sessions).consent == Consent.YES
