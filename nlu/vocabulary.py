"""Language by vocabulary: naive Bayes over the word lists of `wordfreq`, which knows the words that no example has.

The lists hold how often some 30,000 to 60,000 words of each language occur in encyclopedias, subtitles, news and the web. A
message is scored by its words and by the character n-grams of its words; nothing is fitted, so training is one pass over the
lists. Languages of another script are counted once more in Latin letters, as people type them without such a keyboard.
Beside Lingua it is more often right on two words and takes a thirtieth of the memory (docs/models.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import wordfreq

from nlu.arrays import Floats
from nlu.ngrams import NgramSpace, model_file, softmax
from nlu.transliteration import is_other_script, latin

FORMAT = 1
# Words are looked up one by one: hashed into fewer features, 700,000 words would too often stand for each other.
SPACE = NgramSpace(words=(1, 1), character_bits=17, word_bits=18)
MOST_WORDS = 25_000  # of a language, the commonest ones
IN_LATIN = 0.1  # share of the messages in such a language that are typed in Latin letters
UNSEEN = 1e-6  # added to each share, so that one unknown word decides nothing
# A word of five letters has about twenty n-grams, which are no independent witnesses: together they count about as one word.
CHARACTERS_WEIGHT = 0.15


@dataclass(frozen=True)
class VocabularyModel:
    """Log shares of words and n-grams by language.

    Attributes:
        labels: ISO 639-1 codes in the order of the columns.
        weights: 16-bit floats of shape (features, labels).

    """

    labels: tuple[str, ...]
    weights: Floats

    @classmethod
    def train(cls, languages: Sequence[str]) -> VocabularyModel:
        """Count the word lists.

        Raises:
            LookupError: `wordfreq` has no list of a language.

        """
        columns = [_shares(language) for language in languages]
        return cls(tuple(languages), np.stack(columns, axis=1))

    def save(self, path: Path) -> None:
        """Write one file (NumPy archive, compressed); the suffix is `.npz`."""
        np.savez_compressed(path, format=FORMAT, labels=np.asarray(self.labels), weights=self.weights)

    @classmethod
    def load(cls, path: Path) -> VocabularyModel:
        """Read what `save` wrote; raises `nlu.ngrams.ModelFileError` where it is no such file."""
        with model_file(path, FORMAT) as data:
            return cls(tuple(str(label) for label in data["labels"]), data["weights"])

    def probabilities(self, text: str) -> Mapping[str, float]:
        """The probability of each language, all equally likely before the text was read."""
        indices, counts = SPACE.counts_of_one(text)
        scores = counts @ self.weights[indices].astype(np.float32)
        return dict(zip(self.labels, softmax(scores).tolist(), strict=True))


def _shares(language: str) -> Floats:
    frequencies = {w: f for w, f in wordfreq.get_frequency_dict(language, wordlist="small").items() if w.isalpha()}
    words = sorted(frequencies, key=lambda word: -frequencies[word])[:MOST_WORDS]
    weights = [frequencies[word] for word in words]
    foreign = [(word, weight) for word, weight in zip(words, weights, strict=True) if is_other_script(word)]
    for spelling in (0, 1):
        words += [latin(word, language, spelling=spelling) for word, _ in foreign]
        weights += [weight * IN_LATIN / 2 for _, weight in foreign]
    counted = SPACE.counts(words).T @ np.asarray(weights)
    characters, whole = np.split(counted, [2**SPACE.character_bits])
    return np.concatenate(
        [
            CHARACTERS_WEIGHT * np.log(characters / characters.sum() + UNSEEN),
            np.log(whole / whole.sum() + UNSEEN),
        ]
    ).astype(np.float16)
