"""Which line of an answer a message asks for, learnt from what people write whom it helps (`knowledge/questions/`).

One small linear model a topic over what a message means: the topic is known by then, and its lines have to be told apart from each
other alone. The other ways that were tried stand in docs/models.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from nlu.arrays import Floats
from nlu.ngrams import model_file

FORMAT = 1
PENALTY = 1.0
# By how much a line's score has to be above the next one's. Chosen for a wrong line to come first in at most 0.08 of questions that
# nothing was made from (scripts/measure_lines.py).
CLEAR = 0.24


@dataclass(frozen=True)
class KnownQuestion:
    """A question, the topic whose answer has the line for it, and that line ("details.2")."""

    text: str
    topic: str
    line: str


class LineModel:
    """A separator for each line against the others of its topic.

    Args:
        lines: one question of each, which tells the line also after editors have moved it.
        mean: of the questions' encodings, taken off: all encodings point much the same way, shape (numbers,).
        weights: shape (numbers, lines).
        bias: shape (lines,).

    """

    def __init__(self, lines: Sequence[KnownQuestion], mean: Floats, weights: Floats, bias: Floats) -> None:
        self._lines = lines
        self._mean = mean
        self._weights = weights
        self._bias = bias
        by_topic: dict[str, list[int]] = {}
        for number, line in enumerate(lines):
            by_topic.setdefault(line.topic, []).append(number)
        self._of_topic: Mapping[str, NDArray[np.intp]] = {topic: np.asarray(ids) for topic, ids in by_topic.items()}

    @classmethod
    def train(cls, questions: Sequence[KnownQuestion], encodings: Floats) -> LineModel:
        """Fit on questions with their encodings, shape (questions, numbers); a topic with one line only is left out."""
        mean = encodings.mean(axis=0)
        centred = normalize(encodings - mean)
        lines: list[KnownQuestion] = []
        weights, biases = [], []
        for topic in sorted({question.topic for question in questions}):
            rows = [number for number, question in enumerate(questions) if question.topic == topic]
            first = {questions[number].line: questions[number] for number in reversed(rows)}
            if len(first) > 1:
                fitted = _fit(centred[rows], [questions[number].line for number in rows])
                lines += [first[line] for line in sorted(first)]
                weights.append(fitted[0])
                biases.append(fitted[1])
        return cls(lines, mean, np.hstack(weights), np.concatenate(biases))

    def rank(self, topic: str, encoding: Floats) -> list[tuple[KnownQuestion, float]]:
        """The lines of a topic by one question of each, with their scores, likeliest first; empty where none are known."""
        of_topic = self._of_topic.get(topic)
        if of_topic is None:
            return []
        centred = encoding - self._mean
        length = float(np.linalg.norm(centred)) or 1.0
        scores = centred / length @ self._weights[:, of_topic] + self._bias[of_topic]
        return [(self._lines[of_topic[i]], float(scores[i])) for i in np.argsort(-scores)]

    def find(self, topic: str, encoding: Floats) -> str | None:
        """A question of the line that a message about a topic clearly asks for; None where none is clear."""
        ranked = self.rank(topic, encoding)
        return ranked[0][0].text if ranked and ranked[0][1] - ranked[1][1] >= CLEAR else None

    def save(self, path: Path) -> None:
        """Write one file (NumPy archive, compressed); the suffix is `.npz`."""
        told = {
            f"{field}s": np.asarray([getattr(line, field) for line in self._lines])
            for field in ("text", "topic", "line")
        }
        np.savez_compressed(
            path, format=FORMAT, mean=self._mean, weights=self._weights.astype(np.float16), bias=self._bias, **told
        )

    @classmethod
    def load(cls, path: Path) -> LineModel:
        """Read what `save` wrote; raises `nlu.ngrams.ModelFileError` where it is no such file."""
        with model_file(path, FORMAT) as data:
            told = zip(data["texts"], data["topics"], data["lines"], strict=True)
            lines = [KnownQuestion(str(text), str(topic), str(line)) for text, topic, line in told]
            return cls(lines, data["mean"], data["weights"].astype(np.float32), data["bias"])


def _fit(centred: Floats, lines: Sequence[str]) -> tuple[Floats, Floats]:
    """Weights and bias with a column for each line, in alphabetical order."""
    machine = LinearSVC(C=PENALTY, random_state=0).fit(centred, lines)
    weights, bias = machine.coef_.T.astype(np.float32), machine.intercept_.astype(np.float32)
    if weights.shape[1] == 1:  # the machine keeps one separator for two lines
        weights, bias = np.hstack([-weights, weights]), np.concatenate([-bias, bias])
    return weights, bias
