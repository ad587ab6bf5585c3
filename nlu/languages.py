"""Which language a message is in: detectors behind one interface, weighed with the conversation's language.

First what needs no statistics: the script, and the words that stand in every language ("ok", "DigiD", a street, a town), which
tell nothing and never flip a conversation. What is left goes to the detectors. Who is not sure says so: `Identified.alternative`
is the language to offer beside the one that is answered in. Figures for each detector: docs/models.md.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Protocol

import langdetect
from babel.core import get_global
from langdetect.detector_factory import DetectorFactory
from lingua import IsoCode639_1, LanguageDetectorBuilder

from knowledge import places
from knowledge.search import fold

if TYPE_CHECKING:  # brings scikit-learn, which nobody needs who identifies languages by a library alone
    from nlu.ngrams import LinearModel

# How much likelier, before the message is read, the conversation's language is than all others together.
PRIOR = 0.9
HINT = 0.6  # the same for a messenger's language setting, which is often that of the shop that sold the phone
SWITCH = 0.8  # posterior that another language needs before the conversation changes to it
SWITCH_WORDS = 3  # and words: two may be somebody's name
BEYOND = 0.99  # share of the vocabulary's evidence that a language must have that is none of those known
BEYOND_WORDS = 4
SURE = 0.8  # posterior below which the second likeliest language is offered to somebody whose language is not known yet
_FLOOR = 1e-4
# No detector beside our own may rule a language out: vocabulary takes Ukrainian in Latin letters for Polish.
_BESIDE_FLOOR = 1e-2
OWN_WEIGHT_OTHER_SCRIPT = 0.2  # Ukrainian examples are full of Russian words, which the vocabulary keeps apart
OWN_WEIGHT = 0.6  # our own detector knows how people type, the one beside it words that no example has (docs/models.md)
_NOISE = re.compile(r"https?://\S+|\S+@\S+|\b[\w-]+\.(?:nl|com|org|eu)\b")
_STREET = re.compile(
    r"\b[\w'’-]+(?:straat|str|weg|laan|plein|gracht|kade|dijk|singel|steeg)\b(?:\s*\d+\s*[a-z]?\b)?", re.IGNORECASE
)
_SCRIPTS = {"Cyrl": "CYRILLIC", "Grek": "GREEK", "Arab": "ARABIC"}  # CLDR's name and Unicode's
LATIN = "LATIN"
_SHORTEST_PLACE = 5


class Detector(Protocol):
    """Gives each served language its probability for a text."""

    def probabilities(self, text: str) -> Mapping[str, float]:
        """Probabilities by ISO 639-1 code; languages left out count as next to nothing."""


@dataclass(frozen=True)
class Identified:
    """The language to answer in, how sure that is, and the likeliest ones in order.

    `alternative` is another language that it may well be: to be offered, never taken without being asked for. `beyond` is the
    language of a message that is in none of those known; `code` is then only the one to answer in.
    """

    code: str
    confidence: float
    ranking: tuple[tuple[str, float], ...]
    alternative: str | None = None
    beyond: str | None = None


class LinguaDetector:
    """lingua, restricted to the served languages.

    Args:
        accurate: with all n-grams, which take 430 MB for sixteen languages; trigrams alone take 40.

    """

    def __init__(self, languages: Sequence[str], *, accurate: bool = True) -> None:
        codes = [getattr(IsoCode639_1, code.upper()) for code in languages]
        self._only = languages[0]
        self._detector = None
        if len(codes) > 1:
            builder = LanguageDetectorBuilder.from_iso_codes_639_1(*codes)
            self._detector = (builder if accurate else builder.with_low_accuracy_mode()).build()

    def probabilities(self, text: str) -> Mapping[str, float]:
        """Lingua's confidence values."""
        if self._detector is None:
            return {self._only: 1.0}
        found = self._detector.compute_language_confidence_values(text)
        return {value.language.iso_code_639_1.name.lower(): value.value for value in found}


class LangdetectDetector:
    """langdetect; it cannot be restricted, so probability that falls on other languages is lost."""

    def __init__(self, languages: Sequence[str]) -> None:
        self._languages = frozenset(languages)
        DetectorFactory.seed = 0  # without a seed the same text gets another answer each time

    def probabilities(self, text: str) -> Mapping[str, float]:
        """Langdetect's probabilities of the served languages; none for a text without letters."""
        try:
            found = langdetect.detect_langs(text)
        except langdetect.LangDetectException:
            return {}
        return {guess.lang: guess.prob for guess in found if guess.lang in self._languages}


class NgramDetector:
    """Our own model, trained on the examples: it knows phone spelling, transliteration and the words of the domain."""

    def __init__(self, model: LinearModel) -> None:
        self.model = model

    def probabilities(self, text: str) -> Mapping[str, float]:
        """The model's calibrated probabilities."""
        row = self.model.probabilities([text])[0]
        return dict(zip(self.model.labels, row.tolist(), strict=True))


class LanguageIdentifier:
    """Weighs script, detectors and memory into one decision.

    Args:
        languages: ISO 639-1 codes of the known languages.
        beside: a detector of general vocabulary; it may know more languages than those, and so tell what is none of them.
        own: the one trained on the examples.
        shared_words: folded words that stand in messages of every language, such as "loonstrook".
        default: the language where nothing tells.

    """

    def __init__(
        self,
        languages: Sequence[str],
        beside: Detector | None,
        own: Detector | None = None,
        *,
        shared_words: Collection[str] = (),
        default: str = "en",
    ) -> None:
        self._languages = tuple(languages)
        self._shared = frozenset(shared_words)
        share = OWN_WEIGHT if beside else 1.0
        # Detector, its share of the evidence, and the least that it may say of a language.
        self._detectors: list[tuple[Detector, float, float]] = [(own, share, _FLOOR)] if own else []
        if beside:
            self._detectors.append((beside, 1 - share, _BESIDE_FLOOR) if own else (beside, 1.0, _FLOOR))
        self._own, self._widest = own, beside
        self._default = default if default in languages else languages[0]

    def identify(self, text: str, *, conversation: str | None = None, hint: str | None = None) -> Identified:
        """The language of a message.

        Args:
            text: what the person wrote.
            conversation: the language spoken so far.
            hint: the messenger's language setting, for a conversation without one.

        """
        spoken = conversation if conversation in self._languages else None
        prior = self._prior(spoken, hint)
        written = _letters(_NOISE.sub(" ", text))
        telling = self._telling(written)
        if not telling and (spoken or not written):
            return self._ranked(spoken or self._order(prior)[0], prior, alternative=None)
        if beyond := self._beyond(telling):
            code = spoken or self._order(prior)[0]
            return Identified(code, prior[code], ((code, prior[code]),), beyond=beyond)
        # Somebody who begins with "loonstrook?" has said something after all.
        posterior = self._posterior(telling or written, prior)
        if spoken is None:
            return self._first(posterior, telling)
        return self._next(posterior, spoken, telling)

    def likeliest(self, text: str, among: Collection[str]) -> str:
        """Which of a few languages a message is in, where what it says has ruled out all others.

        Args:
            text: what the person wrote.
            among: known languages, at least one.

        """
        posterior = self._posterior(_letters(text), self._prior(None, None))
        return next(code for code in self._order(posterior) if code in among)

    def _beyond(self, telling: str) -> str | None:
        if self._widest is None or len(telling.split()) < BEYOND_WORDS:
            return None
        found = self._widest.probabilities(telling)
        code = max(found, key=lambda other: found[other], default="")
        if not code or code in self._languages or found[code] < BEYOND:
            return None
        # Our own is as sure of Arabic whatever is written in Arabic letters: it knows no other language that is.
        own = self._own if len(self._candidates(telling)) > 1 else None
        if own is not None and max(own.probabilities(telling).values()) >= BEYOND:
            return None
        return code

    def _first(self, posterior: Mapping[str, float], telling: str) -> Identified:
        code, *others = self._order(posterior)
        # One word may be somebody's name, and nobody is asked for the language of a name.
        is_unsure = posterior[code] < SURE and len(telling.split()) > 1
        return self._ranked(code, posterior, alternative=others[0] if others and is_unsure else None)

    def _next(self, posterior: Mapping[str, float], spoken: str, telling: str) -> Identified:
        code = self._order(posterior)[0]
        if code == spoken:
            return self._ranked(code, posterior, alternative=None)
        is_long = len(telling.split()) >= SWITCH_WORDS or spoken not in self._candidates(telling)
        if is_long and posterior[code] >= SWITCH:
            return self._ranked(code, posterior, alternative=None)
        return self._ranked(spoken, posterior, alternative=code)

    def _posterior(self, text: str, prior: Mapping[str, float]) -> dict[str, float]:
        candidates = self._candidates(text)
        evidence = {code: math.log(prior[code]) for code in candidates}
        is_other = _script(text) != LATIN and len(self._detectors) > 1
        for number, (detector, usual, floor) in enumerate(self._detectors):
            own = number == 0
            share = usual if not is_other else OWN_WEIGHT_OTHER_SCRIPT if own else 1 - OWN_WEIGHT_OTHER_SCRIPT
            found = detector.probabilities(text)
            for code in candidates:
                evidence[code] += share * math.log(max(found.get(code, 0.0), floor))
        highest = max(evidence.values())
        weights = {code: math.exp(value - highest) for code, value in evidence.items()}
        total = sum(weights.values())
        return {code: weights.get(code, 0.0) / total for code in self._languages}

    def _candidates(self, text: str) -> tuple[str, ...]:
        """The languages that are written in the text's script; all of them for Latin letters, which everybody types."""
        script = _script(text)
        if script == LATIN:
            return self._languages
        return tuple(code for code in self._languages if script_of(code) == script) or self._languages

    def _telling(self, written: str) -> str:
        words = _STREET.sub(" ", written).split()
        return " ".join(word for word in words if not self._is_shared(fold(word)))

    def _is_shared(self, word: str) -> bool:
        return word in self._shared or (len(word) >= _SHORTEST_PLACE and word in places.names())

    def _prior(self, spoken: str | None, hint: str | None) -> dict[str, float]:
        known, share = (spoken, PRIOR) if spoken else (hint, HINT)
        others = len(self._languages) - 1
        if known not in self._languages or not others:
            return dict.fromkeys(self._languages, 1 / len(self._languages))
        return {code: share if code == known else (1 - share) / others for code in self._languages}

    def _order(self, posterior: Mapping[str, float]) -> list[str]:
        return sorted(posterior, key=lambda code: (-posterior[code], code != self._default, code))

    def _ranked(self, code: str, posterior: Mapping[str, float], *, alternative: str | None) -> Identified:
        ranking = tuple((other, posterior[other]) for other in self._order(posterior)[:3])
        return Identified(code, posterior[code], ranking, alternative)


def shared_words(texts: Sequence[str], languages: Sequence[str]) -> tuple[str, ...]:
    """Words that people take over from the Netherlands whatever they speak, as the examples show them.

    A word in Latin letters amid Cyrillic, Greek or Arabic is such a word ("DigiD", "loonstrook", "shift").

    Args:
        texts: messages.
        languages: the language of each.

    """
    found: Counter[str] = Counter()
    for text, language in zip(texts, languages, strict=True):
        if script_of(language) != LATIN and _script(text) == script_of(language):
            found.update({fold(word) for word in _letters(text).split() if _script(word) == LATIN})
    return tuple(sorted(word for word, times in found.items() if times > 1))


@cache
def script_of(language: str) -> str:
    """Unicode's name of the script that a language is written in (CLDR's likely subtags); LATIN where none of the others."""
    subtags = str(get_global("likely_subtags").get(language, language)).split("_")
    return next((name for code, name in _SCRIPTS.items() if code in subtags), LATIN)


def _script(text: str) -> str:
    # Latin only where nothing else is: whoever writes Cyrillic puts Dutch words in between, hardly anybody the other way round.
    names = Counter(unicodedata.name(letter, LATIN).partition(" ")[0] for letter in text if letter.isalpha())
    others = Counter({name: count for name, count in names.items() if name != LATIN})
    return others.most_common(1)[0][0] if others.total() > 1 else LATIN


def _letters(text: str) -> str:
    """The words of a text without digits and signs."""
    return " ".join(word for word in re.findall(r"[\w'’]+", text) if any(letter.isalpha() for letter in word))
