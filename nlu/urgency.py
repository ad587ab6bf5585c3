"""Is this message about somebody in danger? Phrases that staff can read, and the topic model; either alone is enough.

Six kinds, two levels. `certain`: the helpline comes first. `possible`: the normal answer stands under one line with the number of
that kind. Phrases come from `knowledge/urgency/<lang>.yml` and work without any model (`nlu.phrases` has their notation). The topic
model knows the six kinds among its labels; what counts is their probability together, since three kinds at a quarter each still
tell of somebody in danger. A detector of its own, trained on urgent against all else, missed more at the same number of false
alarms (docs/models.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from weakref import WeakValueDictionary

from knowledge.files import UrgencyPatterns
from nlu.phrases import PhraseBook

# Probability of the six kinds together. What is missed costs more than what is offered in vain (docs/models.md).
CERTAIN = 0.65
POSSIBLE = 0.1
# Where the model knows less, in a language without examples or without the encoder: it spreads a message over many topics there.
POSSIBLE_UNLEARNED = 0.06
PREFIX = "urgent."  # of the labels that are urgent kinds
# Whose help comes first where a message tells of several: what kills soonest.
IN_ORDER_OF_DANGER = (
    "urgent.medical",
    "urgent.suicide",
    "urgent.danger",
    "urgent.abuse",
    "urgent.exploitation",
    "urgent.homeless_tonight",
)
# "A year ago" may take a passport or a broken leg back. It never makes a wish to die or a blow harmless.
LOWERED_BY_NOT_NOW = frozenset({"urgent.medical", "urgent.exploitation", "urgent.homeless_tonight"})
NEVER_LOWERED = frozenset({"urgent.suicide"})
# Where somebody near may be the danger, or may not be meant to know: how to write safely is said too.
WITH_CARE = frozenset({"urgent.suicide", "urgent.abuse", "urgent.exploitation"})


class Level(StrEnum):
    """How sure we are that somebody needs help now."""

    CERTAIN = "certain"
    POSSIBLE = "possible"


@dataclass(frozen=True)
class Urgency:
    """An urgent kind and how sure we are of it; `also` are further kinds that are just as sure, in order of danger."""

    label: str
    level: Level
    also: tuple[str, ...] = ()
    languages: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Fired:
    """A phrase that a message has, with the language file that it stands in and what it tells."""

    language: str
    kind: str
    level: Level
    phrase: str


class PhraseRules:
    """The urgent phrases of one or more languages.

    Args:
        patterns: by language. `not_now` phrases ("last year", "for school") turn `certain` into `possible` for the kinds that
            can be over; `told` ones ("in a film") do for all kinds but suicide. Each of those is held back by "me" and "help":
            whoever is beaten may have watched a film, too.

    `faults` names the phrases that cannot be read, by language.

    """

    def __init__(self, patterns: Mapping[str, UrgencyPatterns]) -> None:
        everyday = [text for entry in patterns.values() for text in entry.everyday]
        self._book = PhraseBook(_phrases(patterns), everyday=everyday)
        # What takes a cry back is read as it was typed: a slip must not lower one.
        self._not_now = PhraseBook((phrase, code) for code, entry in patterns.items() for phrase in entry.not_now)
        self._told = PhraseBook((phrase, code) for code, entry in patterns.items() for phrase in entry.told)
        self.faults = [(fired.language, str(error)) for fired, error in self._book.faults]
        self.faults += [(language, str(error)) for language, error in (*self._not_now.faults, *self._told.faults)]

    def fired(self, text: str) -> list[Fired]:
        """Every phrase that a message has, each once, in the order of the message."""
        return list(dict.fromkeys(self._book.find(text)))

    def find(self, text: str) -> Urgency | None:
        """What the message is about: certain before possible, and in order of danger."""
        fired = self.fired(text)
        if not fired:
            return None
        levels = self._levels(fired, text)
        highest = Level.CERTAIN if Level.CERTAIN in levels.values() else Level.POSSIBLE
        kinds = [kind for kind in IN_ORDER_OF_DANGER if levels.get(kind) is highest]
        languages = frozenset(f.language for f in fired if f.kind in kinds and f.level is highest)
        return Urgency(kinds[0], highest, tuple(kinds[1:]), languages or frozenset(f.language for f in fired))

    def is_not_now(self, text: str) -> bool:
        """Whether the text says that it is about the past, a question of principle or a figure of speech."""
        return any(True for _ in self._not_now.find(text))

    def is_lowered(self, kind: str, text: str) -> bool:
        """Whether what the text says takes a kind back: nothing does that for suicide, and only a tale for violence."""
        if kind in NEVER_LOWERED:
            return False
        return any(True for _ in self._told.find(text)) or (kind in LOWERED_BY_NOT_NOW and self.is_not_now(text))

    def _levels(self, fired: list[Fired], text: str) -> dict[str, Level]:
        found = {f.kind for f in fired if f.level is Level.CERTAIN}
        certain = {kind for kind in found if not self.is_lowered(kind, text)}
        return {f.kind: Level.CERTAIN if f.kind in certain else Level.POSSIBLE for f in fired}


_shared: WeakValueDictionary[str, PhraseRules] = WeakValueDictionary()
_making = Lock()


def rules_of(patterns: Mapping[str, UrgencyPatterns]) -> PhraseRules:
    """The rules of these patterns: one object for all who use the same ones, since it takes 45 MB and half a second."""
    written = (f"{code} {patterns[code].model_dump_json()}" for code in sorted(patterns))
    digest = hashlib.sha256("\n".join(written).encode()).hexdigest()
    with _making:
        rules = _shared.get(digest)
        if rules is None:
            rules = _shared[digest] = PhraseRules(patterns)
    return rules


def decide(
    rules: PhraseRules, probabilities: Mapping[str, float], text: str, *, possible: float = POSSIBLE
) -> Urgency | None:
    """Phrases and detector together: the higher of the two levels.

    Args:
        rules: the phrases of all languages.
        probabilities: of the urgent kinds, from the topic model; empty where none is loaded, and the phrases decide alone.
        text: what the person wrote.
        possible: probability of the kinds together from which on it is possible.

    """
    by_rule = rules.find(text)
    if by_rule is not None and by_rule.level is Level.CERTAIN:
        return by_rule
    total = sum(probabilities.values())
    if total >= possible:
        kind = max(probabilities, key=lambda label: probabilities[label])
        sure = total >= CERTAIN and not rules.is_lowered(kind, text)
        return Urgency(kind, Level.CERTAIN if sure else Level.POSSIBLE)
    return by_rule


def _phrases(patterns: Mapping[str, UrgencyPatterns]) -> Iterator[tuple[str, Fired]]:
    for language, entry in patterns.items():
        for level, kinds in ((Level.CERTAIN, entry.certain), (Level.POSSIBLE, entry.possible)):
            for kind, phrases in kinds.items():
                for phrase in phrases:
                    yield phrase, Fired(language, kind, level, phrase)
