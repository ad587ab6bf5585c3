"""What the check of wording finds, each rule with a text that breaks it and one that keeps it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from knowledge.check import Report, check
from knowledge.files import CONTENT_FOLDER, Content
from knowledge.wording import counted_nouns, load_wording, spelled_two_ways, uncounted
from tests.conftest import NOW

WORDING = load_wording()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped content that a test may spoil."""
    target = tmp_path / "content"
    shutil.copytree(CONTENT_FOLDER, target, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    return target


def found(report: Report, key: str, file: str) -> list[str]:
    return [fault.message for fault in report.faults if (fault.key, fault.file) == (key, file)]


@pytest.mark.parametrize("text", ["at least 21 years", "since 1 July 2023", "30% at most", "0,5 hour"])
def test_a_figure_in_the_words_is_found(text: str) -> None:
    assert list(WORDING.figures(text))


@pytest.mark.parametrize("text", ["your S1 and A1 form", "call 112", "{minimum_wage.hourly_21} an hour"])
def test_a_placeholder_and_a_name_with_a_figure_are_none(text: str) -> None:
    assert list(WORDING.figures(text)) == []


@pytest.mark.parametrize(
    "texts",
    [("Ask UWV.", "UWV (the benefits office) pays."), ("Your BSN is on it.",), ("Zapytaj UWV o to.",)],
)
def test_a_dutch_term_without_its_gloss_at_first_use_is_found(texts: tuple[str, ...]) -> None:
    assert list(WORDING.unexplained(texts)) == [next(term for term in ("UWV", "BSN") if term in texts[0])]


@pytest.mark.parametrize(
    "texts",
    [
        ("UWV, the benefits office, pays.", "Ask UWV."),
        ("UWV (benefits office)",),
        ("the citizen number (BSN)",),
        ('Say: "Ik heb geen BSN."',),
        ("Powiedz: „Ik heb geen BSN.”",),
    ],
)
def test_a_gloss_or_a_sentence_to_say_is_none(texts: tuple[str, ...]) -> None:
    assert list(WORDING.unexplained(texts)) == []


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Call the police at once."),
        ("nl", "Bel de politie."),
        ("pl", "Wtedy zadzwoń na policję."),
        ("uk", "Одразу дзвоніть у поліцію."),
    ],
)
def test_a_call_without_a_number_is_found(language: str, text: str) -> None:
    assert WORDING.calls_nobody(text, language)
    assert not WORDING.calls_nobody(text + " {org.police.phone}", language)


def test_who_only_may_be_called_back_is_not_told_to_call() -> None:
    assert not WORDING.calls_nobody("With your name they can call you back.", "en")
    assert not WORDING.calls_nobody("Call the number on your insurance card.", "en")


def test_a_number_with_its_noun_in_one_form_is_found(content: Content) -> None:
    number = next(name for name, parameter in content.parameters.items() if parameter.kind == "number")
    nouns = counted_nouns([f"{{{number}: rok | lata | lat}}"])
    assert list(uncounted(f"po {{{number}}} lat", content.parameters, nouns)) == [number]
    assert list(uncounted(f"po {{{number}: rok | lata | lat}}", content.parameters, nouns)) == []
    assert list(uncounted(f"po {{{number}}} m²", content.parameters, nouns)) == []


@pytest.mark.parametrize("again", ["088 0767 000", "+31 88 0767 000"])
def test_a_number_spelled_two_ways_is_found(again: str) -> None:
    assert list(spelled_two_ways(["088 076 70 00", again])) == [("088 076 70 00", again)]
    assert list(spelled_two_ways(["088 076 70 00", "+31 88 076 70 00", "+31 (0)88 076 70 00"])) == []


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Press “Nowhere”."),
        ("nl", "Druk op “Nergens”."),
        ("pl", "Naciśnij „Nigdzie”."),
        ("uk", "Натисніть «Ніде»."),
    ],
)
def test_a_button_that_is_not_there_is_an_error(folder: Path, language: str, text: str) -> None:
    path = folder / "phrases" / f"{language}.yml"
    phrases = yaml.safe_load(path.read_text("utf-8"))
    phrases["phrases"]["deny"] = text
    path.write_text(yaml.safe_dump(phrases, allow_unicode=True), "utf-8")
    report = check(folder, today=NOW.date())
    assert found(report, "button", f"phrases/{language}.yml")
    assert report.errors


def spoiled(folder: Path, change: dict[str, object]) -> Report:
    path = folder / "organisations.yml"
    organisations = yaml.safe_load(path.read_text("utf-8"))
    organisations["juridisch_loket"] |= change
    path.write_text(yaml.safe_dump(organisations, allow_unicode=True), "utf-8")
    return check(folder, today=NOW.date())


def test_a_card_that_may_not_be_shown_is_an_error(folder: Path) -> None:
    report = spoiled(folder, {"may_be_shown": False})
    assert any("may not be shown" in fault.message for fault in report.errors)


def test_a_number_that_two_organisations_spell_differently_is_an_error(folder: Path) -> None:
    report = spoiled(folder, {"phone": "0880767000"})
    assert found(report, "telephone", "organisations.yml")


def test_an_organisation_without_a_name_in_a_language_is_an_error(folder: Path) -> None:
    path = folder / "organisations.pl.yml"
    words = yaml.safe_load(path.read_text("utf-8"))
    words["organisations"]["police"]["name"] = None
    path.write_text(yaml.safe_dump(words, allow_unicode=True), "utf-8")
    assert any(fault.file == "organisations.pl.yml" for fault in check(folder, today=NOW.date()).errors)


def test_an_answer_over_its_length_and_each_rule_on_files_are_reported(folder: Path) -> None:
    path = folder / "topics" / "care" / "gp.en.md"
    spoiled_text = path.read_text("utf-8") + "\n- UWV pays from 21 on. Call them.\n- " + "word " * 320
    path.write_text(spoiled_text.rstrip() + ".\n", "utf-8")
    (folder / "questions" / "care" / "gp.yml").unlink()  # which has none for the new lines
    report = check(folder, today=NOW.date())
    for key in ("length", "figure", "gloss", "call"):
        assert found(report, key, "topics/care/gp.en.md"), key


def test_a_date_in_a_measure_is_reported(folder: Path) -> None:
    path = folder / "measures.nl.yml"
    words = yaml.safe_load(path.read_text("utf-8"))
    words["measures"]["good_landlord"]["now"] = "Sinds 1 juli 2019 is het wet."
    path.write_text(yaml.safe_dump(words, allow_unicode=True), "utf-8")
    report = check(folder, today=NOW.date())
    assert any("lacks good_landlord.start_date" in fault.message for fault in report.errors)
    words["measures"]["good_landlord"]["now"] += " Zie {good_landlord.start_date}."
    path.write_text(yaml.safe_dump(words, allow_unicode=True), "utf-8")
    assert any("2019" in message for message in found(check(folder, today=NOW.date()), "figure", "measures.nl.yml"))


def test_a_fraction_keeps_the_form_of_its_noun(content: Content) -> None:
    half = content.parameters["hours.break_short_from"]
    assert str(half.values[0].value) == "5.5"
    nouns = counted_nouns(["{hours.break_long_from: godzina | godziny | godzin}"])
    assert list(uncounted("ponad {hours.break_short_from} godziny", {"hours.break_short_from": half}, nouns)) == []
