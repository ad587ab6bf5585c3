"""The language of the conversation: kept up to date each turn, and changed on request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.buttons import language_buttons
from actions.content import store
from actions.context import Context, ReplyAction
from actions.emergency import in_emergencies_only, number_of
from actions.reply import Button, Reply


class ActionLanguage(Action):
    """Fills the slot `language` from what the language component found; Rasa runs it before each prediction."""

    def name(self) -> str:
        """The name in the domain."""
        return "action_language"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Mapping[str, Any]) -> list[EventType]:
        """Take over the message's language; a button has none and leaves the slots as they are."""
        code = (tracker.latest_message.get("language") or {}).get("code")
        content = store().current().content
        if code in content.phrases:
            return [SlotSet("language", code), SlotSet("native", None)]
        return [SlotSet("native", code)] if code in content.emergency else []


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
        return reply, {"language": wanted, "native": None, "lost": 0}


class ActionLanguageNotYet(ReplyAction):
    """Says in the person's language, where we have the words, that it is not served yet; what is, and whom to call in danger."""

    action_name = "action_language_not_yet"

    def reply(self, context: Context) -> tuple[Reply, dict[str, Any]]:
        """In their language at the tier `emergency`; of other languages the sentence stands in the conversation's."""
        if context.native is not None:
            return in_emergencies_only(context.content, context.native), {"lost": 0, "asked": None}
        line = context.phrases["urgent.possible"].format(phone=number_of(context.content, None))
        reply = _ask(context, "language.unsupported").model_copy(update={"warnings": (line,)})
        return reply, {"lost": 0, "asked": None}


def _ask(context: Context, phrase: str) -> Reply:
    return Reply(
        language=context.language,
        text=context.phrases[phrase],
        buttons=language_buttons(context.content, context.language),
    )
