"""Which topic a message is about: n-grams over all languages, and what the message means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlu.adapter import were_kept_back
from nlu.arrays import Floats
from nlu.encoder import Vector, reckon_all
from nlu.meaning import MeaningModel
from nlu.ngrams import FORMAT, LinearModel, model_file, softmax
from nlu.urgency import PREFIX

# A message with a second subject says so in a sentence of its own, or it keeps some of the likelihood. Measured on pairs of
# messages put together (docs/models.md).
SENTENCE_SURE, SECOND_LEAST = 0.5, 0.1
SHORTEST_SENTENCE = 3  # words; less names no subject
MOST_SENTENCES = 8
_BETWEEN_SENTENCES = re.compile(r"[.!?;]\s+|\n+")


@dataclass(frozen=True)
class Guess:
    """A label and how likely it is."""

    label: str
    confidence: float


@dataclass(frozen=True)
class OtherSubject:
    """A second subject of a message; `is_apart` where both it and the likeliest have a sentence of their own that is sure of it."""

    label: str
    is_apart: bool


class TopicModel:
    """Ranks topics, urgent kinds and service intents by likelihood.

    Args:
        words: the model over n-grams.
        meaning: the model over encodings; None where it was trained without an encoder.

    """

    def __init__(self, words: LinearModel, meaning: MeaningModel | None = None) -> None:
        self._words = words
        self._meaning = meaning

    def can_use(self, vector: Vector | None) -> bool:
        """Whether model and message both have what the message means: an encoder at the training, and one now."""
        return self._meaning is not None and vector is not None and vector.is_known

    @classmethod
    def train(cls, texts: Sequence[str], labels: Sequence[str], encodings: Floats | None = None) -> TopicModel:
        """Fit on the examples of all languages.

        Args:
            encodings: of the texts, shape (texts, numbers); None where there is no encoder.

        """
        words, held_out = LinearModel.train_with_scores(texts, labels)
        if encodings is None:
            return cls(words)
        return cls(words, MeaningModel.train(encodings, labels, held_out, were_kept_back(texts)))

    def rank(self, text: str, vector: Vector | None = None) -> list[Guess]:
        """Every label, likeliest first; the confidences sum to one.

        Args:
            vector: what the text means; without it the n-grams decide alone.

        """
        return self.rank_all([text], [vector])[0]

    def rank_all(self, texts: Sequence[str], vectors: Sequence[Vector | None]) -> list[list[Guess]]:
        """The same for each of several texts; what they mean is reckoned on all cores."""
        if self._meaning is not None:
            reckon_all([vector for vector in vectors if vector is not None])
        rows = [self._probabilities(text, vector) for text, vector in zip(texts, vectors, strict=True)]
        return [[Guess(self._words.labels[i], float(row[i])) for i in np.argsort(-row)] for row in rows]

    def _probabilities(self, text: str, vector: Vector | None) -> Floats:
        scores = self._words.scores_of_one(text)
        if self._meaning is None or vector is None or vector.numbers is None:
            return softmax(scores / self._words.temperature)
        return self._meaning.probabilities(scores, vector.numbers)

    def other_subject(self, text: str, ranking: Sequence[Guess]) -> OtherSubject | None:
        """The second subject beside the likeliest; None where the message is about one thing.

        Args:
            ranking: of the whole text, likeliest first.

        """
        sentences = [part for part in _BETWEEN_SENTENCES.split(text) if len(part.split()) >= SHORTEST_SENTENCE]
        said = [self._by_words(part) for part in sentences[:MOST_SENTENCES]] if len(sentences) > 1 else []
        said = sorted((g for g in said if g.confidence >= SENTENCE_SURE), key=lambda g: g.confidence, reverse=True)
        first, labels = ranking[0].label, [guess.label for guess in said]
        others = [*labels, *(guess.label for guess in ranking if guess.confidence >= SECOND_LEAST)]
        other = next((label for label in others if label != first and _is_subject(label)), None)
        return OtherSubject(other, is_apart=first in labels and other in labels) if other else None

    def _by_words(self, text: str) -> Guess:
        row = softmax(self._words.scores_of_one(text) / self._words.temperature)
        return Guess(self._words.labels[int(row.argmax())], float(row.max()))

    def save(self, path: Path) -> None:
        """Write the model file: both models in one, so that it answers without the encoder too."""
        beside = self._meaning.arrays() if self._meaning else {}
        np.savez_compressed(path, format=FORMAT, **self._words.arrays(), **beside)

    @classmethod
    def load(cls, path: Path) -> TopicModel:
        """Read the model file; raises `nlu.ngrams.ModelFileError` where it is no such file."""
        with model_file(path, FORMAT) as data:
            return cls(LinearModel.from_arrays(data), MeaningModel.from_arrays(data))


def _is_subject(label: str) -> bool:
    """Whether a label is a topic to read about: no emergency, which has a way of its own, and nothing said to the bot."""
    return "." in label and not label.startswith(PREFIX)
