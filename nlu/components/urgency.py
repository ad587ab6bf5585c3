"""The urgency detector in Rasa's graph: sets `urgency` where somebody may be in danger."""

from __future__ import annotations

from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from knowledge.files import load as load_content
from nlu import ngrams, urgency
from nlu.components.fingerprint import digest_of
from nlu.urgency import PhraseRules, UrgencyModel

FILE = "urgency.npz"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class UrgencyDetector(GraphComponent):
    """Sets `urgency` to kind and level; nothing where nobody is in danger."""

    def __init__(self, storage: ModelStorage, resource: Resource, model: UrgencyModel | None = None) -> None:
        self._storage = storage
        self._resource = resource
        self._model = model
        self._rules = PhraseRules(load_content()[0].urgency)

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> UrgencyDetector:
        """An untrained component."""
        return cls(model_storage, resource)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> UrgencyDetector:
        """The trained component; raises `ModelFileError` where its file is missing or refused."""
        with model_storage.read_from(resource) as folder:
            return cls(model_storage, resource, UrgencyModel(ngrams.LinearModel.load(folder / FILE)))

    @classmethod
    def fingerprint_addon(cls, config: dict[str, Any]) -> str | None:
        """The algorithm's files, which Rasa's cache does not see."""
        return digest_of(urgency.__file__, ngrams.__file__)

    def train(self, training_data: TrainingData) -> Resource:
        """Fit the six kinds against everything else."""
        texts = [str(message.get(TEXT)) for message in training_data.intent_examples]
        self._model = UrgencyModel.train(texts, [message.get(INTENT) for message in training_data.intent_examples])
        with self._storage.write_to(self._resource) as folder:
            self._model.model.save(folder / FILE)
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        """Judge each message by phrases and detector."""
        if self._model is None:
            raise ngrams.ModelFileError("the urgency component was neither trained nor loaded")
        for message in messages:
            text = str(message.get(TEXT) or "")
            if text.startswith("/"):
                continue
            found = urgency.decide(self._rules, self._model.probabilities(text), text)
            if found is not None:
                message.set("urgency", {"label": found.label, "level": str(found.level)}, add_to_output=True)
        return messages
