"""Entities in Rasa's graph: gazetteers on spaCy tokens, amounts and dates by pattern."""

from __future__ import annotations

from dataclasses import asdict

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.nlu.extractors.extractor import EntityExtractorMixin
from rasa.shared.nlu.constants import ENTITIES, TEXT
from rasa.shared.nlu.training_data.message import Message

from knowledge.files import load as load_content
from nlu.components.untrained import UntrainedComponent
from nlu.documents import ANY_LANGUAGE, pipeline
from nlu.entities import Gazetteers, figures


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class GazetteerEntityExtractor(UntrainedComponent, EntityExtractorMixin):
    """Adds places, countries, sectors, amounts and dates to the entities."""

    def __init__(self) -> None:
        # One pipeline for all languages: names are names, and sixteen vocabularies would cost memory for nothing.
        self._gazetteers = Gazetteers(pipeline(ANY_LANGUAGE), load_content()[0].languages)

    def process(self, messages: list[Message]) -> list[Message]:
        """Find the entities of each message."""
        for message in messages:
            text = str(message.get(TEXT) or "")
            if text.startswith("/"):
                continue
            found = [*self._gazetteers.find(text), *figures(text)]
            entities = [{"entity": e.kind, **{k: v for k, v in asdict(e).items() if k != "kind"}} for e in found]
            for entity in entities:
                entity["extractor"] = type(self).__name__
            message.set(ENTITIES, [*(message.get(ENTITIES) or []), *entities], add_to_output=True)
        return messages
