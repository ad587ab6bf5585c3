"""Which line of an answer a message asks for: that of the known question which means much the same (`knowledge/questions/`).

Message against question, not against line: what people write lies nearer to what others write than to what answers it, in the same
language and in another (docs/models.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import normalize

from nlu.ngrams import Floats, model_file

FORMAT = 1
# How near the nearest question has to be (cosine), and by how much nearer than the nearest of another line of the topic. Fitted for
# a wrong line to be shown in no more than 0.08 of questions that were not used for anything else.
NEAR, NEARER = 0.5, 0.05


@dataclass(frozen=True)
class KnownQuestion:
    """A question, the topic whose answer has the line for it, and that line ("details.2")."""

    text: str
    topic: str
    line: str


class LineModel:
    """The known questions and what they mean.

    Args:
        questions: of all topics.
        mean: of their encodings, taken off: all encodings point much the same way, shape (numbers,).
        rows: the centred encodings, each of length one, shape (questions, numbers).

    """

    def __init__(self, questions: Sequence[KnownQuestion], mean: Floats, rows: Floats) -> None:
        self._questions = questions
        self._mean = mean
        self._rows = rows
        by_topic: dict[str, list[int]] = {}
        for number, question in enumerate(questions):
            by_topic.setdefault(question.topic, []).append(number)
        self._of_topic: Mapping[str, NDArray[np.intp]] = {topic: np.asarray(ids) for topic, ids in by_topic.items()}

    @classmethod
    def train(cls, questions: Sequence[KnownQuestion], encodings: Floats) -> LineModel:
        """Keep the questions with their encodings, shape (questions, numbers)."""
        mean = encodings.mean(axis=0)
        return cls(questions, mean, normalize(encodings - mean).astype(np.float32))

    def nearest(self, topic: str, encoding: Floats) -> tuple[KnownQuestion, float, float] | None:
        """The question of a topic that is nearest to a message: with its cosine, and how much farther off any other line is.

        None where the topic has no questions for two lines.
        """
        of_topic = self._of_topic.get(topic)
        if of_topic is None:
            return None
        centred = encoding - self._mean
        near = self._rows[of_topic] @ (centred / (float(np.linalg.norm(centred)) or 1.0))
        best: dict[str, tuple[float, int]] = {}
        for number, cosine in zip(of_topic, near, strict=True):
            line = self._questions[number].line
            best[line] = max(best.get(line, (-1.0, 0)), (float(cosine), int(number)))
        if len(best) == 1:
            return None
        first, second = sorted(best.values(), reverse=True)[:2]
        return self._questions[first[1]], first[0], first[0] - second[0]

    def find(self, topic: str, encoding: Floats) -> str | None:
        """The known question that means the same as a message about a topic; None where none clearly does."""
        found = self.nearest(topic, encoding)
        return found[0].text if found and found[1] >= NEAR and found[2] >= NEARER else None

    def save(self, path: Path) -> None:
        """Write one file (NumPy archive, compressed); the suffix is `.npz`."""
        texts, topics, lines = (
            np.asarray([getattr(question, field) for question in self._questions])
            for field in ("text", "topic", "line")
        )
        np.savez_compressed(
            path,
            format=FORMAT,
            texts=texts,
            topics=topics,
            lines=lines,
            mean=self._mean,
            rows=self._rows.astype(np.float16),
        )

    @classmethod
    def load(cls, path: Path) -> LineModel:
        """Read what `save` wrote; raises `nlu.ngrams.ModelFileError` where it is no such file."""
        with model_file(path, FORMAT) as data:
            told = zip(data["texts"], data["topics"], data["lines"], strict=True)
            questions = [KnownQuestion(str(text), str(topic), str(line)) for text, topic, line in told]
            return cls(questions, data["mean"], data["rows"].astype(np.float32))
