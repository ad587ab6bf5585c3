"""Trying, checking and measuring the urgent phrases, for staff who write them (`wegwijs urgency`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from knowledge.files import Content
from nlu.evaluation import LabelledMessage
from nlu.urgency import Level, PhraseRules, rules_of


@dataclass(frozen=True, order=True)
class Miss:
    """A phrase that cannot be read, an example that none finds, or an everyday message that one takes for an emergency."""

    language: str
    text: str
    problem: str


@dataclass(frozen=True)
class Caught:
    """What the phrases alone make of one language's labelled messages.

    Attributes:
        urgent: how many messages are urgent.
        certain: how many of these are certain; `noticed` adds the possible ones.
        others: how many messages are not urgent.
        alarms: how many of these are taken for certain.

    """

    urgent: int
    certain: int
    noticed: int
    others: int
    alarms: int


def check(content: Content) -> list[Miss]:
    """Hold every phrase against the examples and everyday messages of all languages."""
    rules = rules_of(content.urgency)
    unreadable = (Miss(language, "", message) for language, message in rules.faults)
    return sorted([*unreadable, *_unfound(content, rules), *_false_alarms(content, rules)])


def measure(content: Content, messages: Sequence[LabelledMessage]) -> dict[str, Caught]:
    """The figures by language."""
    rules = rules_of(content.urgency)
    counts: dict[str, Counter[str]] = {}
    for message in messages:
        count = counts.setdefault(message.language, Counter())
        found = rules.find(message.text)
        level = found.level if found else None
        group = "urgent" if message.kind == "urgent" else "others"
        count[group] += 1
        count[f"{group} certain"] += level is Level.CERTAIN
        count[f"{group} noticed"] += level is not None
    return {
        language: Caught(c["urgent"], c["urgent certain"], c["urgent noticed"], c["others"], c["others certain"])
        for language, c in sorted(counts.items())
    }


def _unfound(content: Content, rules: PhraseRules) -> Iterator[Miss]:
    for language, entry in content.urgency.items():
        for kind, examples in entry.examples.items():
            for text in examples:
                found = rules.find(text)
                if found is None or found.level is not Level.CERTAIN:
                    yield Miss(language, text, f"is not found as {kind}")
                elif kind not in (found.label, *found.also):
                    yield Miss(language, text, f"is taken for {found.label}, not for {kind}")


def _false_alarms(content: Content, rules: PhraseRules) -> Iterator[Miss]:
    for entry in content.urgency.values():
        for text in entry.everyday:
            found = rules.find(text)
            if found is None or found.level is not Level.CERTAIN:
                continue
            for fired in rules.fired(text):
                if fired.level is Level.CERTAIN:
                    yield Miss(fired.language, text, f"is everyday, but {fired.phrase!r} takes it for {fired.kind}")
