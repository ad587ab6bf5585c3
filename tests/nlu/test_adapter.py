"""What the encoder learns from the examples: the same network twice, the file that lies here, and what it has not seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from knowledge.importer import examples
from nlu import adapter, encoder
from nlu.adapter import DOWN, UP, were_kept_back
from nlu.e5 import Network
from nlu.e5_weights import Weights
from scripts.tune_encoder import BATCH, EXAMPLES, NO_LINE, Lessons, Trainable, learn
from tests.nlu.test_encoder import WEIGHTS

TOPICS = ("my rent went up again", "I am ill and cannot work", "mój szef nie płaci", "де зареєструватися у лікаря")


def encoded(network: Trainable, path: Path, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """By what learns, and by what reckons in the service with the file that it wrote."""
    network.save(path)
    serving = Network(WEIGHTS, 1, adapter.load(path))
    return network.encode(*network.read([serving.tokens(text) for text in texts])).numpy(), serving.query(texts)


def test_what_is_learnt_is_what_the_service_reckons_with(tmp_path: Path) -> None:
    network, draw = Trainable(Weights(WEIGHTS)), np.random.default_rng(3)
    for numbers in network.learnt.values():
        numbers.assign_add(0.02 * draw.normal(size=numbers.shape))
    learning, serving = encoded(network, tmp_path / "a.npz", [*TOPICS, "?"])
    as_published = Network(WEIGHTS, 1).query([*TOPICS, "?"])
    assert (learning * serving).sum(axis=1).min() > 0.995
    assert (as_published * serving).sum(axis=1).max() < 0.99


def test_a_pass_tells_apart_what_does_not_belong_together(tmp_path: Path) -> None:
    network = Trainable(Weights(WEIGHTS))
    texts = [f"{text} {number}" for number in range(2 * BATCH) for text in TOPICS]
    before, _ = encoded(network, tmp_path / "b.npz", texts[:8])
    topics = np.arange(len(texts)) % len(TOPICS)
    published = Network(WEIGHTS, 1)
    given = Lessons(
        tokens=[published.tokens(text) for text in texts],
        encodings=published.query(texts),
        topics=topics,
        lines=np.where(topics == 0, 0, NO_LINE),
        topic_of_line=np.array([0]),
    )
    assert sum(1 for _ in learn(network, given)) == len(texts) // BATCH
    after, _ = encoded(network, tmp_path / "a.npz", texts[:8])
    others = ~np.eye(len(TOPICS), dtype=bool)
    assert (after[:4] @ after[4:].T)[others].mean() < (before[:4] @ before[4:].T)[others].mean()


def test_the_file_fits_the_wheel() -> None:
    learnt, weights = adapter.load(), Weights(WEIGHTS)
    for name, numbers in learnt.items():
        assert np.isfinite(numbers).all(), name
        if not name.endswith((DOWN.format(""), UP.format(""))):
            assert numbers.shape == weights.floats(name).shape, name
    assert {name.removesuffix(".up") for name in learnt if name.endswith(".up")} == {
        f"l{layer}.{matrix}" for layer in range(weights.sizes.layers) for matrix in ("q", "k", "v", "ao", "fi", "fo")
    }


def test_another_file_is_another_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = encoder.version()
    (tmp_path / "adapter.npz").write_bytes(b"learnt anew")
    monkeypatch.setattr(adapter, "FILE", tmp_path / "adapter.npz")
    assert encoder.version() != version


def test_of_each_kind_of_example_some_are_kept_back() -> None:
    messages = list(examples(EXAMPLES))
    kept = were_kept_back([message.get("text") for message in messages])
    assert 0.08 < kept.mean() < 0.12
    labels = np.array([message.get("intent") for message in messages])
    assert set(labels[kept]) == set(labels)
