"""The notation in which staff write phrases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.phrases import PhraseBook, words_of


def finds(phrase: str, text: str) -> bool:
    return any(True for _ in PhraseBook([(phrase, phrase)]).find(text))


@pytest.mark.parametrize(
    ("phrase", "hit", "miss"),
    [
        ("has a knife", "He HAS  a knife!!", "has a big knife"),
        ("samobój*", "myślę o samobojstwie", "samo bój"),
        ("*قتل*", "سيقتلني الآن", "قلت له"),
        ("knife/gun/axe*", "with axes", "knifes"),
        ("fell … roof", "he fell down from the roof", "he fell when he was working on top of the roof"),
        ("passport* + boss/agency", "the agency has our passports", "i lost my passport on holiday"),
        ("passport* + boss/agency", "passports? the boss keeps them", "my boss is kind"),
        ("threw us out ~ job*", "they threw us out tonight", "they threw us out of the job"),
        ("=help me", "Help me!!!", "help me with my digid"),
        ("=help!", "help!", "help"),
        ("=help!", "HELP", "Help"),
        ("=help!", "help help", "help?"),
        ("=help!", "Help!!!", "help! with my digid"),
        ("don't breathe", "they dont breathe", "they do breathe"),
        ("don’t breathe", "they don't breathe", "breathe"),
        ("мене б'ють", "мене бють", "мене люблять"),
        ("зґвалтували", "згвалтували", "гвинт"),
        ("🆘", "🆘🆘", "sos"),
        ("help", "heeeeelp", "helpdesk"),
        ("co-worker fell", "my co worker fell", "coworker fell"),
    ],
)
def test_a_phrase_finds_what_it_means_and_nothing_else(phrase: str, hit: str, miss: str) -> None:
    assert finds(phrase, hit)
    assert not finds(phrase, miss)


def test_parts_that_stand_far_apart_have_nothing_to_do_with_each_other() -> None:
    far = " ".join(f"w{n}" for n in range(20))
    assert not finds("passport* + boss", f"passport {far} boss")


@pytest.mark.parametrize("phrase", ["", "… knife", "a*", "knife/…", "b + + c", "=", "two words/…"])
def test_a_phrase_that_cannot_be_read_is_named_and_takes_no_other_with_it(phrase: str) -> None:
    book = PhraseBook([(phrase, "bad"), ("has a knife", "good")])
    assert [payload for payload, _ in book.faults] == ["bad"]
    assert list(book.find("he has a knife")) == ["good"]


def test_a_word_that_is_repeated_counts_once() -> None:
    assert words_of("help help HELP!! meeeee") == ["help", "me"]


@given(st.text(max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    finds("a … b/co* + *d* ~ e", text)
