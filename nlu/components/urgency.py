"""The urgency detector in Rasa's graph: sets `urgency` where somebody may be in danger."""

from __future__ import annotations

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.shared.nlu.constants import TEXT
from rasa.shared.nlu.training_data.message import Message

from knowledge.files import load as load_content
from nlu import urgency
from nlu.components.topics import BY_WORDS, PROBABILITIES
from nlu.components.untrained import UntrainedComponent


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=False)
class UrgencyDetector(UntrainedComponent):
    """Sets `urgency` to kind and level; nothing where nobody is in danger."""

    def __init__(self) -> None:
        content, _ = load_content()
        self._rules = urgency.rules_of(content.urgency)
        self._learned = frozenset(content.languages)

    def process(self, messages: list[Message]) -> list[Message]:
        """Judge each message by phrases and by the topic model's probabilities."""
        for message in messages:
            text = str(message.get(TEXT) or "")
            if text.startswith("/"):
                continue
            known = message.get(PROBABILITIES) or {}
            kinds = {label: p for label, p in known.items() if label.startswith(urgency.PREFIX)}
            possible = urgency.POSSIBLE if self._is_learned(message) else urgency.POSSIBLE_UNLEARNED
            found = urgency.decide(self._rules, kinds, text, possible=possible)
            if found is not None:
                value = {"label": found.label, "level": str(found.level), "also": list(found.also)}
                message.set("urgency", value, add_to_output=True)
        return messages

    def _is_learned(self, message: Message) -> bool:
        """Whether the topic model had examples in the message's language, and all that it was trained with."""
        language = message.get("language") or {}
        return language.get("code") in self._learned and not language.get("beyond") and not message.get(BY_WORDS)
