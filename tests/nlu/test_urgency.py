"""Urgency: phrases alone, and phrases with the topic model's probabilities."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.files import Content, UrgencyPatterns
from nlu.urgency import Level, PhraseRules, decide

RULES = PhraseRules(
    {
        "en": UrgencyPatterns(
            certain={"urgent.danger": ("he has … knife", "beat* me")},
            possible={"urgent.medical": ("not feel well",)},
            not_now=("last year", "in a film"),
        )
    }
)


@pytest.mark.parametrize(
    ("text", "label", "level"),
    [
        ("He has a big knife!", "urgent.danger", Level.CERTAIN),
        ("help, he is BEATING me", "urgent.danger", Level.CERTAIN),
        ("last year he has a knife", "urgent.danger", Level.POSSIBLE),
        ("I do not feel well", "urgent.medical", Level.POSSIBLE),
    ],
)
def test_phrases(text: str, label: str, level: Level) -> None:
    found = RULES.find(text)
    assert found is not None
    assert (found.label, found.level) == (label, level)


def test_a_gap_is_at_most_four_words() -> None:
    assert RULES.find("he has a nice car and a dog and also a knife") is None


def test_three_kinds_that_are_each_unsure_tell_together_of_danger() -> None:
    found = decide(RULES, {"urgent.danger": 0.3, "urgent.abuse": 0.25, "urgent.medical": 0.2}, "text")
    assert found is not None
    assert (found.label, found.level) == ("urgent.danger", Level.CERTAIN)


def test_what_is_over_is_never_certain_by_the_model_alone() -> None:
    found = decide(RULES, {"urgent.danger": 0.99}, "last year he hit me")
    assert found is not None
    assert found.level is Level.POSSIBLE


def test_without_a_model_the_phrases_decide() -> None:
    assert decide(RULES, {}, "how high is the wage") is None
    assert decide(RULES, {}, "he has a knife") is not None


@given(st.text(max_size=200))
def test_no_text_breaks_the_rules(text: str) -> None:
    RULES.find(text)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("mijn baas heeft mijn paspoort afgepakt", "urgent.exploitation"),
        ("szef zabrał mi paszport", "urgent.exploitation"),
        ("I want to kill myself", "urgent.suicide"),
        ("шеф забрав паспорт", "urgent.exploitation"),
    ],
)
def test_the_shipped_phrases_find_the_plainest_cries(content: Content, text: str, label: str) -> None:
    found = PhraseRules(content.urgency).find(text)
    assert found is not None
    assert found.label == label
