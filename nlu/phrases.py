"""Phrases that staff write and computers look for: the matcher behind the urgency rules.

A phrase is words as people type them. Case, diacritics, apostrophes, punctuation and stretched letters ("heeelp") do not matter,
nor, where a book forgives it, does a slip of the finger (`nlu.spelling`).

    he has a knife        these words one after the other
    samobój*              any ending; *قتل* anything around it
    knife/gun/axe         one of these words
    fell … roof           up to four words between
    passport* + boss/took all of the parts, in any order and near each other
    threw us out ~ job*   not where this stands in the message as well
    =help me              the whole message and nothing else
    =help!                the same, cried: with "!", in capitals, or more than once

All phrases of all languages are looked up together by their first word, so a message costs the same whether there are a hundred
or ten thousand of them. What a phrase means is `nlu.urgency`; the phrases stand in `knowledge/urgency/<lang>.yml`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Generic, TypeVar

from knowledge.search import fold
from nlu.spelling import Readings, Spelling

GAP = 4  # words that "…" may stand for
WINDOW = 12  # words within which all parts of a phrase stand
SHORTEST_STEM = 2  # letters before a "*": a shorter stem would be most words

MOST_WORDS = 600  # that are looked at: of a longer text the beginning and the end
END_WORDS = 200

# Apostrophes, and signs that nobody sees (soft hyphens, joiners), which phones and copied texts put into words.
_NOT_SEEN = re.compile(r"['’ʼ`´‘\u00ad\u200b-\u200f\u2060\ufeff]")
_SPELLED = re.compile(r"(?<!\w)(?:\w[ .\-_*]){2,}\w(?!\w)")  # "k i l l"
_STRETCHED = re.compile(r"(.)\1{2,}")
_TOKEN = re.compile(r"[^\W_]+|[\u2600-\u27bf\U0001f000-\U0001faff]")

Payload = TypeVar("Payload")


class PhraseError(ValueError):
    """A phrase cannot be read; the message says why."""


def words_of(text: str) -> list[str]:
    """The folded words and signs of a text in order; one that is said several times in a row counts once."""
    plain = _SPELLED.sub(lambda letters: re.sub(r"[\W_]", "", letters[0]), _plain(text))
    found: list[str] = []
    for word in _TOKEN.findall(plain):
        if not found or found[-1] != word:
            found.append(word)
    return found if len(found) <= MOST_WORDS else [*found[: MOST_WORDS - END_WORDS], *found[-END_WORDS:]]


def _plain(text: str) -> str:
    return _STRETCHED.sub(r"\1", _NOT_SEEN.sub("", fold(text)))


@dataclass(frozen=True)
class _Word:
    """What one place in a phrase may be: whole words, beginnings of words, or letters anywhere in a word."""

    whole: frozenset[str]
    stems: tuple[str, ...]
    inside: tuple[str, ...]

    def fits(self, readings: Readings) -> bool:
        return any(
            word in self.whole or word.startswith(self.stems) or any(part in word for part in self.inside)
            for word in readings
        )


# Words that follow one another; between two runs of a part stands a "…".
_Run = tuple[_Word, ...]
_Part = tuple[_Run, ...]


@dataclass(frozen=True)
class _Phrase(Generic[Payload]):
    parts: tuple[_Part, ...]
    without: tuple[_Part, ...]
    is_whole: bool
    is_cried: bool
    payload: Payload

    def fits(self, words: Sequence[Readings], at: int) -> bool:
        """Whether the message has all parts of the phrase, the first one beginning at one of its words."""
        end = _end(self.parts[0], words, at)
        if end is None or (self.is_whole and (at, end) != (0, len(words))):
            return False
        near = range(max(0, at - WINDOW), min(len(words), end + WINDOW))
        return all(any(_end(part, words, start) is not None for start in near) for part in self.parts[1:])

    def places(self) -> Iterator[_Word]:
        """Every word of the phrase, of what it must stand without too."""
        for part in (*self.parts, *self.without):
            yield from chain.from_iterable(part)

    def is_held_back(self, words: Sequence[Readings]) -> bool:
        """Whether the message has what the phrase must stand without."""
        return any(_end(part, words, start) is not None for part in self.without for start in range(len(words)))


class PhraseBook(Generic[Payload]):
    """Phrases with what each stands for.

    A phrase that cannot be read is left out and named in `faults`: one slip of an editor must not take the others away.

    Args:
        phrases: pairs of a phrase in the notation above and its payload.
        everyday: messages whose words are never taken for mistyped ones of the phrases; without any a word counts only as it
            was typed.

    """

    def __init__(self, phrases: Iterable[tuple[str, Payload]], *, everyday: Iterable[str] | None = None) -> None:
        self._by_word: defaultdict[str, list[_Phrase[Payload]]] = defaultdict(list)
        self._by_stem: defaultdict[str, list[_Phrase[Payload]]] = defaultdict(list)
        self._by_inside: defaultdict[str, list[_Phrase[Payload]]] = defaultdict(list)
        self.faults: list[tuple[Payload, PhraseError]] = []
        words: set[str] = set()
        stems: set[str] = set()
        inside: set[str] = set()
        for text, payload in phrases:
            try:
                phrase = _parse(text, payload)
            except PhraseError as error:
                self.faults.append((payload, error))
                continue
            for place in phrase.places():
                words |= place.whole
                stems.update(place.stems)
                inside.update(place.inside)
            first = phrase.parts[0][0][0]
            for word in first.whole:
                self._by_word[word].append(phrase)
            for stem in first.stems:
                self._by_stem[stem].append(phrase)
            for part in first.inside:
                self._by_inside[part].append(phrase)
        self._readings: Callable[[Sequence[str]], list[Readings]] = _as_typed
        if everyday is not None:
            known = _TOKEN.findall(_plain("\n".join(everyday)))
            self._readings = Spelling(words, stems, inside, known=known).readings
        self._longest_stem = max(map(len, self._by_stem), default=0)
        self._any_inside = re.compile("|".join(map(re.escape, self._by_inside)) or "(?!)")

    def find(self, text: str) -> Iterator[Payload]:
        """What stands behind each phrase that the text has, each once, in the order of the text."""
        words = self._readings(words_of(text))
        is_cried = "!" in text or text.isupper() or len(text.split()) > len(words)
        # Decided for this text: found, or held back by what stands elsewhere in it. Without it a text that repeats one word
        # would be read again from the start at each.
        decided: set[int] = set()
        for at, readings in enumerate(words):
            for phrase in chain.from_iterable(map(self._beginning_with, readings)):
                if id(phrase) in decided or (phrase.is_cried and not is_cried) or not phrase.fits(words, at):
                    continue
                decided.add(id(phrase))
                if not phrase.is_held_back(words):
                    yield phrase.payload

    def _beginning_with(self, word: str) -> Iterator[_Phrase[Payload]]:
        yield from self._by_word.get(word, ())
        for length in range(SHORTEST_STEM, min(len(word), self._longest_stem) + 1):
            yield from self._by_stem.get(word[:length], ())
        if self._any_inside.search(word):
            for part, phrases in self._by_inside.items():
                if part in word:
                    yield from phrases


def _as_typed(words: Sequence[str]) -> list[Readings]:
    return [(word,) for word in words]


def _end(part: _Part, words: Sequence[Readings], at: int) -> int | None:
    """Where a part that begins at a word ends; None where it does not fit there."""
    run, *rest = part
    end = at + len(run)
    if end > len(words) or not all(place.fits(word) for place, word in zip(run, words[at:end], strict=True)):
        return None
    if not rest:
        return end
    for gap in range(GAP + 1):
        found = _end(tuple(rest), words, end + gap)
        if found is not None:
            return found
    return None


def _parse(text: str, payload: Payload) -> _Phrase[Payload]:
    said, *without = re.split(r"\s+~\s+", text.strip())
    is_whole = said.startswith("=")
    try:
        parts = tuple(_part(part) for part in re.split(r"\s+\+\s+", said.removeprefix("=")))
        return _Phrase(parts, tuple(map(_part, without)), is_whole, is_whole and said.endswith("!"), payload)
    except PhraseError as error:
        raise PhraseError(f"{text!r}: {error}") from None


def _part(said: str) -> _Part:
    runs = tuple(tuple(place for word in run.split() for place in _places(word)) for run in re.split(r"…|\.\.\.", said))
    if not all(runs):
        raise PhraseError("a word is missing beside '…', '+' or '~'")
    return runs


@cache  # the words of all phrases are few, and reading them is most of what making a book costs
def _places(word: str) -> tuple[_Word, ...]:
    # "co-worker" is two words in a message and so two places here.
    options = word.split("/")
    if len(options) == 1 and "*" not in word:
        tokens = words_of(word)
        if not tokens:
            raise PhraseError(f"{word!r} is no word")
        return tuple(_Word(frozenset([token]), (), ()) for token in tokens)
    whole: set[str] = set()
    stems: list[str] = []
    inside: list[str] = []
    for option in options:
        tokens = words_of(option.strip("*"))
        if len(tokens) != 1:
            raise PhraseError(f"{option!r} is not one word")
        letters = tokens[0]
        if option.startswith("*"):
            inside.append(letters)
        elif option.endswith("*"):
            if len(letters) < SHORTEST_STEM:
                raise PhraseError(f"{option!r} would be almost any word")
            stems.append(letters)
        else:
            whole.add(letters)
    return (_Word(frozenset(whole), tuple(stems), tuple(inside)),)
