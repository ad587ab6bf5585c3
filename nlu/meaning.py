"""The linear model over what a message means (`nlu.encoder`), weighed beside the n-grams of the same message.

The two are fitted apart and their scores added: each keeps what it is good at, the n-grams can decide alone, and the file grows by
a few hundred numbers a label. How much either counts is fitted on texts that both had not seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from nlu.arrays import Floats
from nlu.ngrams import cross_entropy, fitted_with_parts, softmax

PENALTY = 0.5
_NAME = "meaning_{}"  # of its arrays in the topic model's file


@dataclass(frozen=True)
class MeaningModel:
    """One separator a label, in the order of the topic model's labels.

    Attributes:
        mean: of the examples' encodings, taken off: all encodings point much the same way, shape (numbers,).
        weights: shape (numbers, labels).
        bias: shape (labels,).
        shares: what the scores of the n-grams and of this model are multiplied by before the softmax.

    """

    mean: Floats
    weights: Floats
    bias: Floats
    shares: Floats

    @classmethod
    def train(
        cls, encodings: Floats, labels: Sequence[str], by_words: Floats, is_new: NDArray[np.bool_], *, folds: int = 3
    ) -> MeaningModel:
        """Fit on encodings of texts with one label each.

        Args:
            encodings: shape (texts, numbers).
            labels: of each text, of three or more kinds.
            by_words: scores of the n-grams for each text, by a model that did not see it.
            is_new: which texts the encoder has not learnt from, shape (texts,); what either counts is fitted on those, since
                the encoder seems better than it is on the others. On all where there are none.
            folds: the same that those scores were made with.

        """
        known = np.asarray(labels)
        mean = encodings.mean(axis=0)
        centred = normalize(encodings - mean)
        held_out = np.zeros_like(by_words)
        whole, of_parts = fitted_with_parts(lambda rows: _fit(centred[rows], known[rows]), known, folds)
        for test, (weights, bias) in of_parts:
            held_out[test] = centred[test] @ weights + bias
        truth = np.searchsorted(np.unique(known), known)
        told = is_new if is_new.any() else ~is_new
        fitted = minimize(
            lambda logs: cross_entropy(
                np.exp(logs[0]) * by_words[told] + np.exp(logs[1]) * held_out[told], truth[told]
            ),
            np.ones(2),
            method="Nelder-Mead",
            options={"xatol": 1e-3, "fatol": 1e-5, "maxiter": 120},
        )
        return cls(mean, *whole, np.exp(fitted.x).astype(np.float32))

    def probabilities(self, by_words: Floats, encoding: Floats) -> Floats:
        """Calibrated probabilities of one message, from its scores by n-grams and its encoding; shape (labels,)."""
        centred = encoding - self.mean
        own = centred / (float(np.linalg.norm(centred)) or 1.0) @ self.weights + self.bias
        return softmax(self.shares[0] * by_words + self.shares[1] * own)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What the topic model's file holds of it."""
        return {_NAME.format(name): getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_arrays(cls, data: Mapping[str, NDArray[Any]]) -> MeaningModel | None:
        """The model of what `arrays` gave; None where the file was trained without the encoder."""
        if _NAME.format("mean") not in data:
            return None
        return cls(**{name: data[_NAME.format(name)] for name in cls.__dataclass_fields__})


def _fit(centred: Floats, labels: NDArray[np.str_]) -> tuple[Floats, Floats]:
    machine = LinearSVC(C=PENALTY, class_weight="balanced", random_state=0)
    machine.fit(centred, labels)
    return machine.coef_.T.astype(np.float32), machine.intercept_.astype(np.float32)
