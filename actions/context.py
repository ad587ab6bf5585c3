"""What an action knows when it runs: the tracker, the content, the language and the moment; and the base class of all actions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, FollowupAction, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.buttons import language_button
from actions.content import store
from actions.reply import Button, Reply
from knowledge.files import GROUPS, Content

DEFAULT_LANGUAGE = "en"


@dataclass(frozen=True)
class Context:
    """One turn, as an action sees it."""

    tracker: Tracker
    content: Content
    language: str
    now: datetime

    @property
    def phrases(self) -> Mapping[str, str]:
        """The bot's own sentences in the language of the conversation."""
        return self.content.phrases[self.language].phrases

    @property
    def native(self) -> str | None:
        """The language that the person wrote where we have it for emergencies only; None where theirs is served."""
        native = self.tracker.get_slot("native")
        return native if native in self.content.emergency else None

    @property
    def topic(self) -> str | None:
        """The topic that was answered last."""
        topic = self.tracker.get_slot("topic")
        return topic if topic in self.content.topics else None

    @property
    def group(self) -> str | None:
        """For whom the answers are, one of `GROUPS`: as just said, or as remembered; None where that is not known."""
        known = self.tracker.latest_message.get("group") or self.tracker.get_slot("group")
        return known if known in GROUPS else None

    @property
    def text(self) -> str:
        """What the person wrote; empty for a button."""
        text = str(self.tracker.latest_message.get("text") or "")
        return "" if text.startswith("/") else text

    def entity(self, name: str) -> str | None:
        """The value of an entity of this message, or None."""
        return next((str(value) for value in self.tracker.get_latest_entity_values(name)), None)

    def button(self, key: str, payload: str | None = None) -> Button:
        """A button with the label `button.<key>` that sends the intent `key`, or another payload."""
        return Button(label=self.phrases[f"button.{key}"], payload=payload or f"/{key}")


class ReplyAction(Action, ABC):
    """An action that says one thing. `name()` is what the domain calls it."""

    action_name: str

    def name(self) -> str:
        """The name in the domain."""
        return self.action_name

    @abstractmethod
    def reply(self, context: Context) -> tuple[Reply, dict[str, Any]]:
        """What to say, and the slots to set."""

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Mapping[str, Any]) -> list[EventType]:
        """Say the reply: the text for plain consoles, the whole of it as data for our channels."""
        context = context_of(tracker)
        reply, slots = self.reply(context)
        slots = {"group": context.group, **slots} if context.group else slots
        if not reply.is_urgent:
            reply, asked = _about_language(context, reply)
            slots |= asked
        dispatcher.utter_message(text=reply.text, json_message=reply.model_dump(mode="json"))
        # Each rule ends here: said so, Rasa need not look through them all for what comes next.
        return [*(SlotSet(name, value) for name, value in slots.items()), FollowupAction("action_listen")]


def _about_language(context: Context, reply: Reply) -> tuple[Reply, dict[str, Any]]:
    """The same reply, with a word on the language where that is in doubt, and the slots to set.

    Where it changed by itself this turn the reply says so in both, with the way back. Where it may as well be another, both
    are offered; once a conversation, since a question on every turn is worse than a wrong guess.
    """
    if context.language != reply.language:
        return reply, {}
    before = str((context.tracker.latest_message.get("metadata") or {}).get("language"))
    alternative = str((context.tracker.latest_message.get("language") or {}).get("alternative"))
    phrases = context.content.phrases
    if before in phrases and before != context.language:
        notice = f"{context.phrases['language.noticed']} {phrases[before].phrases['language.back']}"
        back = language_button(context.content, before)
        return reply.model_copy(update={"notice": notice, "buttons": (*_without(reply, back), back)}), {}
    if alternative in phrases and not context.tracker.get_slot("language_asked"):
        notice = f"{context.phrases['language.ask']} {phrases[alternative].phrases['language.ask']}"
        both = tuple(language_button(context.content, code) for code in (context.language, alternative))
        buttons = (*both, *_without(reply, *both))
        return reply.model_copy(update={"notice": notice, "buttons": buttons}), {"language_asked": True}
    return reply, {}


def _without(reply: Reply, *buttons: Button) -> tuple[Button, ...]:
    """The buttons of a reply but those: a menu of languages has them, too."""
    return tuple(button for button in reply.buttons if button not in buttons)


def context_of(tracker: Tracker, *, now: datetime | None = None) -> Context:
    """The context of the tracker's latest message."""
    content = store().current().content
    language = tracker.get_slot("language")
    if language not in content.phrases:
        language = DEFAULT_LANGUAGE
    return Context(tracker, content, language, now or datetime.now(UTC))
