"""The language of the conversation: kept up to date each turn, and changed on request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.content import store
from actions.context import Context, ReplyAction, language_button
from actions.reply import Button, Reply


class ActionLanguage(Action):
    """Fills the slot `language` from what the language component found; Rasa runs it before each prediction."""

    def name(self) -> str:
        """The name in the domain."""
        return "action_language"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Mapping[str, Any]) -> list[EventType]:
        """Take over the message's language; a button has none and leaves the slot as it is."""
        found = tracker.latest_message.get("language") or {}
        code = found.get("code")
        return [SlotSet("language", code)] if code in store().current().content.phrases else []


class ActionChangeLanguage(ReplyAction):
    """Another language: the one that was named, or all of them to choose from."""

    action_name = "action_change_language"

    def reply(self, context: Context) -> tuple[Reply, dict[str, Any]]:
        """Say so in the new language; ask where none that we speak was named."""
        wanted = context.entity("language")
        if wanted is None:
            return _ask(context, "language.ask"), {"lost": 0}
        if wanted not in context.content.phrases:
            return _ask(context, "language.unsupported"), {"lost": 0}
        there = Context(context.tracker, context.content, wanted, context.now)
        again = (Button(label=there.phrases["button.more"], payload=f"/{context.topic}"),) if context.topic else ()
        reply = Reply(language=wanted, text=there.phrases["language.switched"], buttons=(*again, there.button("menu")))
        return reply, {"language": wanted, "lost": 0}


def language_buttons(context: Context) -> tuple[Button, ...]:
    """A button for every other language that we speak, each by its own name."""
    return tuple(language_button(context, code) for code in context.content.phrases if code != context.language)


def _ask(context: Context, phrase: str) -> Reply:
    return Reply(language=context.language, text=context.phrases[phrase], buttons=language_buttons(context))
