"""Reading content: what a file may say, and that a fault names file, line and remedy."""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from knowledge.check import check
from knowledge.files import CONTENT_FOLDER, load, parse_markdown, placeholders
from tests.conftest import NOW

ANSWER = """---
review: machine
button: Pay
---
# How much?

At least {minimum_wage.hourly_21} an hour.

## steps
1. Look at your payslip,
   every week.
2. Ask.

## exceptions
- None.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped content that a test may spoil."""
    target = tmp_path / "content"
    shutil.copytree(CONTENT_FOLDER, target, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    return target


def test_an_answer_file_is_taken_apart() -> None:
    fields = parse_markdown(ANSWER)
    assert fields["title"] == "How much?"
    assert fields["short"] == "At least {minimum_wage.hourly_21} an hour."
    assert fields["steps"] == ("Look at your payslip, every week.", "Ask.")
    assert fields["exceptions"] == ("None.",)
    assert placeholders(fields["short"]) == {"minimum_wage.hourly_21"}


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("# Title\n\nText", "front matter"),
        ("---\nreview: machine\n---\nText without title", "title"),
        (ANSWER + "\n## advice\n- x\n", "## advice"),
    ],
)
def test_a_broken_answer_file_says_what_to_do(text: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=remedy):
        parse_markdown(text)


@given(st.text(max_size=300))
def test_no_text_breaks_the_parser_in_another_way(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse_markdown("---\nreview: machine\n---\n# t\n" + text)


def test_the_shipped_content_has_no_errors_and_is_complete_in_every_language() -> None:
    report = check(CONTENT_FOLDER, today=NOW.date())
    assert [str(fault) for fault in report.errors] == []
    assert report.coverage.keys() == load()[0].topics.keys()
    assert {"en", "nl", "pl", "uk"} <= set(report.languages)
    assert all(mark == "✓" for row in report.coverage.values() for mark in row.values())


def test_every_topic_of_the_taxonomy_has_facts_with_sources() -> None:
    content, _ = load()
    for topic in content.topics.values():
        assert 2 <= len(topic.related) <= 4
        assert any(fact.verified and fact.source for fact in topic.facts), topic.topic


def faults_of(folder: Path) -> str:
    return "\n".join(str(fault) for fault in check(folder, today=NOW.date()).errors)


def test_an_unequal_placeholder_is_an_error(folder: Path) -> None:
    path = folder / "topics" / "work" / "minimum_wage.nl.md"
    text = path.read_text("utf-8")
    name = sorted(placeholders(text))[0]
    path.write_text(re.sub(rf"\{{{re.escape(name)}(?::[^}}]*)?\}}", "15", text), "utf-8")
    assert "topics/work/minimum_wage.nl.md" in faults_of(folder)
    assert name in faults_of(folder)


def test_a_missing_translation_is_an_error(folder: Path) -> None:
    (folder / "topics" / "care" / "gp.pl.md").unlink()
    assert "care.gp" in faults_of(folder) or "care/gp.pl.md" in faults_of(folder)


def test_an_unknown_organisation_related_topic_or_source_is_an_error(folder: Path) -> None:
    path = folder / "topics" / "care" / "gp.yml"
    text = path.read_text("utf-8")
    path.write_text(
        text.replace("who_helps:\n", "who_helps:\n- nobody_known\n").replace("related:\n", "related:\n- care.magic\n"),
        "utf-8",
    )
    found = faults_of(folder)
    assert "nobody_known" in found
    assert "care.magic" in found


@pytest.mark.parametrize(
    ("file", "was", "becomes", "remedy"),
    [
        ("helplines.yml", "[emergency_112]", "[woonbond]", "no telephone"),
        ("helplines.yml", "fairwork, luisterlijn", "nobody_known", "unknown organisation"),
        ("helplines.yml", "person:", "persons:", "no occasion"),
        ("topics/urgent/suicide.yml", "number: '113'", "number: nobody_known", "unknown organisation"),
        ("topics/registration/rni_desks.yml", "asks: place", "asks: everything", "place"),
    ],
)
def test_whom_to_call_is_checked_as_content(folder: Path, file: str, was: str, becomes: str, remedy: str) -> None:
    path = folder / file
    assert was in path.read_text("utf-8")
    path.write_text(path.read_text("utf-8").replace(was, becomes, 1), "utf-8")
    assert any(line.startswith(file) and remedy in line for line in faults_of(folder).splitlines())


@pytest.mark.parametrize("name", ["nobody_says_this", "i_dont_understand"])
def test_a_sentence_to_say_that_is_not_whole_is_an_error(folder: Path, name: str) -> None:
    book = folder / "sayings.yml"
    known = book.read_text("utf-8")
    assert "i_dont_understand:" in known
    book.write_text(re.sub(r"(i_dont_understand:\n(?:  (?!pl).*\n)*)  pl:.*\n", r"\1", known), "utf-8")
    path = folder / "topics" / "care" / "gp.en.md"
    path.write_text(path.read_text("utf-8") + f"\n- {{say:{name}}}\n", "utf-8")
    assert any(name in line for line in faults_of(folder).splitlines())


def test_a_source_that_stands_there_twice_is_an_error(folder: Path) -> None:
    path = folder / "sources.yml"
    first = path.read_text("utf-8").split("business.payslip:\n")[1].split("\nbusiness")[0]
    again = first.replace("/payslip", "/payslip/", 1)
    path.write_text(f"{path.read_text('utf-8')}\nbusiness.again:\n{again}\n", "utf-8")
    assert "'business.payslip' again" in faults_of(folder)


def test_an_amount_written_out_in_the_words_is_an_error(folder: Path) -> None:
    path = folder / "topics" / "care" / "gp.en.md"
    path.write_text(path.read_text("utf-8") + "\n- It costs € 12.\n", "utf-8")
    assert "care/gp.en.md" in faults_of(folder)


def test_a_file_that_is_no_yaml_is_named_with_its_line(folder: Path) -> None:
    (folder / "sources.yml").write_text("a: [1\nb: 2\n", "utf-8")
    assert "sources.yml:2" in faults_of(folder) or "sources.yml:3" in faults_of(folder)


def test_a_wrong_value_is_named_with_its_line(folder: Path) -> None:
    path = folder / "parameters" / "work.yml"
    lines = path.read_text("utf-8").splitlines()
    at = next(number for number, line in enumerate(lines, 1) if "verified: true" in line)
    lines[at - 1] = lines[at - 1].replace("verified: true", "verified: perhaps")
    path.write_text("\n".join(lines), "utf-8")
    assert "parameters/work.yml:" in faults_of(folder)
    assert "verified" in faults_of(folder)


def test_a_source_that_was_not_looked_at_for_long_is_a_warning(folder: Path) -> None:
    later = NOW.date().replace(year=2028)
    warnings = check(folder, today=later).warnings
    assert any("checked" in fault.message or "stale" in fault.message for fault in warnings)


@pytest.mark.parametrize(
    ("section", "entries", "remedy"),
    [
        ("steps", [], "one each, in order"),
        ("short", [{"xx": "hm?"}], "language that is not there"),
        ("short", [{"en": ""}], "at least 1 character"),
        ("short", [{"en": []}], "at least 1 item"),
        ("advice", [], "not permitted"),
    ],
)
def test_questions_that_fit_no_line_are_an_error(folder: Path, section: str, entries: list, remedy: str) -> None:
    path = folder / "questions" / "work" / "holiday.yml"
    asked = yaml.safe_load(path.read_text("utf-8")) | {section: entries}
    path.write_text(yaml.safe_dump(asked, allow_unicode=True), "utf-8")
    assert any(
        line.startswith("questions/work/holiday.yml") and remedy in line for line in faults_of(folder).splitlines()
    )


def test_a_question_is_asked_of_one_topic_alone(folder: Path) -> None:
    path, other = folder / "questions" / "work" / "holiday.yml", folder / "questions" / "care" / "gp.yml"
    asked, others = (yaml.safe_load(file.read_text("utf-8")) for file in (path, other))
    other.write_text(yaml.safe_dump(others | {"short": asked["short"]}, allow_unicode=True), "utf-8")
    assert "stands in questions/care/gp.yml as well" in faults_of(folder)
