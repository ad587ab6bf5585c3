"""What a mistyped word may have been meant for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.files import Content
from knowledge.search import fold
from nlu.phrases import PhraseBook
from nlu.spelling import Spelling, is_known
from nlu.urgency import Level, PhraseRules, rules_of
from scripts.typos import KINDS, certain
from scripts.update_known_words import digests

SPELLING = Spelling(
    {"knife", "help", "passport", "szefem", "boss", "took", "брат", "помогите", "μαχαίρι", "سكين", "nie", "oddycha"},
    {"samoboj"},
    known={"knifey"},
)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("knfie", "knife"),
        ("knif", "knife"),
        ("kknife", "knife"),
        ("knjfe", "knife"),
        ("heelp", "help"),
        ("heellpp", "help"),
        ("hlep", "help"),
        ("assport", "passport"),
        ("pasport", "passport"),
        ("помогте", "помогите"),
        ("помоигте", "помогите"),
        ("سكيين", "سكين"),
        ("smaobojstwo", "samobojstwo"),
        ("samobjstwem", "samobojstwem"),
    ],
)
def test_one_slip_is_seen_through(typed: str, meant: str) -> None:
    assert SPELLING.readings([typed]) == [(typed, meant)]


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("knifey", "an everyday word of ours"),
        ("brać", "a Polish word"),
        ("helm", "a Dutch word"),
        ("knjfey", "two slips"),
        ("knifx", "another ending"),
        ("hxlp", "a wrong letter of four"),
        ("xnife", "the first letter is hardly ever missed"),
        ("samobow", "the ending of a beginning"),
        ("b" * 31, "longer than any two words"),
        ("hel", "too short"),
    ],
)
def test_what_may_be_another_word_is_left_alone(typed: str, why: str) -> None:
    assert SPELLING.readings([fold(typed)]) == [(fold(typed),)], why


def test_a_space_left_out_is_put_back_and_the_word_as_it_was_typed_stays() -> None:
    assert SPELLING.readings(["nieoddycha", "bosstook"]) == [
        ("nieoddycha", "nie"),
        ("oddycha",),
        ("bosstook", "boss"),
        ("took",),
    ]


@given(st.lists(st.text(max_size=40)))
def test_no_word_breaks_it(words: list[str]) -> None:
    readings = SPELLING.readings(words)
    assert len(readings) >= len(words)


def test_a_phrase_forgives_a_slip_but_not_where_it_would_take_it_back() -> None:
    book = PhraseBook([("has … knife ~ kitchen", "knife")], everyday=["she has a knofe"])
    assert list(book.find("he has a knfie")) == ["knife"]
    assert not list(book.find("he has a knfie in the kitchn"))
    assert not list(book.find("he has a knofe")), "a word of an everyday message"


def test_the_known_words_are_those_of_the_lists(content: Content) -> None:
    assert all(is_known(fold(word)) for word in ("żołądek", "stomach", "желудок", "معدة", "στομάχι", "gyomor"))
    assert not is_known("stomahc")
    assert {int(one) for one in digests(["lt"])} <= {int(one) for one in digests(content.known_languages)}


@pytest.fixture(scope="module")
def rules(content: Content) -> PhraseRules:
    return rules_of(content.urgency)


@pytest.mark.parametrize("kind", KINDS)
def test_most_cries_stay_certain_with_one_mistake_in_them(content: Content, rules: PhraseRules, kind: str) -> None:
    cries = [text for entry in content.urgency.values() for texts in entry.examples.values() for text in texts[::8]]
    _, (_, number, sure) = certain(rules, cries, (kind,))
    assert sure / number >= 0.7  # without forgiveness 0.45 to 0.56


def test_a_mistake_hardly_makes_an_everyday_message_a_cry(content: Content, rules: PhraseRules) -> None:
    everyday = [text for entry in content.urgency.values() for text in entry.everyday[::8]]
    (_, _, without), *others = certain(rules, everyday)
    assert without == 0
    assert sum(sure for _, _, sure in others) / sum(number for _, number, _ in others) < 0.025


def test_what_kills_is_certain_in_a_hurry(rules: PhraseRules) -> None:
    for text in (
        "pomocy on ma nzo zabije mnei",
        "he has a knfie",
        "он меня зареэет помогте",
        "ik kanniet ademen",
        "nefes alamiyroum",
    ):
        found = rules.find(text)
        assert found is not None
        assert found.level is Level.CERTAIN, text
