"""Every answer in every language fits the messengers' limits, and nothing of it is cut."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher
from telegram import InlineKeyboardMarkup, ReplyKeyboardMarkup

from actions.answer import first_answer, with_urgent_offer
from actions.content import use_store
from actions.context import Context, ReplyAction
from actions.data import ActionPrivacy
from actions.emergency import help_for, in_emergencies_only
from actions.follow_ups import ActionMore, ActionSources, ActionSteps, ActionWhoHelps
from actions.language import ActionChangeLanguage
from actions.menu import ActionArea, ActionGreet, ActionHuman, ActionMenu
from actions.reply import Reply
from bot.channels import telegram, whatsapp
from bot.channels.render import blocks, split
from bot.frozen import FrozenPath
from knowledge import answers
from knowledge.files import GROUPS, Content
from knowledge.store import in_memory
from tests.bot.channels.servers import is_as_published
from tests.conftest import NOW


def replies(content: Content) -> Iterator[Reply]:
    use_store(in_memory(content))
    for language in content.languages:
        tracker = Tracker("x", {}, {"intent": {"name": "x"}, "text": ""}, [], False, None, {}, "x")
        context = Context(tracker, content, language, NOW)
        for topic in content.topics:
            answer = answers.answer(content, topic, language, now=NOW)
            for group in (None, *GROUPS):
                first, _ = first_answer(context, topic, group=group)
                yield first
                yield with_urgent_offer(context, first, "urgent.danger")
            for action in (ActionMore(), ActionSteps(), ActionWhoHelps(), ActionSources()):
                yield action.part(context, answer)
        for plain in (ActionGreet(), ActionMenu(), ActionHuman(), ActionChangeLanguage(), ActionPrivacy()):
            yield plain.reply(context)[0]
            yield from in_doubt_of_the_language(plain, content, language)
        for area in (*content.phrases[language].areas, "urgent"):
            entities = [{"entity": "area", "value": area}]
            asked = Tracker("x", {}, {"intent": {"name": "x"}, "entities": entities}, [], False, None, {}, "x")
            yield ActionArea().reply(Context(asked, content, language, NOW))[0]
    for language in content.known_languages:
        for topic in content.topics:
            if topic.startswith("urgent."):
                yield help_for(content, (topic,), language, now=NOW)
    for language in content.emergency:
        yield in_emergencies_only(content, language)
    yield from without_model(content)


def in_doubt_of_the_language(action: ReplyAction, content: Content, language: str) -> Iterator[Reply]:
    """What an action says where the language changed by itself, and where it may be another."""
    other = next(code for code in content.languages if code != language)
    for message in ({"metadata": {"language": other}}, {"language": {"alternative": other}}):
        said = {"intent": {"name": "x"}, "text": "", **message}
        dispatcher = CollectingDispatcher()
        action.run(dispatcher, Tracker("x", {"language": language}, said, [], False, None, {}, "x"), {})
        yield Reply.model_validate(dispatcher.messages[0]["custom"])


def without_model(content: Content) -> Iterator[Reply]:
    """What is said in every language where no model is asked."""
    frozen = FrozenPath(content)
    for code in content.known_languages:
        words = (content.phrases.get(code) or content.emergency[code]).stop
        yield from filter(None, (frozen.stopped(word, language=code, hint=None) for word in words))
        yield frozen.one_moment("", language=code, hint=None)
        yield frozen.slow_down("", language=code, hint=None)
        yield frozen.too_many("", language=code, hint=None)
        yield frozen.closed("", hint=code, url="https://wegwijs.example")
        for is_kept in (True, False):
            yield frozen.failed("", language=code, hint=None, now=NOW, is_kept=is_kept)


def test_no_two_buttons_of_a_reply_say_the_same(content: Content) -> None:
    doubled = []
    for reply in replies(content):
        labels = Counter(button.label for button in reply.buttons)
        doubled += [(reply.language, reply.topic, label) for label, times in labels.items() if times > 1]
    assert not doubled


def test_every_reply_fits_telegram(content: Content) -> None:
    for reply in replies(content):
        for payload in telegram.render(reply, location_label="Share"):
            plain = html.unescape(re.sub(r"</?b>", "", payload.text))
            assert 0 < len(plain) <= telegram.MAX_TEXT_CHARACTERS
        for button in reply.buttons:
            assert len(button.payload.encode()) <= telegram.MAX_CALLBACK_BYTES, button.payload


def test_an_answer_is_one_message_on_telegram(content: Content) -> None:
    for reply in replies(content):
        if reply.topic and reply.sections:
            assert len(telegram.render(reply, location_label="Share")) <= 2, (reply.topic, reply.language)


def test_every_reply_fits_whatsapp(content: Content) -> None:
    who = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": "31612345678"}
    for reply in replies(content):
        for message in whatsapp.render(reply, choose="Choose", location="Where are you?"):
            assert is_as_published({**who, **message}), (reply.topic, reply.language)


def test_no_button_of_a_reply_is_left_out(content: Content) -> None:
    most = 0
    for reply in replies(content):
        payloads = [button.payload for button in reply.buttons]
        assert [
            row["id"] for row in chosen(whatsapp.render(reply, choose="Choose", location="Where are you?"))
        ] == payloads
        markups = [payload.markup for payload in telegram.render(reply, location_label="Share")]
        rows = [row for markup in markups if isinstance(markup, InlineKeyboardMarkup) for row in markup.inline_keyboard]
        assert [row[0].callback_data for row in rows] == payloads
        assert any(isinstance(markup, ReplyKeyboardMarkup) for markup in markups) == reply.asks_location
        most = max(most, len(payloads))
    assert most > whatsapp.MOST_ROWS


def chosen(messages: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
    """The buttons and rows of WhatsApp messages."""
    for message in messages:
        action = message.get("interactive", {}).get("action", {})
        yield from (button["reply"] for button in action.get("buttons", ()))
        yield from (row for section in action.get("sections", ()) for row in section["rows"])


def test_nothing_is_cut(content: Content) -> None:
    for reply in replies(content):
        shown = " ".join(
            re.sub(r"</?b>", "", payload.text) for payload in telegram.render(reply, location_label="Share")
        )
        for part in (reply.text, *(item for section in reply.sections for item in section.items)):
            for word in html.escape(part.replace("**", "")).split():
                assert word in shown, (reply.topic, reply.language, word)


def test_in_danger_the_numbers_come_first(content: Content) -> None:
    reply = help_for(content, ("urgent.danger",), "en", now=NOW)
    assert blocks(reply)[1].startswith("📞 **112**")


def test_danger_comes_before_who_speaks() -> None:
    reply = Reply(language="en", text="an answer", notice="I'm a robot.", warnings=("In danger now? Call 112.",))
    assert blocks(reply) == ["⚠️ In danger now? Call 112.", "I'm a robot.", "an answer"]


@given(st.lists(st.text(min_size=1, max_size=400), min_size=1, max_size=8), st.integers(20, 200))
def test_splitting_loses_nothing_and_keeps_the_limit(parts: list[str], limit: int) -> None:
    messages = split(parts, limit)
    assert all(len(message) <= limit for message in messages)
    assert "".join("".join(messages).split()) == "".join("".join(parts).split())


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "a & b", "**bold** <i>", "**", "****"])
def test_telegram_takes_nothing_for_markup_but_our_bold(text: str) -> None:
    (payload,) = telegram.render(Reply(language="en", text=text))
    assert re.sub(r"</?b>", "", payload.text).count("<") == 0
