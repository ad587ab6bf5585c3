"""Urgency: phrases alone, and phrases with the topic model's probabilities."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.urgency_rules import check
from knowledge.files import Content, UrgencyPatterns
from nlu.urgency import Level, PhraseRules, decide, rules_of

RULES = PhraseRules(
    {
        "en": UrgencyPatterns(
            certain={
                "urgent.danger": ("he has … knife", "beat* me"),
                "urgent.suicide": ("want to die",),
                "urgent.exploitation": ("took my passport",),
            },
            possible={"urgent.medical": ("not feel well",)},
            not_now=("last year", "in a film"),
            told=("in the film ~ as in",),
        )
    }
)


@pytest.fixture(scope="module")
def shipped(content: Content) -> PhraseRules:
    return rules_of(content.urgency)


@pytest.mark.parametrize(
    ("text", "label", "level"),
    [
        ("He has a big knife!", "urgent.danger", Level.CERTAIN),
        ("help, he is BEATING me", "urgent.danger", Level.CERTAIN),
        ("last year they took my passport", "urgent.exploitation", Level.POSSIBLE),
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


def test_what_can_be_over_is_not_certain_by_the_model_alone_where_it_was_long_ago() -> None:
    found = decide(RULES, {"urgent.medical": 0.99}, "last year my hand was in the machine")
    assert found is not None
    assert found.level is Level.POSSIBLE


@pytest.mark.parametrize("text", ["since last year I want to die", "last year he has a knife, as in a film"])
def test_nothing_makes_a_wish_to_die_or_violence_harmless(text: str) -> None:
    found = RULES.find(text)
    assert found is not None
    assert found.level is Level.CERTAIN


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("in the film he has a knife", Level.POSSIBLE),
        ("he has a knife as in the film", Level.CERTAIN),
        ("in the film she took pills and I want to die", Level.CERTAIN),
    ],
)
def test_a_tale_makes_violence_possible_and_never_a_wish_to_die(text: str, level: Level) -> None:
    found = RULES.find(text)
    assert found is not None
    assert found.level is level


@pytest.mark.parametrize(
    "text",
    [
        "we watched a film and my husband started to strangle me",
        "we saw a film and after that he raped me",
        "In a film I learned a signal. My husband beats me every day, please help",
        "oglądałam film a mąż zaczął mnie dusić",
        "mąż mnie bije bo przegrał w grze, boję się",
        "я смотрела фильм и муж меня избил",
        "муж меня бьет, помогите, я сижу в ванной, он в игре проиграл",
    ],
)
def test_a_film_takes_nothing_back_from_whoever_speaks_of_themselves(shipped: PhraseRules, text: str) -> None:
    found = shipped.find(text)
    assert found is not None
    assert found.level is Level.CERTAIN


def test_a_tale_is_not_certain_by_the_model_alone() -> None:
    found = decide(RULES, {"urgent.abuse": 0.9}, "in the film he hits her")
    assert found is not None
    assert found.level is Level.POSSIBLE


def test_of_two_kinds_the_one_that_kills_sooner_comes_first() -> None:
    found = RULES.find("they took my passport and I want to die, he is beating me")
    assert found is not None
    assert (found.label, found.also) == ("urgent.suicide", ("urgent.danger", "urgent.exploitation"))


def test_every_phrase_finds_its_examples_and_leaves_everyday_messages_alone(content: Content) -> None:
    assert check(content) == []


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
def test_the_shipped_phrases_find_the_plainest_cries(shipped: PhraseRules, text: str, label: str) -> None:
    found = shipped.find(text)
    assert found is not None
    assert found.label == label


# In each language the plainest word for help; what a menu is called in some of them is a cry only where it is cried.
MENU_WORDS = ("help", "hulp", "pomoc", "допомога")
CALLS = (
    *(
        "ajutor",
        "помощ",
        "помощь",
        "ayuda",
        "segítség",
        "ajuda",
        "aiuto",
        "βοήθεια",
        "pagalba",
        "yardım",
        "مساعدة",
        "hilfe",
        "aide",
    ),
    *("помогите", "pomocy", "допоможіть", "help me", "help mij", "pomozte", "pomôžte", "imdat", "socorro", "النجدة"),
)


@pytest.mark.parametrize("word", CALLS)
def test_whoever_only_calls_for_help_is_in_danger(shipped: PhraseRules, word: str) -> None:
    found = shipped.find(word)
    assert found is not None
    assert found.level is Level.CERTAIN


@pytest.mark.parametrize("word", MENU_WORDS)
def test_the_name_of_the_menu_is_a_cry_where_it_is_cried(shipped: PhraseRules, word: str) -> None:
    for said, level in ((word, Level.POSSIBLE), (f"{word}!", Level.CERTAIN), (word.upper(), Level.CERTAIN)):
        found = shipped.find(said)
        assert found is not None
        assert found.level is level


def test_who_uses_the_same_phrases_shares_the_rules(content: Content, shipped: PhraseRules) -> None:
    copied = {code: entry.model_copy(deep=True) for code, entry in reversed(content.urgency.items())}
    assert rules_of(copied) is shipped
    english = content.urgency["en"].model_copy(update={"not_now": ()})
    assert rules_of({**content.urgency, "en": english}) is not shipped
