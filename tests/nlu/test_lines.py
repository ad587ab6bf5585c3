"""The line of an answer that a message asks for: found by a known question that means much the same, or none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nlu.encoder import SIZE, Floats
from nlu.lines import KnownQuestion, LineModel
from nlu.ngrams import ModelFileError

QUESTIONS = [
    KnownQuestion("may they pay my days instead", "work.holiday", "details.2"),
    KnownQuestion("mogą wypłacić zamiast wolnego?", "work.holiday", "details.2"),
    KnownQuestion("until when can i take them", "work.holiday", "details.3"),
    KnownQuestion("how many days do i get", "work.holiday", "short.0"),
    KnownQuestion("how do i find a doctor", "care.gp", "steps.0"),
]


def towards(*shares: float) -> Floats:
    """An encoding that lies between the questions by these shares."""
    row = np.zeros(SIZE, np.float32)
    row[: len(shares)] = shares
    return row / np.linalg.norm(row)


@pytest.fixture
def model() -> LineModel:
    return LineModel.train(QUESTIONS, np.stack([towards(*(float(i == j) for j in range(5))) for i in range(5)]))


def test_the_line_of_the_topic_is_found(model: LineModel) -> None:
    assert model.find("work.holiday", towards(1, 0, 0, 0, 0)) == QUESTIONS[0].text
    assert model.find("work.holiday", towards(0, 0.1, 1, 0, 0)) == QUESTIONS[2].text
    assert (
        model.find("work.holiday", towards(0, 1, 0, 0, 0)) == QUESTIONS[0].text
    )  # a line is named by its first question


@pytest.mark.parametrize(
    ("topic", "encoding"),
    [
        ("work.holiday", towards(1, 0, 1, 0, 0)),  # as near to one line as to another
        ("care.gp", towards(0, 0, 0, 0, 1)),  # nothing to tell it apart from
        ("work.hours", towards(1, 0, 0, 0, 0)),
    ],
)
def test_what_is_not_clear_finds_nothing(model: LineModel, topic: str, encoding: Floats) -> None:
    assert model.find(topic, encoding) is None


def test_it_is_kept_in_a_file_and_another_file_is_refused(model: LineModel, tmp_path: Path) -> None:
    model.save(tmp_path / "lines.npz")
    loaded = LineModel.load(tmp_path / "lines.npz")
    for number, question in enumerate(QUESTIONS[:4]):
        row = towards(*(float(number == j) for j in range(5)))
        assert loaded.find("work.holiday", row) == model.find("work.holiday", row)
        assert loaded.rank("work.holiday", row)[0].line == question.line
    np.savez(tmp_path / "other.npz", format=99)
    with pytest.raises(ModelFileError):
        LineModel.load(tmp_path / "other.npz")
