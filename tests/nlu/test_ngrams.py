"""The linear model: it learns, its probabilities mean something, its file carries no code and says when it is broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nlu.ngrams import LinearModel, ModelFileError, NgramSpace, softmax
from nlu.topics import TopicModel

TEXTS = [f"{word} {number}" for word in ("wage money pay", "doctor ill fever", "room rent bed") for number in range(9)]
LABELS = [label for label in ("work", "care", "housing") for _ in range(9)]


@pytest.fixture(scope="module")
def model() -> LinearModel:
    return LinearModel.train(TEXTS, LABELS)


def test_it_learns_and_is_sure_of_what_it_saw(model: LinearModel) -> None:
    found = model.probabilities(["my pay", "I have fever", "the rent"])
    assert [model.labels[i] for i in found.argmax(axis=1)] == ["work", "care", "housing"]
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)


def test_one_text_gets_the_same_as_among_many(model: LinearModel) -> None:
    many = model.probabilities(["my pay", "the rent"])
    assert np.allclose(model.probabilities(["my pay"])[0], many[0], atol=1e-6)


def test_case_and_diacritics_do_not_matter() -> None:
    space = NgramSpace()
    assert (space.counts(["Wypłata ŻÓŁĆ"]) != space.counts(["wyplata zolc"])).nnz == 0


def test_a_saved_model_answers_the_same(model: LinearModel, tmp_path: Path) -> None:
    TopicModel(model).save(tmp_path / "m.npz")
    loaded = TopicModel.load(tmp_path / "m.npz")
    before, after = TopicModel(model).rank("my pay"), loaded.rank("my pay")
    assert [g.label for g in before] == [g.label for g in after]
    assert before[0].confidence == pytest.approx(after[0].confidence, abs=0.01)


@pytest.mark.parametrize("damage", ["missing", "cut", "other format", "no archive"])
def test_a_file_that_is_no_model_is_refused_with_the_remedy(model: LinearModel, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "m.npz"
    model.save(path)
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:500])
    elif damage == "no archive":
        path.write_text("hello")
    else:
        with np.load(path) as data:
            np.savez_compressed(path, **{**data, "format": 99})
    with pytest.raises(ModelFileError, match="train again"):
        LinearModel.load(path)


def test_softmax_of_large_scores_is_finite() -> None:
    assert np.isfinite(softmax(np.array([[1e4, -1e4]], np.float32))).all()
