"""Draws how the topic model grows with the number of examples a label: `docs/learning_curve.png` and a line of figures."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import matplotlib.pyplot as plt
import typer

from knowledge.importer import examples
from nlu.evaluation import read_messages
from nlu.topics import TopicModel

ROOT = Path(__file__).parents[1]
SIZES = (4, 8, 16, 32, 60)


def main(
    language: Annotated[str, typer.Argument(help="Language of the examples (ISO 639-1).")],
    files: Annotated[list[Path], typer.Argument(exists=True, help="Labelled messages as JSON lines.")],
) -> None:
    """Train on 4, 8, 16, … examples a label and measure each."""
    by_label: defaultdict[str, list[str]] = defaultdict(list)
    for message in examples(ROOT / "nlu" / "examples"):
        if message.get("metadata")["language"] == language:
            by_label[message.get("intent")].append(message.get("text"))
    messages = [m for m in read_messages(files) if m.kind == "topic"]
    chosen = random.Random(0)
    top1, top3 = [], []
    for size in SIZES:
        sample = [(t, k) for k, v in by_label.items() for t in chosen.sample(v, min(size, len(v)))]
        model = TopicModel.train([text for text, _ in sample], [label for _, label in sample])
        ranked = [[guess.label for guess in model.rank(m.text)[:3]] for m in messages]
        top1.append(sum(r[0] == m.label for r, m in zip(ranked, messages, strict=True)) / len(messages))
        top3.append(sum(m.label in r for r, m in zip(ranked, messages, strict=True)) / len(messages))
        print(f"{size:3} examples a label: top-1 {top1[-1]:.3f}, top-3 {top3[-1]:.3f}", flush=True)
    figure, axes = plt.subplots(figsize=(6, 3.5))
    axes.plot(SIZES, top1, "o-", color="#0b5f59", label="top-1")
    axes.plot(SIZES, top3, "s--", color="#b4652a", label="top-3")
    axes.set(xlabel=f"examples a label ({language})", ylabel="share right", ylim=(0.4, 1.0), xticks=SIZES)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(ROOT / "docs" / "learning_curve.png", dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    typer.run(main)
