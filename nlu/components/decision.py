"""The decision in Rasa's graph: commands first, then urgency, then how sure the topic is."""

from __future__ import annotations

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.shared.nlu.constants import ENTITIES, INTENT, METADATA, TEXT
from rasa.shared.nlu.training_data.message import Message

from knowledge.files import load as load_content
from knowledge.places import POSTCODE
from nlu import commands
from nlu.components.topics import APART
from nlu.components.untrained import UntrainedComponent
from nlu.decision import Decision, decide
from nlu.topics import Guess
from nlu.urgency import Level, Urgency

LONGEST_PLACE_WORDS = 5  # "2511 BT Den Haag", "I live near Venlo": what answers "where are you?"
SURE_OF_ANOTHER = 0.8  # "and how do I get a DigiD?" is about DigiD
INTENT_OF = {Decision.CLARIFY: "clarify", Decision.FALLBACK: "nlu_fallback"}


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=False)
class AnswerDecision(UntrainedComponent):
    """Sets `decision` and the intent that the rules act on; the ranking stays the topic model's."""

    def __init__(self) -> None:
        self._commands = commands.load()
        content = load_content()[0]
        self._emergency_only = frozenset(content.emergency)
        self._desks_topics = content.desks_topics

    def process(self, messages: list[Message]) -> list[Message]:
        """Decide each message."""
        for message in messages:
            text = str(message.get(TEXT) or "")
            if not text.startswith("/"):
                self._decide(message, text)
        return messages

    def _decide(self, message: Message, text: str) -> None:
        ranking = [Guess(entry["name"], entry["confidence"]) for entry in message.get("intent_ranking")]
        found = message.get("urgency")
        urgency = Urgency(found["label"], Level(found["level"]), tuple(found["also"])) if found else None
        # What has no word in it ("?", "12") tells no topic, whatever its characters remind the model of.
        has_word = any(map(str.isalpha, text))
        decision = decide(ranking if has_word else [], urgency, is_about_two=bool(message.get(APART)))
        command = self._commands.intent(text)
        if decision is Decision.URGENT and urgency is not None:
            intent = {"name": urgency.label, "confidence": 1.0}
        elif self._commands.only_group(text) is not None:
            decision, intent = Decision.ANSWER, {"name": "who_i_am", "confidence": 1.0}
        elif command is not None:
            decision, intent = Decision.ANSWER, {"name": command, "confidence": 1.0}
        elif self._is_follow_up(message, text, decision, ranking[0]):
            decision, intent = Decision.ANSWER, {"name": "follow_up", "confidence": 1.0}
            message.set("asked_for", {"kind": self._commands.asks_for(text, _language(message))}, add_to_output=True)
        elif self._is_not_served(message):
            decision, intent = Decision.FALLBACK, {"name": "language_not_yet", "confidence": 1.0}
        elif _asks_for_desk(message, text, decision, is_about_desks=ranking[0].label in self._desks_topics):
            decision, intent = Decision.ANSWER, {"name": "desks", "confidence": 1.0}
        else:
            likeliest = {"name": ranking[0].label, "confidence": ranking[0].confidence}
            likeliest["name"] = _intent(decision, ranking[0].label)
            intent = likeliest
        if (group := self._commands.only_group(text) or self._commands.group(text)) is not None:
            message.set("group", group, add_to_output=True)
        if intent["name"] == "change_language":
            self._name_language(message, text)
        message.set("decision", str(decision), add_to_output=True)
        message.set(INTENT, intent, add_to_output=True)

    def _is_follow_up(self, message: Message, text: str, decision: Decision, likeliest: Guess) -> bool:
        """Whether a message goes on about the topic that was answered last: "and if I am 19?", "how much?"."""
        if not (message.get(METADATA) or {}).get("topic") or not any(map(str.isalpha, text)):
            return False
        if self._commands.goes_on(text, _language(message)):
            return likeliest.confidence < SURE_OF_ANOTHER
        return decision is not Decision.ANSWER and self._commands.asks_for(text, _language(message)) is not None

    def _is_not_served(self, message: Message) -> bool:
        found = message.get("language") or {}
        return found.get("code") in self._emergency_only or found.get("beyond") is not None

    def _name_language(self, message: Message, text: str) -> None:
        code = self._commands.language(text)
        if code is not None:
            named = {"entity": "language", "value": code, "start": 0, "end": len(text), "confidence": 1.0}
            message.set(ENTITIES, [*(message.get(ENTITIES) or []), named], add_to_output=True)


def _language(message: Message) -> str:
    return str((message.get("language") or {}).get("code"))


def _asks_for_desk(message: Message, text: str, decision: Decision, *, is_about_desks: bool) -> bool:
    names_place = any(entity["entity"] == "place" for entity in message.get(ENTITIES) or []) or bool(
        POSTCODE.search(text)
    )
    was_asked = (message.get(METADATA) or {}).get("asked") == "desks"
    if was_asked and len(text.split()) <= LONGEST_PLACE_WORDS:
        return names_place or decision is not Decision.ANSWER
    return names_place and decision is Decision.ANSWER and is_about_desks


def _intent(decision: Decision, likeliest: str) -> str:
    if decision is Decision.FALLBACK and likeliest == "out_of_scope":
        return likeliest
    return INTENT_OF.get(decision, likeliest)
