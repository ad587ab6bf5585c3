"""The topic model in Rasa's graph: sets intent and ranking, and which known question of the topic means the same."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.shared.nlu.constants import INTENT, METADATA, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from nlu import encoder, encodings, lines, meaning, ngrams, topics, transliteration
from nlu.arrays import Floats
from nlu.components.encoder import MEANING, MeaningFeaturizer, available
from nlu.components.fingerprint import digest_of
from nlu.encodings import EncodingCache
from nlu.lines import KnownQuestion, LineModel
from nlu.topics import TopicModel
from nlu.transliteration import with_latin

FILE = "topics.npz"
LINES = "lines.npz"  # missing where the model was trained without the encoder
RANKING_LENGTH = 10
SHORTEST_QUESTION = 3  # words; less names a topic and asks nothing
PROBABILITIES = "label_probabilities"  # of every label, for the components that follow
APART = "subjects_apart"  # whether the first and the other subject have a sentence each
BY_WORDS = "by_words"  # whether these are of n-grams for want of an encoder
log = logging.getLogger(__name__)


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class NgramTopicClassifier(GraphComponent, IntentClassifier):
    """Ranks the topics, urgent kinds and service intents by likelihood."""

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """`encodings`: the file that keeps the examples' encodings for the next training; None keeps none."""
        return {"encodings": None}

    def __init__(
        self,
        config: dict[str, Any],
        storage: ModelStorage,
        resource: Resource,
        model: TopicModel | None = None,
        lines: LineModel | None = None,
    ) -> None:
        self._config = config
        self._storage = storage
        self._resource = resource
        self._model = model
        self._lines = lines

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> NgramTopicClassifier:
        """An untrained component."""
        return cls(config, model_storage, resource)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> NgramTopicClassifier:
        """The trained component; raises `ModelFileError` where its file is missing or refused."""
        with model_storage.read_from(resource) as folder:
            known = LineModel.load(folder / LINES) if (folder / LINES).exists() else None
            return cls(config, model_storage, resource, TopicModel.load(folder / FILE), known)

    @classmethod
    def fingerprint_addon(cls, config: dict[str, Any]) -> str | None:
        """The algorithm's files and what the encoder is made of, which Rasa's cache does not see."""
        files = (topics, lines, ngrams, meaning, encodings, transliteration)
        return f"{digest_of(*(str(module.__file__) for module in files))} {MeaningFeaturizer.fingerprint_addon(config)}"

    def train(self, training_data: TrainingData) -> Resource:
        """Fit on the examples of all languages; keep the questions of single lines."""
        texts = [str(message.get(TEXT)) for message in training_data.intent_examples]
        labels = [str(message.get(INTENT)) for message in training_data.intent_examples]
        told = [message.get(METADATA) or {} for message in training_data.intent_examples]
        spelled, labelled = with_latin(texts, labels, [entry.get("language", "") for entry in told])
        encoded = self._encodings(spelled)
        self._model = TopicModel.train(spelled, labelled, encoded)
        asked = [number for number, entry in enumerate(told) if "line" in entry]
        if encoded is not None and asked:
            questions = [KnownQuestion(texts[i], labels[i], told[i]["line"]) for i in asked]
            self._lines = LineModel.train(questions, encoded[asked])
        with self._storage.write_to(self._resource) as folder:
            self._model.save(folder / FILE)
            if self._lines is not None:
                self._lines.save(folder / LINES)
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        """Set `intent`, `intent_ranking`, `other_subject` and `same_question`."""
        if self._model is None:
            raise ngrams.ModelFileError("the topic component was neither trained nor loaded")
        typed = [message for message in messages if not str(message.get(TEXT) or "").startswith("/")]
        texts = [str(message.get(TEXT) or "") for message in typed]
        ranked = self._model.rank_all(texts, [message.get(MEANING) for message in typed])
        for message, text, guesses in zip(typed, texts, ranked, strict=True):
            ranking = [{"name": g.label, "confidence": g.confidence} for g in guesses[:RANKING_LENGTH]]
            message.set(BY_WORDS, not self._model.can_use(message.get(MEANING)))
            message.set(PROBABILITIES, {g.label: g.confidence for g in guesses})
            message.set(INTENT, ranking[0], add_to_output=True)
            message.set("intent_ranking", ranking, add_to_output=True)
            other = self._model.other_subject(text, guesses)
            message.set("other_subject", other.label if other else None, add_to_output=True)
            message.set(APART, other is not None and other.is_apart)
        if self._lines is not None:
            self._find_lines(self._lines, [m for m in typed if len(str(m.get(TEXT)).split()) >= SHORTEST_QUESTION])
        return messages

    def _find_lines(self, known: LineModel, messages: list[Message]) -> None:
        for message in messages:
            vector = message.get(MEANING)
            if vector is not None and vector.numbers is not None:
                found = known.find(message.get(INTENT)["name"], vector.numbers)
                message.set("same_question", found, add_to_output=True)

    def _encodings(self, texts: list[str]) -> Floats | None:
        found = available()
        if found is None:
            return None
        kept = self._config.get("encodings")
        cache = EncodingCache(Path(kept) if kept else None, encoder.version())
        return cache.encode(found, texts, say=lambda done, of: log.info("encoded %d of %d new messages", done, of))
