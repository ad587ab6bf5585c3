"""Classifying texts with the shipped assistant: what `wegwijs classify` prints and `wegwijs eval` measures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from bot.assistant import Assistant

RANKING_SHOWN = 3
DECIMALS = 4


async def classify_texts(assistant: Assistant, texts: Sequence[str]) -> list[dict[str, Any]]:
    """One result a text, in order; see `as_result`."""
    return [as_result(await assistant.parse(text)) for text in texts]


async def classify_lines(assistant: Assistant, lines: Iterable[str], out: TextIO) -> None:
    """Read JSON lines with `text`, write one JSON line for each; a line that is wrong gets an error in its place."""
    for line in lines:
        if not line.strip():
            continue
        out.write(json.dumps(await _line(assistant, line), ensure_ascii=False) + "\n")
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


async def _line(assistant: Assistant, line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        return {"error": f"not JSON: {error.msg} at character {error.pos}"}
    text = entry.get("text") if isinstance(entry, dict) else None
    if not isinstance(text, str) or not text.strip():
        return {"error": 'no text: write {"text": "…"}'}
    # A leading slash is the sign of a button; typed by a person it is text.
    return as_result(await assistant.parse(text.lstrip("/ ") or "?"))
