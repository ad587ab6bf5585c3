"""Answers: the right amount for the day, doubts that are said, contacts that are open or not."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from knowledge import answers
from knowledge.answers import UnknownTopicError, answer, find_line, find_measures, is_open
from knowledge.files import SECTIONS, Content
from knowledge.formats import counted, distance, listing, long_date, plural_categories, value
from knowledge.schema import ParameterKind
from tests.conftest import NOW

SUNDAY_NIGHT = datetime(2026, 11, 22, 22, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "written"),
    [(date(2026, 3, 1), "14.71"), (date(2025, 3, 1), "14.06")],
)
def test_the_minimum_wage_is_that_of_the_day(content: Content, day: date, written: str) -> None:
    shown = answer(content, "work.minimum_wage", "en", now=NOW, on=day)
    wage = content.parameters["minimum_wage.hourly_21"].on(day)
    assert wage is not None
    assert str(wage.value) == written
    assert written in shown.short + " ".join((*shown.steps, *shown.details))


def test_amounts_are_written_as_the_language_writes_them() -> None:
    assert value(ParameterKind.MONEY, Decimal("1234.5"), "nl").replace("\xa0", " ") == "€ 1.234,50"
    assert value(ParameterKind.MONEY, Decimal("14.71"), "pl").replace("\xa0", " ") == "14,71 €"
    assert value(ParameterKind.MONEY, Decimal("385"), "en") == "€385"
    assert value(ParameterKind.PERCENT, Decimal("8"), "en") == "8%"
    assert long_date(date(2026, 7, 1), "uk").startswith("1 липня 2026")
    assert distance(3.26, "nl").replace("\xa0", " ") == "3,3 km"
    assert listing(["a", "b", "c"], "en") == "a, b and c"  # as in British English


@pytest.mark.parametrize(("number", "written"), [("1", "1 rok"), ("2", "2 lata"), ("5", "5 lat"), ("22", "22 lata")])
def test_a_noun_stands_in_the_form_that_its_number_asks_for(number: str, written: str) -> None:
    assert plural_categories("pl") == ("one", "few", "many")
    assert counted(Decimal(number), ("rok", "lata", "lat"), "pl").replace("\xa0", " ") == written


def test_no_answer_shows_a_placeholder_in_any_language(content: Content) -> None:
    for topic in content.topics:
        for language in content.languages:
            shown = answer(content, topic, language, now=NOW)
            text = " ".join((shown.title, shown.short, *shown.steps, *shown.details, *shown.exceptions))
            assert "{" not in text, (topic, language)
            assert shown.contacts
            assert shown.references
            limit = 300 if topic.startswith("urgent.") else 500
            assert len(shown.short) <= limit, (topic, language, len(shown.short))


def test_a_day_without_a_known_amount_says_so(content: Content) -> None:
    shown = answer(content, "work.minimum_wage", "en", now=NOW, on=date(2010, 1, 1))
    assert content.phrases["en"].phrases["warning.amount_unknown"] in shown.warnings


def test_stale_facts_are_shown_with_a_warning(content: Content) -> None:
    shown = answer(content, "work.minimum_wage", "nl", now=NOW.replace(year=2028))
    assert any("2026" in warning for warning in shown.warnings)


def test_an_unknown_topic_is_named(content: Content) -> None:
    with pytest.raises(UnknownTopicError, match=r"work\.magic"):
        answer(content, "work.magic", "en", now=NOW)


def test_opening_hours_follow_dutch_time_and_holidays(content: Content) -> None:
    desk = content.organisations["comensha"]
    assert is_open(desk, now=NOW) is True
    assert is_open(desk, now=SUNDAY_NIGHT) is False
    assert is_open(desk, now=datetime(2026, 12, 25, 10, 0, tzinfo=UTC)) is False
    shown = answers.contact(content, "comensha", "en", now=SUNDAY_NIGHT)
    assert shown.opens == "Monday 09:00"
    assert is_open(content.organisations["emergency_112"], now=SUNDAY_NIGHT) is True


@pytest.mark.parametrize(
    ("language", "question", "measure"),
    [
        ("en", "what did the government promise about agencies?", "agency_certification"),
        ("nl", "wat beloofde de overheid over uitzendbureaus?", "agency_certification"),
        ("pl", "co rząd obiecał w sprawie agencji", "agency_certification"),
        ("en", "what was promised about digid", "digid_at_rni"),
    ],
)
def test_a_measure_is_found_by_its_subject(content: Content, language: str, question: str, measure: str) -> None:
    assert measure in [note.id for note in find_measures(content, question, language, on=NOW.date())]


def test_all_fourteen_measures_have_words_and_a_timeline(content: Content) -> None:
    assert len(content.measures) == 14
    for key, measure in content.measures.items():
        assert measure.timeline
        for language in content.languages:
            note = answers.measure(content, key, language, on=NOW.date())
            assert note.promised
            assert note.now


def test_a_sentence_for_dutch_staff_is_said_in_dutch_with_its_meaning(content: Content) -> None:
    name, saying = next(iter(content.sayings.items()))
    for language in content.languages:
        said = answers.fill(content, f"Say: {{say:{name}}}", language, on=NOW.date())
        assert saying.root["nl"] in said
        assert (f"({saying.root[language]})" in said) == (language != "nl")
        assert "{" not in said


def test_the_words_on_a_measure_are_filled_in(content: Content) -> None:
    for language in content.languages:
        note = answers.measure(content, "good_landlord", language, on=NOW.date())
        assert "2023" in note.now
        assert "{" not in note.promised + note.now


def question_of(content: Content, topic: str, section: str, number: int) -> str:
    return next(q for s, n, _, q in content.questions[topic].asked() if (s, n) == (section, number))


def test_the_line_that_answers_a_question_is_found_in_every_language_and_filled_in(content: Content) -> None:
    for topic, questions in content.questions.items():
        for language in content.languages:
            shown = answer(content, topic, language, now=NOW)
            for section, number, _, question in questions.asked():
                found = find_line(content, topic, question, language, on=NOW.date())
                assert found == (None if section == "short" else getattr(shown, section)[number])


def test_a_line_for_others_answers_nobody_else(content: Content) -> None:
    topic, section, number = next(
        (topic, section, number)
        for (topic, language), words in content.words.items()
        for section in SECTIONS
        for number, line in enumerate(getattr(words, section))
        if language == "en" and topic in content.questions and line.startswith("[eu]")
    )
    question = question_of(content, topic, section, number)
    for group, is_theirs in (("eu", True), ("ukraine", False), ("other", False)):
        shown = answer(content, topic, "en", now=NOW, group=group)
        found = find_line(content, topic, question, "en", on=NOW.date(), group=group)
        assert (found is not None) == is_theirs
        assert found is None or found in getattr(shown, section)


def test_a_question_that_is_gone_from_the_content_finds_no_line(content: Content) -> None:
    assert find_line(content, "work.holiday", "a question that an editor took out", "en", on=NOW.date()) is None
