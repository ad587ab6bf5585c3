"""The sentence encoder in Rasa's graph: sets `meaning`, the numbers of a message, for the components that follow."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import structlog
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from nlu import encoder
from nlu.components.fingerprint import digest_of
from nlu.encoder import Encoder, EncoderMissingError, Vector

MEANING = "meaning"  # a `Vector`; no output, since nobody outside the graph can use it
FILES = ("adapter.py", "encoder.py", "e5.py", "e5_weights.py")  # not imported: what they need may be missing
log = structlog.get_logger()


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=False)
class MeaningFeaturizer(GraphComponent):
    """Gives each message its vector, which is reckoned when somebody asks for it."""

    def __init__(self, found: Encoder | None) -> None:
        self._encoder = found

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> Self:
        """The component with the encoder of this process, or with none where it is missing."""
        return cls(available())

    @classmethod
    def fingerprint_addon(cls, config: dict[str, Any]) -> str | None:
        """The algorithm's files and the packages, which Rasa's cache does not see."""
        return f"{digest_of(*(str(Path(encoder.__file__).with_name(name)) for name in FILES))} {encoder.version()}"

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Nothing: examples are encoded all at once, and with their spellings in Latin letters, by the one who learns from them."""
        return training_data

    def process(self, messages: list[Message]) -> list[Message]:
        """Set `meaning`."""
        for message in messages:
            text = str(message.get(TEXT) or "")
            if not text.startswith("/"):
                message.set(MEANING, Vector(self._encoder, text))
        return messages


def available() -> Encoder | None:
    """The encoder of this process; None where it is missing, and the log says why."""
    try:
        return encoder.find()
    except EncoderMissingError as error:
        log.warning("encoder_missing", reason=str(error))
        return None
