"""Cyrillic and Greek in Latin letters, for the training."""

from __future__ import annotations

from nlu.transliteration import with_latin

TEXTS = ["мені потрібен лікар", "нямам щастие с жилище", "хочу поехать домой", "я не маю житла"]


def test_one_example_more_leaves_the_spelling_of_all_others() -> None:
    def spelled(texts: list[str]) -> list[str]:
        return with_latin(texts, ["topic"] * len(texts), ["uk"] * len(texts))[0][len(texts) :]

    assert spelled(["щось", *TEXTS])[1:] == spelled(TEXTS)


def test_both_spellings_are_taken() -> None:
    texts = [f"{text} хата" for text in TEXTS] * 3 + [f"хата {number}" for number in range(8)]
    spelled, _ = with_latin(texts, ["topic"] * len(texts), ["uk"] * len(texts))
    assert {"khata" in text for text in spelled[len(texts) :]} == {True, False}
