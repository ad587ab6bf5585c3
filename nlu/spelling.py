"""Which words of a vocabulary a mistyped word may have been meant for: those that one slip of the finger makes into it.

One slip is a letter too few, too many, wrong, or swapped with the next; a space left out between two words; or letters typed twice.
A word that any of the languages knows is no slip, so that "stomach" never becomes another word: `known_words.npz` holds digests of
the words in `wordfreq`'s lists (`scripts/update_known_words.py`). What slips the phrases forgive was measured: docs/models.md.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA

SHORTEST = 4  # letters of a word that may be meant: shorter ones are one letter away from too much
SHORTEST_BEGINNING = 7  # the same for the beginning of a word, whose ending can be anything
SHORTEST_WRONG = 5  # where one letter is wrong: of four letters three are left
SHORTEST_CUT = 7  # where the first letter is missing
SHORTEST_PIECE = 5  # of letters anywhere in a word
LONGEST_PREFIX = 2  # letters before these
LONGEST = 30  # letters of what is looked at: hardly two words together are longer
SHORTEST_PART = 2  # of two words without a space between them
KNOWN_WORDS = Path(__file__).with_name("known_words.npz")

_DOUBLED = re.compile(r"(.)\1")

# A word of a message as it was typed, and what it may have been meant for.
Readings = tuple[str, ...]


class Spelling:
    """Finds what may have been meant.

    Args:
        words: whole words, folded.
        beginnings: the same for the first letters of words.
        pieces: the same for letters anywhere in a word, as behind the small words that Arabic writes onto the next.
        known: words that are no slips, beside those of the lists.

    """

    def __init__(
        self,
        words: Collection[str],
        beginnings: Collection[str] = (),
        pieces: Collection[str] = (),
        *,
        known: Iterable[str] = (),
    ) -> None:
        self._words = frozenset(words)
        self._known = frozenset(known)
        self._whole = _Neighbours(word for word in self._words if len(word) >= SHORTEST)
        self._begun = _Neighbours(one for one in frozenset(beginnings) if len(one) >= SHORTEST_BEGINNING)
        self._pieces = _Neighbours(one for one in frozenset(pieces) if len(one) >= SHORTEST_PIECE)

    def readings(self, words: Sequence[str]) -> list[Readings]:
        """Each word with what it may have been meant for; two words for one that lacks the space between them.

        Args:
            words: folded, as `nlu.phrases.words_of` gives them.

        """
        found: list[Readings] = []
        for word in words:
            if not SHORTEST <= len(word) <= LONGEST or self._is_right(word):
                found.append((word,))
            elif meant := self._meant(word):
                found.append((word, *meant))
            elif parts := self._parts(word):
                # The word as it was typed stays: a phrase may look for its beginning.
                found += [(word, parts[0]), (parts[1],)]
            else:
                found.append((word,))
        return found

    def _is_right(self, word: str) -> bool:
        return word in self._words or word in self._known or is_known(word)

    def _meant(self, word: str) -> dict[str, None]:
        found = dict.fromkeys(self._whole.of(word))
        single = _DOUBLED.sub(r"\1", word)
        if single in self._words and len(single) >= SHORTEST:
            found[single] = None
        for end in range(SHORTEST_BEGINNING - 1, len(word) + 1):
            begun = (one for one in self._begun.of(word[:end]) if one[-1] == word[end - 1])
            found |= dict.fromkeys(one + word[end:] for one in begun)
        for start, end in product(range(LONGEST_PREFIX + 1), range(SHORTEST_PIECE - 1, len(word) + 1)):
            pieces = self._pieces.of(word[start:end])
            found |= dict.fromkeys(word[:start] + piece + word[end:] for piece in pieces)
        return found

    def _parts(self, word: str) -> tuple[str, str] | None:
        best: tuple[tuple[int, int], str, str] | None = None
        for at in range(SHORTEST_PART, len(word) - SHORTEST_PART + 1):
            one, other = word[:at], word[at:]
            of_phrases = (one in self._words) + (other in self._words)
            if of_phrases == 2 or (of_phrases and all(self._is_right(part) for part in (one, other))):
                best = max(best or ((0, 0), "", ""), ((of_phrases, min(at, len(word) - at)), one, other))
        return best and best[1:]


class _Neighbours:
    """Words by their first and by their second half: of two words with one slip between them one half is the same."""

    def __init__(self, words: Iterator[str]) -> None:
        self._by_half: defaultdict[tuple[int, bool, str], list[str]] = defaultdict(list)
        for word in words:
            half = len(word) // 2
            self._by_half[len(word), True, word[:half]].append(word)
            self._by_half[len(word), False, word[half:]].append(word)

    def of(self, typed: str) -> Iterator[str]:
        """The words that one slip makes into what was typed."""
        for length in range(len(typed) - 1, len(typed) + 2):
            half = length // 2
            # Where the two letters in the middle are swapped neither half is the same.
            swapped = typed[: half - 1] + typed[half : half + 1]
            for is_first, part in ((True, typed[:half]), (True, swapped), (False, typed[half - length :])):
                for word in self._by_half.get((length, is_first, part), ()):
                    if _is_slip(typed, word):
                        yield word


def _is_slip(typed: str, meant: str) -> bool:
    if OSA.distance(typed, meant, score_cutoff=1) != 1:
        return False
    if sorted(typed) == sorted(meant):
        return True
    if len(typed) == len(meant):
        # People hardly miss the first letter, and another last one is mostly another form of another word.
        return len(meant) >= SHORTEST_WRONG and typed[0] == meant[0] and typed[-1] == meant[-1]
    return typed[0] == meant[0] or len(meant) >= SHORTEST_CUT


def is_known(word: str) -> bool:
    """Whether a folded word stands in the list of any language."""
    digests = _known_digests()
    digest = zlib.crc32(word.encode("utf-8", "replace"))
    at = int(np.searchsorted(digests, np.uint32(digest)))
    return at < len(digests) and int(digests[at]) == digest


@cache
def _known_digests() -> NDArray[np.uint32]:
    with np.load(KNOWN_WORDS) as file:
        return np.cumsum(file["steps"], dtype=np.uint32)
