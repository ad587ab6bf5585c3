"""Language identification in Rasa's graph: `nlu.languages` with our own n-gram model and a detector of choice beside it."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import METADATA, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from knowledge.files import load as load_content
from nlu import languages, ngrams, transliteration, vocabulary
from nlu.components.fingerprint import digest_of
from nlu.languages import (
    Detector,
    LangdetectDetector,
    LanguageIdentifier,
    LinguaDetector,
    NgramDetector,
    shared_words,
)
from nlu.ngrams import LinearModel
from nlu.transliteration import with_latin
from nlu.vocabulary import VocabularyModel

FILE = "language.npz"
VOCABULARY_FILE = "vocabulary.npz"
SHARED_WORDS_FILE = "shared_words.txt"
# Languages that people here write and that we have no words in: to be recognised, so that they are not taken for one we have.
BEYOND = (
    "ca", "da", "fa", "fi", "he", "hi", "id", "lv", "mk", "nb", "sh", "sl", "sv", "ur", "vi",
)  # fmt: skip


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class LanguageIdentification(GraphComponent):
    """Sets `language`: the code to answer in, its confidence, the three likeliest and the one to offer beside it."""

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """`beside`: vocabulary, lingua, langdetect or none, weighed beside the model trained on the examples."""
        return {"beside": "vocabulary"}

    def __init__(self, config: dict[str, Any], storage: ModelStorage, resource: Resource) -> None:
        self._config = config
        self._storage = storage
        self._resource = resource
        self._identifier: LanguageIdentifier | None = None

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> LanguageIdentification:
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
    ) -> LanguageIdentification:
        """The trained component; raises `ModelFileError` where its file is missing or refused."""
        component = cls(config, model_storage, resource)
        with model_storage.read_from(resource) as folder:
            component._use(folder)
        return component

    @classmethod
    def fingerprint_addon(cls, config: dict[str, Any]) -> str | None:
        """The algorithm's files, which Rasa's cache does not see."""
        return digest_of(languages.__file__, ngrams.__file__, transliteration.__file__, vocabulary.__file__)

    def train(self, training_data: TrainingData) -> Resource:
        """Learn the languages of the examples from their metadata."""
        marked = [m for m in training_data.intent_examples if (m.get(METADATA) or {}).get("language")]
        texts = [str(message.get(TEXT)) for message in marked]
        spoken = [str(message.get(METADATA)["language"]) for message in marked]
        # Of a language at the tier `emergency` the messages that its phrases are checked with are all the text there is.
        content, _ = load_content()
        for language in content.emergency:
            entry = content.urgency[language]
            written = [*chain.from_iterable(entry.examples.values()), *entry.everyday]
            texts += written
            spoken += [language] * len(written)
        model = LinearModel.train(*with_latin(texts, spoken, spoken))
        with self._storage.write_to(self._resource) as folder:
            model.save(folder / FILE)
            (folder / SHARED_WORDS_FILE).write_text("\n".join(shared_words(texts, spoken)), "utf-8")
            if self._config["beside"] == "vocabulary":
                VocabularyModel.train(sorted({*model.labels, *BEYOND})).save(folder / VOCABULARY_FILE)
            self._use(folder)
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        """Identify each message's language; the conversation's language comes in the message's metadata."""
        if self._identifier is None:
            raise ngrams.ModelFileError("the language component was neither trained nor loaded")
        for message in messages:
            text = str(message.get(TEXT) or "")
            if text.startswith("/"):
                continue
            known = message.get(METADATA) or {}
            found = self._identifier.identify(text, conversation=known.get("language"), hint=known.get("hint"))
            ranking = [{"code": code, "confidence": p} for code, p in found.ranking]
            value = {
                "code": found.code,
                "confidence": found.confidence,
                "ranking": ranking,
                "alternative": found.alternative,
                "beyond": found.beyond,
            }
            message.set("language", value, add_to_output=True)
        return messages

    def _use(self, folder: Path) -> None:
        model = LinearModel.load(folder / FILE)
        self._identifier = LanguageIdentifier(
            model.labels,
            self._beside(folder, model.labels),
            NgramDetector(model),
            shared_words=(folder / SHARED_WORDS_FILE).read_text("utf-8").split(),
        )

    def _beside(self, folder: Path, codes: tuple[str, ...]) -> Detector | None:
        match self._config["beside"]:
            case "vocabulary":
                return VocabularyModel.load(folder / VOCABULARY_FILE)
            case "lingua":
                return LinguaDetector(codes)
            case "langdetect":
                return LangdetectDetector(codes)
            case "none":
                return None
            case unknown:
                raise ValueError(f"beside: {unknown!r} is none of vocabulary, lingua, langdetect, none")
