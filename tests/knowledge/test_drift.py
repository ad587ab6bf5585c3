"""Answers whose facts have changed since their words were read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from knowledge.check import check
from knowledge.drift import accept, drifted
from knowledge.files import CONTENT_FOLDER, load
from tests.conftest import NOW


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "content"
    shutil.copytree(CONTENT_FOLDER, target, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    return target


def test_a_changed_fact_puts_every_language_of_its_topic_up_for_reading(folder: Path) -> None:
    content, _ = load(folder)
    accept(content, content.topics, folder)
    assert list(drifted(content, folder)) == []
    path = folder / "topics" / "work" / "holiday.yml"
    data = yaml.safe_load(path.read_text("utf-8"))
    data["facts"][0]["statement"] += " Not any more."
    path.write_text(yaml.safe_dump(data, allow_unicode=True), "utf-8")
    changed, _ = load(folder)
    assert {(one.topic, one.language) for one in drifted(changed, folder)} == {
        ("work.holiday", language) for language in changed.languages
    }
    assert accept(changed, ["work.holiday"], folder) == len(changed.languages)
    assert list(drifted(changed, folder)) == []


def test_no_shipped_answer_is_behind_its_facts() -> None:
    assert list(drifted(load()[0])) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("## steps\n1. ", "## steps\n1. [martian] ", "is no group"),
        ("## steps\n1. ", "## steps\n1. Until 1 July.. ", "two full stops"),
        ("## steps\n1. ", "## steps\n1. " + "word " * 70, "first screen"),
    ],
)
def test_the_check_knows_what_the_reviews_taught(folder: Path, old: str, new: str, problem: str) -> None:
    path = folder / "topics" / "urgent" / "medical.en.md"
    path.write_text(path.read_text("utf-8").replace(old, new, 1), "utf-8")
    errors = [str(fault) for fault in check(folder, today=NOW.date()).errors]
    assert any(problem in error and "medical.en.md" in error for error in errors), errors
