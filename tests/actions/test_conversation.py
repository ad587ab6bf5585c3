"""Whole conversations with the trained model: what people say, and what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from actions.answer import STEPS_SHOWN
from actions.content import use_store
from actions.reply import MAX_PAYLOAD_BYTES, Effect, Reply
from bot.assistant_port import Understood
from bot.inbox import Kind, Turn
from knowledge import answers
from knowledge.files import Content
from knowledge.store import in_memory
from tests.conftest import NOW


class Talk:
    """One conversation, with its slots kept from turn to turn as the worker keeps them."""

    def __init__(self, assistant: Any) -> None:
        self._assistant = assistant
        self.slots: dict[str, Any] = {}
        self.hint: str | None = None
        self.last: Reply
        self.understood: Understood | None = None

    def _turn(self, kind: Kind, body: str) -> Reply:
        turn = Turn(1, "test", kind, body, self.slots.get("language"), self.hint, self.slots, 1)
        outcome = asyncio.run(self._assistant.respond(turn))
        self.slots = dict(outcome.slots)
        self.understood = outcome.understood
        assert outcome.replies, f"nothing said to {body!r}"
        self.last = outcome.replies[-1]
        return self.last

    def say(self, text: str) -> Reply:
        return self._turn(Kind.TEXT, text)

    def press(self, payload: str) -> Reply:
        return self._turn(Kind.BUTTON, payload)

    def share(self, latitude: float, longitude: float) -> Reply:
        return self._turn(Kind.LOCATION, f"{latitude},{longitude}")


@pytest.fixture
def talk(assistant: Any, content: Content) -> Talk:
    use_store(in_memory(content))
    return Talk(assistant)


def payloads(reply: Reply) -> list[str]:
    return [button.payload for button in reply.buttons]


@pytest.mark.parametrize(("hint", "greeted"), [("pl", "pl"), ("uk", "uk"), ("ar", "en"), (None, "en")])
def test_who_begins_with_a_button_is_greeted_as_the_phone_is_set_and_may_write_anything(
    talk: Talk, hint: str | None, greeted: str
) -> None:
    talk.hint = hint
    assert talk.press("/greet").language == greeted
    assert talk.say("hoe hoog is het minimumloon per uur op dit moment?").language == "nl"
    assert talk.press("/menu").language == "nl"


def test_the_greeting_says_that_it_is_a_robot_and_offers_person_menu_and_languages(talk: Talk) -> None:
    first = talk.say("hello")
    assert "robot" in first.text
    assert {"/menu", "/human", '/language{"language":"pl"}'} <= set(payloads(first))
    assert talk.say("hello").text != first.text


@pytest.mark.parametrize(
    ("text", "language", "topic"),
    [
        ("how high is the minimum wage per hour?", "en", "work.minimum_wage"),
        ("hoe hoog is het minimumloon per uur?", "nl", "work.minimum_wage"),
        ("ile wynosi płaca minimalna za godzinę?", "pl", "work.minimum_wage"),
        ("яка мінімальна зарплата за годину?", "uk", "work.minimum_wage"),
        ("landlord does not give my deposit back", "en", "housing.deposit"),
        ("mijn baas heeft mijn loon niet betaald", "nl", "work.unpaid_wages"),
        ("nie mam ubezpieczenia zdrowotnego, czy muszę je mieć?", "pl", "care.insurance"),
    ],
)
def test_a_question_gets_the_curated_answer_in_its_language(talk: Talk, text: str, language: str, topic: str) -> None:
    reply = talk.say(text)
    assert (reply.language, reply.topic) == (language, topic)
    assert reply.sections[0].items
    assert reply.contacts
    assert reply.sources
    assert reply.text
    assert "{" not in reply.text


def test_everything_can_be_reached_by_buttons(talk: Talk, content: Content) -> None:
    menu = talk.press("/menu")
    seen = set()
    for area in payloads(menu):
        if area.startswith("/area"):
            for topic in payloads(talk.press(area)):
                assert len(topic.encode()) <= MAX_PAYLOAD_BYTES
                if "." in topic:
                    seen.add(topic[1:])
    assert seen == set(content.topics)
    assert talk.press("/care.gp").topic == "care.gp"


def test_follow_ups_stay_with_the_topic(talk: Talk) -> None:
    talk.say("how high is the minimum wage per hour?")
    assert talk.say("tell me more").topic == "work.minimum_wage"
    assert talk.say("who can help?").contacts
    assert talk.say("what is the source").sources
    again = talk.say("in dutch please")
    assert again.language == "nl"
    assert talk.press("/work.minimum_wage").language == "nl"


def test_a_follow_up_without_a_topic_shows_the_menu(talk: Talk) -> None:
    assert any(payload.startswith("/area") for payload in payloads(talk.say("who can help me")))


def test_the_language_changes_with_a_sentence_and_says_so_in_both(talk: Talk, content: Content) -> None:
    talk.say("hoe hoog is het minimumloon per uur?")
    reply = talk.say("moja agencja nie chce oddać mi kaucji za mieszkanie, co robić")
    assert reply.language == "pl"
    assert reply.notice is not None
    assert content.phrases["nl"].phrases["language.back"] in reply.notice
    assert '/language{"language":"nl"}' in payloads(reply)
    assert talk.say("ok").language == "pl"


def test_a_language_that_is_not_spoken_yet_is_named_so(talk: Talk, content: Content) -> None:
    talk.say("hello")
    reply = talk.say("can you speak lithuanian?")
    assert reply.text == content.phrases["en"].phrases["language.unsupported"] or reply.language == "lt"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("help he is beating me he has a knife", "urgent.danger"),
        ("mijn collega ademt niet meer", "urgent.medical"),
        ("nie chcę już żyć, mam tabletki", "urgent.suicide"),
        ("szef zabrał mi paszport i zamyka nas na noc", "urgent.exploitation"),
        ("нас вигнали на вулицю, немає де ночувати сьогодні", "urgent.homeless_tonight"),
    ],
)
def test_an_urgent_message_gets_the_helpline_first(talk: Talk, text: str, kind: str) -> None:
    talk.say("how do I get a digid")
    reply = talk.say(text)
    assert reply.is_urgent
    assert reply.topic == kind
    assert reply.contacts[0].phone or reply.contacts[1].phone
    assert len(reply.text) <= 300


def test_in_doubt_it_asks_and_it_never_loops(talk: Talk) -> None:
    texts = [talk.say("asdf qwer zxcv").text for _ in range(4)]
    assert talk.last.contacts
    assert "/menu" in payloads(talk.last)
    assert texts[0] != texts[1]


def test_the_nearest_desks(talk: Talk) -> None:
    asked = talk.press("/registration.rni_desks")
    assert asked.asks_location
    found = talk.say("Venlo")
    assert len(found.contacts) == 3
    assert len(found.links) == 3
    assert "Venlo" in found.contacts[0].name
    talk.press("/desks")
    assert "openstreetmap" in talk.share(52.37, 4.90).links[0].url
    talk.press("/desks")
    assert talk.say("xyzzyq").asks_location


def test_what_the_government_promised(talk: Talk) -> None:
    reply = talk.say("what did the government promise about agencies?")
    text = " ".join(item for section in reply.sections for item in section.items)
    assert "2027" in text
    every = talk.press("/measures")
    assert sum(payload.startswith("/measures{") for payload in payloads(every)) == 14
    one = talk.press('/measures{"measure":"good_landlord"}')
    assert "2023" in one.sections[0].items[1]


def test_deleting_asks_first(talk: Talk) -> None:
    assert "/affirm" in payloads(talk.say("delete my data"))
    assert talk.say("no").effect is None
    talk.say("delete my data")
    assert talk.say("yes").effect is Effect.DELETE_DATA


@pytest.mark.parametrize(("wish", "yes"), [("i want to talk to a real person", "yes"), ("ik wil een mens", "ja graag")])
def test_yes_to_a_person_asks_for_one_and_a_stale_yes_does_not(talk: Talk, wish: str, yes: str) -> None:
    assert talk.say(wish).effect is Effect.OFFER_PERSON
    talk.slots["asked"] = "person"  # the service asks it, where there are staff
    assert talk.say(yes).effect is Effect.ASK_PERSON
    assert talk.say(yes).effect is None


@pytest.mark.parametrize(("answer", "effect"), [("yes", Effect.CONSENT), ("no", Effect.NO_CONSENT)])
def test_a_typed_answer_to_the_question_of_consent_is_one(talk: Talk, answer: str, effect: Effect) -> None:
    talk.say("hello")
    talk.slots["asked"] = "consent"  # the service asks it, below the numbers
    assert talk.say(answer).effect is effect
    assert talk.say(answer).effect is None


def test_no_to_a_person_keeps_the_numbers(talk: Talk, content: Content) -> None:
    talk.say("i want to talk to a real person")
    talk.slots["asked"] = "person"
    reply = talk.say("no")
    assert (reply.text, reply.effect) == (content.phrases["en"].phrases["human.no"], None)


def test_a_typed_slash_is_text(talk: Talk) -> None:
    reply = talk.say('/area{"area":"work"}')
    assert not any(payload == "/work.contract" for payload in payloads(reply)) or reply.topic is None


@pytest.mark.parametrize("text", ["?", "🤷", "a" * 2000, "👍", "12", "\u202e\u200f", "SELECT * FROM conversation"])
def test_whatever_comes_gets_an_answer(talk: Talk, text: str) -> None:
    assert talk.say(text).text


def test_every_service_message_has_its_reply(talk: Talk) -> None:
    say: Callable[[str], Reply] = talk.say
    assert say("are you a robot?").text
    assert say("is this anonymous?").buttons
    assert say("i want to talk to a real person").contacts
    assert say("what is the weather tomorrow in spain").topic is None


@pytest.mark.parametrize(
    ("question", "follow_up", "topic", "figure"),
    [
        ("how high is the minimum wage per hour?", "and if I am 19?", "work.minimum_wage", "19"),
        ("ile wynosi płaca minimalna za godzinę?", "a jeśli mam 19 lat?", "work.minimum_wage", "19"),
        ("landlord does not give my deposit back", "how long?", "housing.deposit", ""),
        ("mijn huisbaas geeft de borg niet terug", "en hoeveel?", "housing.deposit", ""),
    ],
)
def test_a_question_that_goes_on_stays_with_the_topic(
    talk: Talk, question: str, follow_up: str, topic: str, figure: str
) -> None:
    talk.say(question)
    reply = talk.say(follow_up)
    assert reply.topic == topic
    assert figure in reply.text.splitlines()[0]


def test_a_question_about_something_else_does_not(talk: Talk) -> None:
    talk.say("how high is the minimum wage per hour?")
    assert talk.say("and how do i get a digid").topic == "digid.apply"


def test_what_a_message_was_taken_for_is_told_with_a_number_only_where_the_model_decided(talk: Talk) -> None:
    talk.say("how high is the minimum wage?")
    assert (talk.understood.label, talk.understood.decision) == ("work.minimum_wage", "answer")
    assert 0.45 <= talk.understood.confidence <= 1
    talk.say("he has a knife and wants to kill me")
    assert talk.understood == Understood("urgent.danger", None, "urgent")
    talk.say("menu")
    assert talk.understood == Understood("menu", None, "answer")
    talk.say("qwrt zxcv")
    assert talk.understood.decision == "fallback"
    talk.press("/menu")
    assert talk.understood is None


def test_a_number_picks_the_button_that_was_offered(talk: Talk) -> None:
    menu = talk.press("/menu")
    assert talk.say("2").text == talk.press(payloads(menu)[1]).text
    nothing_offered = Talk(talk._assistant)
    assert nothing_offered.say("1").topic is None


@pytest.mark.parametrize("text", ["0", "1", "?", "12345", "...", "👍"])
def test_what_has_no_word_gets_no_topic(talk: Talk, text: str) -> None:
    assert talk.say(text).topic is None


@pytest.mark.parametrize("between", ["thank you", "hello", "tell me more", "in dutch please", "how do i get a digid"])
def test_a_stale_yes_deletes_nothing(talk: Talk, between: str) -> None:
    talk.say("delete my data")
    talk.say(between)
    assert talk.say("yes").effect is None


@pytest.mark.parametrize(
    "payload",
    ["/nonexistent", "/restart", "/session_start", "/back", "/work.gone", "/clarify", '/area{"area":', "/area{}"],
)
def test_a_button_that_is_not_there_gets_one_friendly_answer(talk: Talk, payload: str, content: Content) -> None:
    reply = talk.press(payload)
    assert any(button.startswith("/area") for button in payloads(reply))


@pytest.mark.parametrize("text", ["/\t/restart", "\u2003/restart", "/ /work.contract", "\ufeff/menu", "//area"])
def test_no_typed_text_runs_as_an_intent(talk: Talk, text: str) -> None:
    assert talk.say(text).text
    assert talk.slots["topic"] != "work.contract"


def test_who_is_not_understood_twice_is_not_asked_for_a_place_again(talk: Talk) -> None:
    talk.press("/registration.rni_desks")
    for _ in range(3):
        reply = talk.say("xyzzyq")
    assert not reply.asks_location


@pytest.mark.parametrize("text", ["Kowalski", "Jan Kowalski", "Eindhoven"])
def test_a_bare_name_is_not_asked_for_its_language(talk: Talk, text: str) -> None:
    assert talk.say(text).notice is None


def test_a_language_for_emergencies_only_is_told_so_in_it_and_can_reach_help(talk: Talk, content: Content) -> None:
    for language, entry in content.emergency.items():
        person = Talk(talk._assistant)
        reply = person.say(next(text for text in entry_everyday(content, language) if len(text.split()) > 5))
        assert reply.language == language, (language, reply.language)
        assert entry.phrases["language.not_yet"] in reply.text
        assert "112" in reply.warnings[0]
        help_now = person.press("/urgent.medical")
        assert (help_now.language, help_now.is_urgent) == (language, True)
        assert person.press('/language{"language":"nl"}').language == "nl"
        assert person.press("/menu").language == "nl"


def entry_everyday(content: Content, language: str) -> tuple[str, ...]:
    return content.urgency[language].everyday


def test_a_language_that_nobody_here_has_words_for_is_not_taken_for_another(talk: Talk) -> None:
    reply = talk.say("Min chef har ikke betalt min løn i to måneder, hvad kan jeg gøre nu")
    assert "112" in reply.warnings[0]
    assert '/language{"language":"nl"}' in payloads(reply)


def test_two_kinds_at_once_show_both_numbers(talk: Talk) -> None:
    reply = talk.say("my husband hits me and I want to kill myself")
    assert reply.topic == "urgent.suicide"
    assert {"113", "0800 2000"} <= {contact.phone for contact in reply.contacts}


def test_the_possible_line_names_the_number_of_its_kind(talk: Talk, content: Content) -> None:
    from actions.emergency import number_of

    assert number_of(content, "urgent.suicide") == "113"
    assert number_of(content, "urgent.danger") == "112"


def test_messages_read_together_are_understood_as_they_are_alone(assistant: Any, content: Content) -> None:
    texts = (
        "how high is the minimum wage",
        "szef nie płaci",
        "/greet",
        "де знайти лікаря",
        "my card lies with him",
        "?",
    )
    turns = [Turn(n, f"together-{n}", Kind.TEXT, text, None, None, {}, 1) for n, text in enumerate(texts)]
    pressed = Turn(9, "together-9", Kind.BUTTON, "/greet", None, None, {}, 1)
    read = asyncio.run(assistant.read([*turns, pressed]))
    assert [turn.parsed is not None for turn in read] == [True] * len(turns) + [False]
    for turn, alone in zip(read, [*turns, pressed], strict=True):
        together, apart = (asyncio.run(assistant.respond(one)) for one in (turn, alone))
        assert (together.understood, together.slots) == (apart.understood, apart.slots)
        assert together.replies == apart.replies


@pytest.mark.parametrize(
    "text",
    [
        "my boss hasn't paid my wages for two months. where can i find a family doctor?",
        "szef nie wypłacił mi pensji za dwa miesiące\njak zapisać się do lekarza rodzinnego",
    ],
)
def test_a_message_with_two_subjects_is_answered_and_the_other_one_offered(talk: Talk, text: str) -> None:
    reply = talk.say(text)
    assert {reply.topic, payloads(reply)[0].removeprefix("/")} == {"work.unpaid_wages", "care.gp"}


def test_a_message_about_one_thing_offers_no_other_before_its_own_buttons(talk: Talk) -> None:
    reply = talk.say("where can i find a family doctor")
    assert reply.topic == "care.gp"
    assert payloads(reply)[0] in ("/steps", "/more")


@pytest.mark.parametrize(
    ("section", "is_first"), [("details", True), ("exceptions", True), ("short", False), ("steps", False)]
)
def test_the_line_that_answers_just_what_was_asked_stands_first_where_it_could_not_be_seen(
    talk: Talk, content: Content, section: str, is_first: bool
) -> None:
    asked = [
        question
        for part, number, language, question in content.questions["work.holiday"].asked()
        if (part, language) == (section, "en") and (part != "steps" or number < STEPS_SHOWN)
    ]
    shown = answers.answer(content, "work.holiday", "en", now=NOW)
    first = [reply.text.partition("\n\n") for reply in map(talk.say, asked) if reply.topic == shown.topic]
    assert first
    for line, _, short in first:
        assert (line.strip("*") in getattr(shown, section)) if is_first else (line == shown.short)
        assert not is_first or short == shown.short
