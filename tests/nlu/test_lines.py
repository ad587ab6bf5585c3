"""The line of an answer that a message asks for: found by a known question that means much the same, or none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from knowledge.files import Content
from nlu.arrays import Floats
from nlu.encoder import SIZE
from nlu.lines import CLEAR, KnownQuestion, LineModel
from nlu.ngrams import ModelFileError
from scripts.measure_lines import held_out

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
    # Found by another of its questions it is named by its first.
    assert model.find("work.holiday", towards(0, 1, 0, 0, 0)) == QUESTIONS[0].text


def test_between_two_lines_neither_is_found(model: LineModel) -> None:
    between = [towards(share, 0, 1 - share) for share in np.linspace(0, 1, 50)]
    found = [model.find("work.holiday", encoding) for encoding in between]
    assert {found[0], found[-1]} == {QUESTIONS[2].text, QUESTIONS[0].text}
    for text, encoding in zip(found, between, strict=True):
        (first, score), (_, next_score) = model.rank("work.holiday", encoding)[:2]
        assert text == (first.text if score - next_score >= CLEAR else None)
    assert None in found


@pytest.mark.parametrize("topic", ["care.gp", "work.hours"])  # one line alone, none
def test_where_there_is_nothing_to_tell_apart_nothing_is_found(model: LineModel, topic: str) -> None:
    assert model.find(topic, towards(0, 0, 0, 0, 1)) is None


def test_it_is_kept_in_a_file_and_another_file_is_refused(model: LineModel, tmp_path: Path) -> None:
    model.save(tmp_path / "lines.npz")
    loaded = LineModel.load(tmp_path / "lines.npz")
    for number, question in enumerate(QUESTIONS[:4]):
        row = towards(*(float(number == j) for j in range(5)))
        assert loaded.find("work.holiday", row) == model.find("work.holiday", row)
        assert loaded.rank("work.holiday", row)[0][0].line == question.line
    np.savez(tmp_path / "other.npz", format=99)
    with pytest.raises(ModelFileError):
        LineModel.load(tmp_path / "other.npz")


def test_the_questions_to_measure_on_know_their_lines(content: Content, capsys: pytest.CaptureFixture[str]) -> None:
    # Their words stand in the texts, which are reworded: what stands nowhere any more would only be left out.
    assert len(list(held_out(content))) > 500
    assert capsys.readouterr().out == ""
