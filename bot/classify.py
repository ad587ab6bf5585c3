"""Classifying texts with the shipped assistant: what `wegwijs classify` prints and `wegwijs eval` measures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, TextIO

from bot.assistant import Assistant

RANKING_SHOWN = 3
DECIMALS = 4
BATCH = 64


def classify_texts(assistant: Assistant, texts: Sequence[str]) -> list[dict[str, Any]]:
    """One result a text, in order; see `as_result`."""
    return [
        as_result(parsed)
        for start in range(0, len(texts), BATCH)
        for parsed in assistant.parse_all([_as_typed(text) for text in texts[start : start + BATCH]])
    ]


def classify_lines(assistant: Assistant, lines: Iterable[str], out: TextIO, *, batch: int = BATCH) -> None:
    """Read JSON lines with `text`, write one JSON line for each; a line that is wrong gets an error in its place.

    Args:
        batch: how many lines are taken before the first is answered; 1 for somebody who types them.

    """
    waiting = (line for line in lines if line.strip())
    while taken := list(islice(waiting, batch)):
        read = [_read(line) for line in taken]
        results = iter(classify_texts(assistant, [text for text in read if isinstance(text, str)]))
        for text in read:
            out.write(json.dumps(next(results) if isinstance(text, str) else text, ensure_ascii=False) + "\n")
        out.flush()


def as_result(parsed: dict[str, Any]) -> dict[str, Any]:
    """The part of a parse that is promised: language, label, ranking, urgency and decision."""
    ranking = [
        {"label": entry["name"], "confidence": round(entry["confidence"], DECIMALS)}
        for entry in parsed["intent_ranking"][:RANKING_SHOWN]
    ]
    return {
        "language": parsed["language"]["code"],
        "language_confidence": round(parsed["language"]["confidence"], DECIMALS),
        "label": ranking[0]["label"],
        "confidence": ranking[0]["confidence"],
        "ranking": ranking,
        "urgency": parsed.get("urgency"),
        "decision": parsed["decision"],
    }


def _read(line: str) -> str | dict[str, str]:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        return {"error": f"not JSON: {error.msg} at character {error.pos}"}
    text = entry.get("text") if isinstance(entry, dict) else None
    if not isinstance(text, str) or not text.strip():
        return {"error": 'no text: write {"text": "…"}'}
    return text


def _as_typed(text: str) -> str:
    # A leading slash is the sign of a button; typed by a person it is text.
    return text.lstrip("/ ") or "?"
