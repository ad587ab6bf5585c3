"""Which topic a message is about: one calibrated linear model over all languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlu.ngrams import LinearModel


@dataclass(frozen=True)
class Guess:
    """A label and how likely it is."""

    label: str
    confidence: float


class TopicModel:
    """Ranks topics, urgent kinds and service intents by likelihood."""

    def __init__(self, model: LinearModel) -> None:
        self._model = model

    @classmethod
    def train(cls, texts: Sequence[str], labels: Sequence[str]) -> TopicModel:
        """Fit on the examples of all languages."""
        return cls(LinearModel.train(texts, labels))

    def rank(self, text: str) -> list[Guess]:
        """Every label, likeliest first; the confidences sum to one."""
        row = self._model.probabilities([text])[0]
        return [Guess(self._model.labels[i], float(row[i])) for i in np.argsort(-row)]

    def save(self, path: Path) -> None:
        """Write the model file."""
        self._model.save(path)

    @classmethod
    def load(cls, path: Path) -> TopicModel:
        """Read the model file; raises `nlu.ngrams.ModelFileError` where it is no such file."""
        return cls(LinearModel.load(path))
