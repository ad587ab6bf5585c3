"""Write `nlu/known_words.npz`: digests of the words that are no typing mistake, from the lists of `wordfreq` (CC BY-SA 4.0).

    python -m scripts.update_known_words

Digests instead of words: they load in some milliseconds, and of 10,000 unknown words one or two pass for known ones.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import wordfreq
from numpy.typing import NDArray

from knowledge.files import load
from knowledge.search import fold
from nlu.spelling import KNOWN_WORDS, SHORTEST


def digests(languages: Sequence[str]) -> NDArray[np.uint32]:
    """The digests of all languages' words, sorted."""
    words = {
        fold(word)
        for language in languages
        for word in wordfreq.iter_wordlist(language, wordlist="small")
        if len(word) >= SHORTEST and word.isalpha()
    }
    return np.unique(np.array([zlib.crc32(word.encode()) for word in words], dtype=np.uint32))


if __name__ == "__main__":
    # The steps from one to the next take less room than the digests.
    steps = np.diff(digests(load()[0].known_languages), prepend=np.uint32(0))
    np.savez_compressed(KNOWN_WORDS, steps=steps)
