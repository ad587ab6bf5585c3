"""Is this message about somebody in danger? Phrases that staff can read, and the topic model; either alone is enough.

Six kinds, two levels. `certain`: the helpline comes first. `possible`: the normal answer stands under one line with the emergency
number. Phrases come from `knowledge/urgency/<lang>.yml` and work without any model. The topic model knows the six kinds among its
labels; what counts is their probability together, since three kinds at a quarter each still tell of somebody in danger. A
detector of its own, trained on urgent against all else, missed more at the same number of false alarms (docs/models.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from knowledge.files import UrgencyPatterns
from knowledge.search import fold

# Probability of the six kinds together. What is missed costs more than what is offered in vain (docs/models.md).
CERTAIN = 0.65
POSSIBLE = 0.06
PREFIX = "urgent."  # of the labels that are urgent kinds
_GAP = r"(?:\W+\w+){0,4}\W+"  # "…" in a phrase: up to four words


class Level(StrEnum):
    """How sure we are that somebody needs help now."""

    CERTAIN = "certain"
    POSSIBLE = "possible"


@dataclass(frozen=True)
class Urgency:
    """An urgent kind and how sure we are of it."""

    label: str
    level: Level


class PhraseRules:
    """The urgent phrases of one or more languages.

    A phrase is words as people type them: `*` stands for any ending, `…` for up to four words, `/` between words for either
    of them. Case, diacritics and punctuation do not matter. `not_now` phrases ("last year", "for school") turn `certain`
    into `possible`.
    """

    def __init__(self, patterns: Mapping[str, UrgencyPatterns]) -> None:
        entries = patterns.values()
        self._certain = {k: _any(p for e in entries for p in e.certain.get(k, ())) for k in _kinds(entries)}
        self._possible = {k: _any(p for e in entries for p in e.possible.get(k, ())) for k in _kinds(entries)}
        self._not_now = _any(phrase for entry in entries for phrase in entry.not_now)

    def find(self, text: str) -> Urgency | None:
        """The first kind whose phrases the text has, `certain` before `possible`."""
        folded = fold(text)
        for kind, pattern in self._certain.items():
            if pattern.search(folded):
                level = Level.POSSIBLE if self._not_now.search(folded) else Level.CERTAIN
                return Urgency(kind, level)
        for kind, pattern in self._possible.items():
            if pattern.search(folded):
                return Urgency(kind, Level.POSSIBLE)
        return None

    def is_not_now(self, text: str) -> bool:
        """Whether the text says that it is about the past, a question of principle or a figure of speech."""
        return bool(self._not_now.search(fold(text)))


def decide(rules: PhraseRules, probabilities: Mapping[str, float], text: str) -> Urgency | None:
    """Phrases and detector together: the higher of the two levels.

    Args:
        rules: the phrases of all languages.
        probabilities: of the urgent kinds, from the topic model; empty where none is loaded, and the phrases decide alone.
        text: what the person wrote.

    """
    by_rule = rules.find(text)
    if by_rule is not None and by_rule.level is Level.CERTAIN:
        return by_rule
    total = sum(probabilities.values())
    if total >= POSSIBLE:
        kind = max(probabilities, key=lambda label: probabilities[label])
        sure = total >= CERTAIN and not rules.is_not_now(text)
        return Urgency(kind, Level.CERTAIN if sure else Level.POSSIBLE)
    return by_rule


def _kinds(entries: Iterable[UrgencyPatterns]) -> list[str]:
    return sorted({kind for entry in entries for kind in (*entry.certain, *entry.possible)})


def _any(phrases: Iterable[str]) -> re.Pattern[str]:
    alternatives = [_regex(phrase) for phrase in phrases]
    return re.compile("|".join(alternatives) if alternatives else r"(?!)")


def _regex(phrase: str) -> str:
    parts = [_words(part) for part in fold(phrase).split("...")] if "..." in fold(phrase) else [_words(fold(phrase))]
    return r"\b" + _GAP.join(parts)


def _words(part: str) -> str:
    return r"\W+".join(_word(word) for word in part.split())


def _word(word: str) -> str:
    options = [re.escape(option).replace(r"\*", r"\w*") for option in word.split("/")]
    return rf"\b(?:{'|'.join(options)})\b" if not word.endswith("*") else rf"\b(?:{'|'.join(options)})"
