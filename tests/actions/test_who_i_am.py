"""For whom an answer is: asked once and below the answer, remembered, said in words, changed."""

from __future__ import annotations

import pytest

from actions.reply import Reply
from knowledge import answers
from knowledge.files import GROUPS, Content
from nlu.commands import load as load_commands
from tests.actions.test_conversation import Talk, payloads, talk
from tests.conftest import NOW

__all__ = ["talk"]
QUESTION = "how do i find a job"
TOPIC = "work.jobs"


def press_group(talk: Talk, group: str) -> Reply:
    return talk.press(f'/who_i_am{{"group":"{group}"}}')


def items(reply: Reply) -> str:
    return " ".join(item for section in reply.sections for item in section.items)


@pytest.mark.parametrize("group", GROUPS)
def test_the_same_question_gets_the_answer_for_whoever_asks(talk: Talk, content: Content, group: str) -> None:
    asked = talk.say(QUESTION)
    assert (asked.topic, asked.question) == (TOPIC, content.phrases["en"].phrases["group.ask"])
    assert (
        asked.text == answers.answer(content, TOPIC, "en", now=NOW).short
    )  # the answer itself stands before the question
    press_group(talk, group)
    reply = talk.say(QUESTION)
    own = {name: answers.answer(content, TOPIC, "en", now=NOW, group=name).for_you for name in GROUPS}
    assert own[group][0] in items(reply)
    assert not any(line in items(reply) for name in GROUPS if name != group for line in own[name])
    assert content.phrases["en"].phrases[f"group.stands.{group}"] in str(reply.note)
    assert reply.question is None
    everything = items(talk.say("tell me more"))
    assert all(line in everything for line in own[group])
    assert content.phrases["en"].phrases["group.other"] not in everything


def test_it_is_asked_once_and_lines_for_others_stay_marked(talk: Talk, content: Content) -> None:
    assert talk.press(f"/{TOPIC}").question
    assert talk.press(f"/{TOPIC}").question is None
    more = talk.say("tell me more")
    assert more.question is None
    assert content.phrases["en"].phrases["group.eu"] in items(more)


def test_who_would_rather_not_say_is_not_asked_again(talk: Talk, content: Content) -> None:
    talk.press(f"/{TOPIC}")
    assert press_group(talk, "unsaid").text == content.phrases["en"].phrases["group.unsaid"]
    again = talk.press(f"/{TOPIC}")
    assert (again.question, again.topic) == (None, TOPIC)


def test_nothing_is_asked_where_nothing_differs_or_somebody_may_be_in_danger(talk: Talk, content: Content) -> None:
    alike = next(name for name in content.topics if not answers.answer(content, name, "en", now=NOW).differs)
    assert talk.press(f"/{alike}").question is None
    assert talk.press("/urgent.danger").question is None
    assert talk.slots["group"] is None


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("I am from Ukraine", "ukraine"),
        ("jestem z Polski", "eu"),
        ("mam ochronę czasową", "ukraine"),
        ("ik kom uit Turkije", "other"),
        ("я з Польщі", "eu"),
        ("nie jestem z UE", "other"),
    ],
)
def test_it_can_be_said_in_words_and_never_changes_the_topic(talk: Talk, text: str, group: str) -> None:
    talk.press("/care.gp")
    assert talk.say(text).topic in (None, "care.gp")
    assert (talk.slots["group"], talk.slots["topic"]) == (group, "care.gp")


def test_it_can_be_said_within_a_question(talk: Talk, content: Content) -> None:
    reply = talk.say("I'm from Ukraine, can i drive here with my driving licence?")
    assert (reply.topic, talk.slots["group"], reply.question) == ("info.driving", "ukraine", None)
    assert answers.answer(content, "info.driving", "en", now=NOW, group="ukraine").for_you[0] in items(reply)


@pytest.mark.parametrize(
    "text", ["my boss is from Poland", "temporary protection", "nie jestem z Polski", "he is an EU citizen", "other"]
)
def test_what_is_said_of_somebody_else_is_nobodys_group(text: str) -> None:
    commands = load_commands()
    assert (commands.only_group(text), commands.group(text)) == (None, None)


def test_the_language_that_somebody_writes_decides_nothing(talk: Talk) -> None:
    reply = talk.say("як знайти роботу в Нідерландах")
    assert (reply.language, reply.topic) == ("uk", TOPIC)
    assert reply.question
    assert talk.slots["group"] == "asked"


def test_a_stale_press_works_and_it_can_be_changed(talk: Talk) -> None:
    talk.press(f"/{TOPIC}")
    talk.press("/care.gp")
    assert "/who_i_am" in payloads(press_group(talk, "eu"))
    assert talk.slots["topic"] == "care.gp"
    assert "/who_i_am" in payloads(talk.press(f"/{TOPIC}"))
    assert '/who_i_am{"group":"ukraine"}' in payloads(talk.press("/who_i_am"))
    assert press_group(talk, "ukraine").topic == TOPIC
    assert talk.slots["group"] == "ukraine"


def test_what_is_remembered_is_told_and_a_made_up_group_is_not_remembered(talk: Talk, content: Content) -> None:
    label = content.phrases["en"].phrases["button.group.eu"]
    assert label not in talk.say("is this anonymous?").text
    press_group(talk, "martian")
    assert talk.slots["group"] is None
    press_group(talk, "eu")
    privacy = talk.say("is this anonymous?")
    assert label in privacy.text
    assert "/who_i_am" in payloads(privacy)
