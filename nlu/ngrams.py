"""Hashed, weighted n-grams and the calibrated linear model over them: what the topic, urgency and language models share.

Hashing needs no vocabulary, so the size of a model does not grow with the number of languages. Weights are stored as 16-bit
floats in a NumPy archive without pickled objects: a model file cannot carry code.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from knowledge.search import fold
from nlu.arrays import Floats

FORMAT = 1
T = TypeVar("T")


class ModelFileError(ValueError):
    """A model file is missing, of another format, or not whole: train again with `wegwijs train`."""


@dataclass(frozen=True)
class NgramSpace:
    """Which n-grams are taken and into how many features (powers of two) they are hashed."""

    characters: tuple[int, int] = (1, 5)
    words: tuple[int, int] = (1, 2)
    character_bits: int = 17
    word_bits: int = 16

    def counts(self, texts: Sequence[str]) -> csr_matrix:
        """One row a text: sublinear n-gram counts, characters before words, not yet weighted."""
        folded = [fold(text) for text in texts]
        characters, words = self._vectorizers()
        matrix = hstack([characters.transform(folded), words.transform(folded)], format="csr", dtype=np.float32)
        matrix.data = 1 + np.log(matrix.data)
        return matrix

    def counts_of_one(self, text: str) -> tuple[NDArray[np.int32], Floats]:
        """The row of `counts` for one text, as indices of the features that occur and their counts."""
        characters, words = self._vectorizers()
        folded = [fold(text)]
        first, second = characters.transform(folded), words.transform(folded)
        indices = np.concatenate([first.indices, second.indices + 2**self.character_bits])
        return indices, 1 + np.log(np.concatenate([first.data, second.data]))

    @lru_cache(maxsize=4)  # noqa: B019 (the spaces are few and live as long as the process)
    def _vectorizers(self) -> tuple[HashingVectorizer, HashingVectorizer]:
        return (
            self._hashing("char_wb", self.characters, self.character_bits),
            self._hashing("word", self.words, self.word_bits),
        )

    @staticmethod
    def _hashing(analyzer: str, ngrams: tuple[int, int], bits: int) -> HashingVectorizer:
        return HashingVectorizer(
            analyzer=analyzer,
            ngram_range=ngrams,
            n_features=2**bits,
            norm=None,
            alternate_sign=False,
            lowercase=False,
            token_pattern=r"(?u)\b\w+\b",  # noqa: S106
            dtype=np.float32,
        )


# One space for all models, so that a message is counted once.
SPACE = NgramSpace()


@dataclass(frozen=True)
class LinearModel:
    """One linear separator a label with calibrated probabilities.

    Attributes:
        labels: what is told apart, in the order of the columns.
        idf: inverse document frequency of each feature, shape (features,).
        weights: shape (features, labels); 16-bit floats in a loaded model, which halves its memory.
        bias: shape (labels,).
        temperature: the scores are divided by it before the softmax; fitted on scores of texts held out in turn.

    """

    space: NgramSpace
    labels: tuple[str, ...]
    idf: Floats
    weights: Floats
    bias: Floats
    temperature: float

    @classmethod
    def train(cls, texts: Sequence[str], labels: Sequence[str], *, penalty: float = 1.0, folds: int = 3) -> LinearModel:
        """Fit on texts with one label each.

        Args:
            penalty: the `C` of the support vector machine: larger fits the examples closer.
            folds: parts of the data that are held out in turn to fit the temperature.

        """
        return cls.train_with_scores(texts, labels, penalty=penalty, folds=folds)[0]

    @classmethod
    def train_with_scores(
        cls, texts: Sequence[str], labels: Sequence[str], *, penalty: float = 1.0, folds: int = 3
    ) -> tuple[LinearModel, Floats]:
        """The same, and the raw scores of each text by a model that did not see it, shape (texts, labels)."""
        counts = SPACE.counts(texts)
        known = np.asarray(labels)
        names = tuple(sorted(set(labels)))
        held_out = np.zeros((len(texts), len(names)), np.float32)
        model, of_parts = fitted_with_parts(lambda rows: _fit(counts[rows], known[rows], names, penalty), known, folds)
        for test, part in of_parts:
            held_out[test] = part.scores(counts[test])
        truth = np.searchsorted(np.asarray(names), known)
        fitted = minimize_scalar(
            lambda log_t: cross_entropy(held_out / np.exp(log_t), truth), bounds=(-4.0, 2.0), method="bounded"
        )
        return LinearModel(SPACE, names, model.idf, model.weights, model.bias, float(np.exp(fitted.x))), held_out

    def scores(self, counts: csr_matrix) -> Floats:
        """Raw scores of rows from `NgramSpace.counts`, shape (rows, labels)."""
        return np.asarray(_weighted(counts, self.idf) @ self.weights.astype(np.float32) + self.bias, np.float32)

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Calibrated probabilities, shape (texts, labels)."""
        scores = self.scores_of_one(texts[0])[None, :] if len(texts) == 1 else self.scores(self.space.counts(texts))
        return softmax(scores / self.temperature)

    def scores_of_one(self, text: str) -> Floats:
        """Raw scores of one text, shape (labels,)."""
        # The same as `scores` without sparse matrices, whose making costs more than the reckoning.
        indices, counts = _counts_of_one(self.space, text)
        weighted = counts * self.idf[indices]
        length = float(np.linalg.norm(weighted)) or 1.0
        return np.asarray((weighted / length) @ self.weights[indices].astype(np.float32) + self.bias, np.float32)

    def save(self, path: Path) -> None:
        """Write one file (NumPy archive, compressed); the suffix is `.npz`."""
        np.savez_compressed(path, format=FORMAT, **self.arrays())

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What a model file holds of it."""
        space = [*self.space.characters, *self.space.words, self.space.character_bits, self.space.word_bits]
        return {
            "labels": np.asarray(self.labels),
            "space": np.asarray(space),
            "idf": self.idf.astype(np.float16),
            "weights": self.weights.astype(np.float16),
            "bias": self.bias,
            "temperature": np.asarray(self.temperature),
        }

    @classmethod
    def load(cls, path: Path) -> LinearModel:
        """Read what `save` wrote.

        Raises:
            ModelFileError: the file is missing, damaged or of another format.

        """
        with model_file(path, FORMAT) as data:
            return cls.from_arrays(data)

    @classmethod
    def from_arrays(cls, data: Mapping[str, NDArray[Any]]) -> LinearModel:
        """The model of what `arrays` gave."""
        c1, c2, w1, w2, character_bits, word_bits = (int(n) for n in data["space"])
        return cls(
            space=NgramSpace((c1, c2), (w1, w2), character_bits, word_bits),
            labels=tuple(str(label) for label in data["labels"]),
            idf=data["idf"].astype(np.float32),
            weights=data["weights"],
            bias=data["bias"],
            temperature=float(data["temperature"]),
        )


@contextmanager
def model_file(path: Path, expected: int) -> Iterator[Mapping[str, NDArray[Any]]]:
    """The arrays of a model file.

    Args:
        path: a NumPy archive with an entry `format`.
        expected: the format that can be read.

    Raises:
        ModelFileError: the file is missing, damaged or of another format.

    """
    try:
        with np.load(path, allow_pickle=False) as data:
            found = int(data["format"])
            if found != expected:
                raise ModelFileError(f"{path.name} has format {found}, this version reads {expected}: train again")
            yield data
    except ModelFileError:
        raise
    except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
        raise ModelFileError(f"{path.name} cannot be read as a model ({error}): train again") from error


@lru_cache(maxsize=4)
def _counts_of_one(space: NgramSpace, text: str) -> tuple[NDArray[np.int32], Floats]:
    # Topic and language model read the same message one after the other.
    return space.counts_of_one(text)


def softmax(scores: Floats) -> Floats:
    """Probabilities along the last axis."""
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), np.float32)


def _fit(counts: csr_matrix, labels: NDArray[np.str_], names: tuple[str, ...], penalty: float) -> LinearModel:
    seen = np.asarray((counts > 0).sum(axis=0)).ravel()
    idf = (np.log((1 + counts.shape[0]) / (1 + seen)) + 1).astype(np.float32)
    # Balanced: a label with more examples than another is not likelier for that.
    machine = LinearSVC(C=penalty, class_weight="balanced", random_state=0)
    machine.fit(_weighted(counts, idf), labels)
    weights, bias = machine.coef_.T.astype(np.float32), machine.intercept_.astype(np.float32)
    if len(names) == 2:
        # The machine keeps one separator for two labels; two columns make it look like any other model.
        weights, bias = np.hstack([-weights, weights]), np.concatenate([-bias, bias])
    return LinearModel(SPACE, names, idf, np.ascontiguousarray(weights), bias, 1.0)


def _weighted(counts: csr_matrix, idf: Floats) -> csr_matrix:
    # Touches only the features that occur: a product with a diagonal matrix walks over all of them for each text.
    weighted = csr_matrix((counts.data * idf[counts.indices], counts.indices, counts.indptr), shape=counts.shape)
    return normalize(weighted, copy=False)


def fitted_with_parts(
    fit: Callable[[NDArray[np.intp]], T], labels: NDArray[np.str_], folds: int
) -> tuple[T, list[tuple[NDArray[np.intp], T]]]:
    """What is fitted on all rows, and for each part of them the rows held out with what is fitted on the others.

    The parts are the same for every model that is trained on these labels.

    Args:
        fit: fits on the rows that it is given; on several threads at once, since the machine lets go of the interpreter.

    """
    split = list(StratifiedKFold(folds, shuffle=True, random_state=0).split(np.zeros(len(labels)), labels))
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        whole, *of_parts = threads.map(fit, [np.arange(len(labels)), *(train for train, _ in split)])
    return whole, [(test, part) for (_, test), part in zip(split, of_parts, strict=True)]


def cross_entropy(scores: Floats, truth: NDArray[np.intp]) -> float:
    """How surprised the softmax of the scores is by the true labels, on average."""
    return float(-np.log(softmax(scores)[np.arange(len(truth)), truth] + 1e-12).mean())
