"""Measures what the shipped assistant makes of labelled messages: topics, urgency, language, scope, calibration.

Input: JSON lines with `text`, `lang` (ISO 639-1), `label` (a topic, urgent kind or service intent) and `kind` (topic, urgent,
near_miss, service); results come from `bot.classify`. How the report looks: `nlu.evaluation_report`.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OUT_OF_SCOPE = "out_of_scope"
CALIBRATION_BINS = 10


class LabelledMessageError(ValueError):
    """A line of an evaluation file cannot be used; the message says which and why."""


@dataclass(frozen=True)
class LabelledMessage:
    """A message with what it should be taken for."""

    text: str
    language: str
    label: str
    kind: str
    file: str
    line: int


@dataclass(frozen=True)
class Scores:
    """The figures of one language; shares from 0 to 1, None where there was nothing to measure."""

    messages: int
    top1: float | None
    top3: float | None
    urgent_recall: float | None
    false_certain_near: float | None
    false_certain_ordinary: float | None
    false_possible_ordinary: float | None
    language: float | None
    out_of_scope_answered: float | None
    out_of_scope_f1: float | None
    calibration_error: float | None


def read_messages(files: Iterable[Path]) -> list[LabelledMessage]:
    """All messages of all files.

    Raises:
        LabelledMessageError: a line is no JSON object or lacks a field.

    """
    return [_message(path, number, line) for path in files for number, line in _lines(path)]


def score(messages: Sequence[LabelledMessage], results: Sequence[Mapping[str, Any]]) -> Scores:
    """The figures over all given messages, which are usually those of one language."""
    pairs = list(zip(messages, results, strict=True))
    topics = [(m, r) for m, r in pairs if m.kind in ("topic", "near_miss") and m.label != OUT_OF_SCOPE]
    urgent = [(m, r) for m, r in pairs if m.kind == "urgent"]
    near = [(m, r) for m, r in pairs if m.kind == "near_miss"]
    ordinary = [(m, r) for m, r in pairs if m.kind in ("topic", "service")]
    outside = [(m, r) for m, r in pairs if m.label == OUT_OF_SCOPE]
    return Scores(
        messages=len(pairs),
        top1=_share(r["label"] == m.label for m, r in topics),
        top3=_share(m.label in [entry["label"] for entry in r["ranking"]] for m, r in topics),
        urgent_recall=_share(r["urgency"] is not None for _, r in urgent),
        false_certain_near=_share(_level(r) == "certain" for _, r in near),
        false_certain_ordinary=_share(_level(r) == "certain" for _, r in ordinary),
        false_possible_ordinary=_share(_level(r) == "possible" for _, r in ordinary),
        language=_share(r["language"] == m.language for m, r in pairs),
        out_of_scope_answered=_share(r["decision"] == "answer" and "." in r["label"] for _, r in outside),
        out_of_scope_f1=_f1(pairs, OUT_OF_SCOPE),
        calibration_error=calibration_error(topics),
    )


def by_language(
    messages: Sequence[LabelledMessage], results: Sequence[Mapping[str, Any]]
) -> dict[str, tuple[list[LabelledMessage], list[Mapping[str, Any]]]]:
    """Messages and results of each language, in alphabetical order."""
    split: defaultdict[str, tuple[list[LabelledMessage], list[Mapping[str, Any]]]] = defaultdict(lambda: ([], []))
    for message, result in zip(messages, results, strict=True):
        split[message.language][0].append(message)
        split[message.language][1].append(result)
    return dict(sorted(split.items()))


def language_by_words(
    messages: Sequence[LabelledMessage], results: Sequence[Mapping[str, Any]]
) -> dict[str, tuple[float, int]]:
    """Share of messages whose language was right, and their number, by the number of words: "1", "2", "3+"."""
    right: defaultdict[str, list[bool]] = defaultdict(list)
    for message, result in zip(messages, results, strict=True):
        words = len(message.text.split())
        right[str(words) if words < 3 else "3+"].append(result["language"] == message.language)
    return {group: (sum(found) / len(found), len(found)) for group, found in sorted(right.items())}


def calibration(pairs: Sequence[tuple[LabelledMessage, Mapping[str, Any]]]) -> list[tuple[float, float, int]]:
    """For each tenth of confidence: mean confidence, share that was right, and how many messages."""
    bins: defaultdict[int, list[tuple[float, bool]]] = defaultdict(list)
    for message, result in pairs:
        place = min(int(result["confidence"] * CALIBRATION_BINS), CALIBRATION_BINS - 1)
        bins[place].append((result["confidence"], result["label"] == message.label))
    return [
        (sum(c for c, _ in found) / len(found), sum(ok for _, ok in found) / len(found), len(found))
        for _, found in sorted(bins.items())
    ]


def calibration_error(pairs: Sequence[tuple[LabelledMessage, Mapping[str, Any]]]) -> float | None:
    """Expected calibration error: by how much confidence and share of right answers differ on average."""
    if not pairs:
        return None
    return sum(abs(mean - right) * count for mean, right, count in calibration(pairs)) / len(pairs)


def confusions(messages: Sequence[LabelledMessage], results: Sequence[Mapping[str, Any]]) -> Counter[tuple[str, str]]:
    """How often each label was taken for each label, right ones included."""
    return Counter((m.label, r["label"]) for m, r in zip(messages, results, strict=True))


def _share(outcomes: Iterable[bool]) -> float | None:
    found = list(outcomes)
    return sum(found) / len(found) if found else None


def _level(result: Mapping[str, Any]) -> str | None:
    return result["urgency"]["level"] if result["urgency"] else None


def _f1(pairs: Sequence[tuple[LabelledMessage, Mapping[str, Any]]], label: str) -> float | None:
    hits = sum(m.label == label == r["label"] for m, r in pairs)
    actual, said = sum(m.label == label for m, _ in pairs), sum(r["label"] == label for _, r in pairs)
    return 2 * hits / (actual + said) if actual else None


def _lines(path: Path) -> Iterable[tuple[int, str]]:
    return ((n, line) for n, line in enumerate(path.read_text("utf-8").splitlines(), 1) if line.strip())


def _message(path: Path, number: int, line: str) -> LabelledMessage:
    try:
        entry = json.loads(line)
        return LabelledMessage(entry["text"], entry["lang"], entry["label"], entry["kind"], path.name, number)
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise LabelledMessageError(
            f"{path.name}:{number}: needs a JSON object with text, lang, label and kind"
        ) from error
