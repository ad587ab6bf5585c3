"""Which language a message is in: detectors behind one interface, weighed with the conversation's language.

A word that stands in every language ("ok", "DigiD", a street) tells nothing and does not flip a conversation; a whole sentence in
another language does. Figures for each detector: docs/models.md.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import langdetect
from langdetect.detector_factory import DetectorFactory
from lingua import IsoCode639_1, LanguageDetectorBuilder

if TYPE_CHECKING:  # brings scikit-learn, which nobody needs who identifies languages by the library alone
    from nlu.ngrams import LinearModel

# How much likelier, before the message is read, the conversation's language is than all others together.
PRIOR = 0.9
HINT = 0.6  # the same for a messenger's language setting, which is often that of the shop that sold the phone
SWITCH = 0.8  # posterior that another language needs before the conversation changes to it
_LIBRARY_FLOOR = (
    1e-2  # no detector may rule a language out on its own: Lingua takes Ukrainian in Latin letters for Polish
)
_FLOOR = 1e-4
# Our own detector knows how people type; the library knows words that no example has (docs/models.md).
OWN_WEIGHT = 0.75
_NOISE = re.compile(r"https?://\S+|\S+@\S+|[\d\W_]+")


class Detector(Protocol):
    """Gives each served language its probability for a text."""

    def probabilities(self, text: str) -> Mapping[str, float]:
        """Probabilities by ISO 639-1 code; languages left out count as next to nothing."""


@dataclass(frozen=True)
class Identified:
    """The language to answer in, how sure that is, and the likeliest ones in order."""

    code: str
    confidence: float
    ranking: tuple[tuple[str, float], ...]


class LinguaDetector:
    """lingua, restricted to the served languages."""

    def __init__(self, languages: Sequence[str]) -> None:
        codes = [getattr(IsoCode639_1, code.upper()) for code in languages]
        self._detector = LanguageDetectorBuilder.from_iso_codes_639_1(*codes).build() if len(codes) > 1 else None
        self._only = languages[0]

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


DETECTORS: dict[str, type[LinguaDetector] | type[LangdetectDetector]] = {
    "lingua": LinguaDetector,
    "langdetect": LangdetectDetector,
}


class LanguageIdentifier:
    """Weighs detectors and memory into one decision."""

    def __init__(
        self, languages: Sequence[str], library: Detector | None, own: Detector | None = None, *, default: str = "en"
    ) -> None:
        self._languages = tuple(languages)
        share = OWN_WEIGHT if library else 1.0
        # Detector, its share of the evidence, and the least that it may say of a language.
        self._detectors: list[tuple[Detector, float, float]] = [(own, share, _FLOOR)] if own else []
        if library:
            beside = (1 - share, _LIBRARY_FLOOR) if own else (1.0, _FLOOR)
            self._detectors.append((library, *beside))
        self._default = default if default in languages else languages[0]

    def identify(self, text: str, *, conversation: str | None = None, hint: str | None = None) -> Identified:
        """The language of a message.

        Args:
            text: what the person wrote.
            conversation: the language spoken so far.
            hint: the messenger's language setting, for a conversation without one.

        """
        prior = self._prior(conversation, hint)
        if _is_address_or_noise(text):
            return self._decide(prior, conversation)
        evidence = {code: math.log(prior[code]) for code in self._languages}
        for detector, share, floor in self._detectors:
            found = detector.probabilities(text)
            for code in self._languages:
                evidence[code] += share * math.log(max(found.get(code, 0.0), floor))
        highest = max(evidence.values())
        weights = {code: math.exp(value - highest) for code, value in evidence.items()}
        total = sum(weights.values())
        return self._decide({code: weight / total for code, weight in weights.items()}, conversation)

    def _prior(self, conversation: str | None, hint: str | None) -> dict[str, float]:
        known, share = (conversation, PRIOR) if conversation in self._languages else (hint, HINT)
        others = len(self._languages) - 1
        if known not in self._languages or not others:
            return dict.fromkeys(self._languages, 1 / len(self._languages))
        return {code: share if code == known else (1 - share) / others for code in self._languages}

    def _decide(self, posterior: Mapping[str, float], conversation: str | None) -> Identified:
        ranking = tuple(sorted(posterior.items(), key=lambda item: (-item[1], item[0] != self._default, item[0])))
        code, confidence = ranking[0]
        if conversation in self._languages and code != conversation and confidence < SWITCH:
            code, confidence = str(conversation), posterior[str(conversation)]
        return Identified(code, confidence, ranking[:3])


def _is_address_or_noise(text: str) -> bool:
    letters = _NOISE.sub("", text)
    return not any(unicodedata.category(character).startswith("L") for character in letters)
