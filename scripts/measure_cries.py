"""Measures what becomes of cries for help, and of calm messages that sound like them, which no example was made from.

The phrases were mended with them in sight, so that only what the model makes of them says anything of other messages. They stand in
`tests/nlu/held_out/cries.<lang>.jsonl`; the newest trained model is asked, as the service asks it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bot.assistant import Assistant
from bot.classify import classify_texts
from bot.service import newest_model

ROOT = Path(__file__).parents[1]
HELD_OUT = ROOT / "tests" / "nlu" / "held_out"


def main() -> None:
    """Classify and print a row a language."""
    assistant = Assistant.load(newest_model(ROOT / "models"))
    table = Table("language", "cries", "found", "certain", "calm", "possible", "certain", title="Cries for help")
    for language, messages in read():
        results = classify_texts(assistant, [message["text"] for message in messages])
        levels = [result["urgency"]["level"] if result["urgency"] else None for result in results]
        cries, calm = (
            [level for level, message in zip(levels, messages, strict=True) if message["kind"] == kind]
            for kind in ("urgent", "calm")
        )
        of_cries = [f"{len(cries) - cries.count(None)}", f"{cries.count('certain')}"]
        table.add_row(
            language,
            f"{len(cries)}",
            *of_cries,
            f"{len(calm)}",
            f"{calm.count('possible')}",
            f"{calm.count('certain')}",
        )
    Console().print(table)


def read() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The messages of each language."""
    for path in sorted(HELD_OUT.glob("cries.*.jsonl")):
        yield path.name.split(".")[1], [json.loads(line) for line in path.read_text("utf-8").splitlines()]


if __name__ == "__main__":
    main()
