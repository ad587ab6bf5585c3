"""Measures which line of an answer is shown first, on questions that nothing was made from (`tests/nlu/held_out/lines.<lang>.yml`).

Each names its topic and some words of the line that answers it, or none where the short answer or no line does. Prints for each
language how often the right line is nearest, and for several limits how often a line would be shown and be right or wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from rasa.shared.nlu.constants import INTENT, METADATA, TEXT

from knowledge.files import SECTIONS, Content, load
from knowledge.importer import questions
from knowledge.schema import Words
from nlu import encoder, lines
from nlu.arrays import Floats
from nlu.encodings import EncodingCache
from nlu.lines import KnownQuestion, LineModel

ROOT = Path(__file__).parents[1]
HELD_OUT = ROOT / "tests" / "nlu" / "held_out"
LIMITS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8)


@dataclass(frozen=True)
class Asked:
    """A question and the line that answers it ("details.2"); None where no line does."""

    language: str
    topic: str
    text: str
    line: str | None


def held_out(content: Content) -> Iterator[Asked]:
    """The questions to measure on, without those whose words stand in no line any more, or in several."""
    for path in sorted(HELD_OUT.glob("lines.*.yml")):
        language = path.name.split(".")[1]
        for entry in yaml.safe_load(path.read_text("utf-8")):
            found = lines_with(content.words[entry["topic"], language], entry["line"]) if entry["line"] else [None]
            if len(found) == 1:
                yield Asked(language, entry["topic"], entry["question"], found[0])
            else:
                print(f"{path.name}: {entry['line']!r} stands in {len(found)} lines of {entry['topic']}")


def lines_with(words: Words, part: str) -> list[str]:
    """Where some words stand in an answer ("details.2")."""
    return [
        f"{section}.{number}"
        for section in SECTIONS
        for number, line in enumerate(getattr(words, section))
        if part in line
    ]


def main() -> None:
    """Encode, rank and print."""
    content, _ = load()
    engine, cache = encoder.find(), EncodingCache(None, encoder.version())
    known = [KnownQuestion(m.get(TEXT), m.get(INTENT), m.get(METADATA)["line"]) for m in questions(content)]
    asked = list(held_out(content))

    def encoded(texts: list[str]) -> Floats:
        return cache.encode(engine, texts, say=lambda done, of: print(f"encoded {done} of {of}", end="\r", flush=True))

    model = LineModel.train(known, encoded([question.text for question in known]))
    ranked = [model.rank(a.topic, row) for a, row in zip(asked, encoded([a.text for a in asked]), strict=True)]
    has_line = np.array([a.line is not None for a in asked])
    right = np.array([bool(found) and found[0][0].line == a.line for a, found in zip(asked, ranked, strict=True)])
    is_line = np.array([bool(found) and not found[0][0].line.startswith("short") for found in ranked])
    clear = np.array([found[0][1] - found[1][1] if found else 0.0 for found in ranked])
    languages = np.array([a.language for a in asked])
    print(f"{len(known)} known questions; measured on {has_line.sum()} with a line and {(~has_line).sum()} without")
    for language in sorted(set(languages)):
        these = (languages == language) & has_line
        print(f"{language}: right line first {right[these].mean():.3f} of {these.sum()}")
    print("by how much | of all: right shown, wrong shown | of those with a line: right shown")
    for limit in sorted({*LIMITS, lines.CLEAR}):
        shown = is_line & (clear >= limit)
        mark = "*" if limit == lines.CLEAR else " "
        print(
            f"{mark}{limit:.2f}       | {(shown & right).mean():.3f}  {(shown & ~right).mean():.3f}"
            f" | {(shown & right)[has_line].mean():.3f}"
        )


if __name__ == "__main__":
    main()
