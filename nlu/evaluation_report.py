"""Writes the report of an evaluation: figures for people and machines, confusion and calibration pictures, worst mistakes.

The report holds the evaluated messages; it is for the people who work on the assistant and is not committed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from rich.table import Table

from nlu import evaluation
from nlu.evaluation import LabelledMessage, Scores

WORST_SHOWN = 60


def write_report(messages: Sequence[LabelledMessage], results: Sequence[Mapping[str, Any]], out: Path) -> Table:
    """Write `report.html`, `scores.json`, `confusion.png` and `calibration.png` into `out`.

    Returns:
        The scores of each language as a table for the terminal.

    """
    out.mkdir(parents=True, exist_ok=True)
    scores = {lang: evaluation.score(*pair) for lang, pair in evaluation.by_language(messages, results).items()}
    scores["all"] = evaluation.score(messages, results)
    words = {
        lang: evaluation.language_by_words(*pair) for lang, pair in evaluation.by_language(messages, results).items()
    }
    plain = {
        "scores": {lang: asdict(value) for lang, value in scores.items()},
        "language_by_words": words,
        "topics": _by_topic(messages, results),
    }
    (out / "scores.json").write_text(json.dumps(plain, ensure_ascii=False, indent=2), "utf-8")
    _draw_confusion(messages, results, out / "confusion.png")
    _draw_calibration(messages, results, out / "calibration.png")
    (out / "report.html").write_text(_html(messages, results, scores, words), "utf-8")
    return _table(scores)


def _by_topic(
    messages: Sequence[LabelledMessage], results: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, float | None]]:
    labels = sorted({message.label for message in messages})
    found = {}
    for label in labels:
        pairs = [(m, r) for m, r in zip(messages, results, strict=True) if m.label == label]
        found[label] = {
            "messages": len(pairs),
            "top1": sum(r["label"] == label for _, r in pairs) / len(pairs),
            "top3": sum(label in [e["label"] for e in r["ranking"]] for _, r in pairs) / len(pairs),
        }
    return found


def _table(scores: Mapping[str, Scores]) -> Table:
    table = Table("measure", *scores, title="Evaluation")
    for name in Scores.__dataclass_fields__:
        table.add_row(name, *(_figure(getattr(value, name)) for value in scores.values()))
    return table


def _figure(value: float | None) -> str:
    return "–" if value is None else str(value) if isinstance(value, int) else f"{value:.3f}"


def _draw_confusion(messages: Sequence[LabelledMessage], results: Sequence[Mapping[str, Any]], path: Path) -> None:
    counts = evaluation.confusions(messages, results)
    labels = sorted({label for pair in counts for label in pair})
    place = {label: number for number, label in enumerate(labels)}
    grid = np.zeros((len(labels), len(labels)))
    for (truth, said), count in counts.items():
        grid[place[truth], place[said]] = count
    shares = grid / np.maximum(grid.sum(axis=1, keepdims=True), 1)
    figure, axes = plt.subplots(figsize=(18, 17))
    image = axes.imshow(shares, cmap="viridis", vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels, rotation=90, fontsize=7)
    axes.set_yticks(range(len(labels)), labels, fontsize=7)
    axes.set_xlabel("taken for")
    axes.set_ylabel("is")
    figure.colorbar(image, label="share of the row", shrink=0.6)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_calibration(messages: Sequence[LabelledMessage], results: Sequence[Mapping[str, Any]], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(6, 6))
    axes.plot([0, 1], [0, 1], linestyle="--", color="grey", label="perfect")
    for language, (own, found) in evaluation.by_language(messages, results).items():
        pairs = [(m, r) for m, r in zip(own, found, strict=True) if m.kind in ("topic", "near_miss")]
        points = evaluation.calibration(pairs)
        axes.plot([p[0] for p in points], [p[1] for p in points], marker="o", label=language)
    axes.set_xlabel("confidence")
    axes.set_ylabel("share that was right")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _html(
    messages: Sequence[LabelledMessage],
    results: Sequence[Mapping[str, Any]],
    scores: Mapping[str, Scores],
    words: Mapping[str, Mapping[str, tuple[float, int]]],
) -> str:
    rows = "".join(
        f"<tr><th>{name}</th>{''.join(f'<td>{_figure(getattr(v, name))}</td>' for v in scores.values())}</tr>"
        for name in Scores.__dataclass_fields__
    )
    wrong = [(m, r) for m, r in zip(messages, results, strict=True) if r["label"] != m.label]
    wrong.sort(key=lambda pair: -pair[1]["confidence"])
    missed = [(m, r) for m, r in zip(messages, results, strict=True) if m.kind == "urgent" and r["urgency"] is None]
    alarms = [
        (m, r)
        for m, r in zip(messages, results, strict=True)
        if m.kind != "urgent" and r["urgency"] and r["urgency"]["level"] == "certain"
    ]
    by_words = "".join(
        f"<tr><th>{lang}</th>{''.join(f'<td>{group}: {share:.3f} ({count})</td>' for group, (share, count) in found.items())}</tr>"
        for lang, found in words.items()
    )
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Evaluation</title>
<style>body{{font:16px/1.4 system-ui;margin:2rem auto;max-width:70rem}}table{{border-collapse:collapse}}
td,th{{border:1px solid #ccc;padding:.2rem .6rem;text-align:start}}img{{max-width:100%}}</style>
<h1>Evaluation</h1><table><tr><th></th>{"".join(f"<th>{lang}</th>" for lang in scores)}</tr>{rows}</table>
<h2>Language by number of words</h2><table>{by_words}</table>
<h2>Urgent messages missed</h2>{_list(missed)}<h2>False alarms</h2>{_list(alarms)}
<h2>Surest mistakes</h2>{_list(wrong[:WORST_SHOWN])}
<h2>What was taken for what</h2><img src="confusion.png" alt="Confusion matrix of all labels">
<h2>Calibration</h2><img src="calibration.png" alt="Confidence against share that was right"></html>"""


def _list(pairs: Sequence[tuple[LabelledMessage, Mapping[str, Any]]]) -> str:
    items = "".join(
        f"<tr><td>{m.language}</td><td dir=auto>{escape(m.text)}</td><td>{m.label}</td><td>{r['label']}</td>"
        f"<td>{r['confidence']:.2f}</td></tr>"
        for m, r in pairs
    )
    return (
        f"<table><tr><th>lang</th><th>message</th><th>is</th><th>taken for</th><th>confidence</th></tr>{items}</table>"
    )
