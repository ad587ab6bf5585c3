"""Trains the candidates for the topic model on the same examples and prints what each makes of labelled messages.

`python scripts/compare_models.py en dev.en.jsonl` prints a Markdown table; figures of record stand in docs/models.md.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from bot import logs
from knowledge.importer import examples
from nlu.evaluation import LabelledMessage, read_messages
from nlu.topics import TopicModel
from nlu.transliteration import with_latin

ROOT = Path(__file__).parents[1]
FEATURES = [
    {"name": "WhitespaceTokenizer"},
    {"name": "CountVectorsFeaturizer"},
    {"name": "CountVectorsFeaturizer", "analyzer": "char_wb", "min_ngram": 1, "max_ngram": 4},
]
RASA = {
    "Rasa LogisticRegressionClassifier": [*FEATURES, {"name": "LogisticRegressionClassifier", "max_iter": 100}],
    "Rasa DIETClassifier, 30 epochs": [
        *FEATURES,
        {"name": "DIETClassifier", "epochs": 30, "entity_recognition": False, "constrain_similarities": True},
    ],
}
Rank = Callable[[Sequence[str]], list[list[str]]]


def main(
    language: Annotated[str, typer.Argument(help="Language of the examples to train on (ISO 639-1).")],
    files: Annotated[list[Path], typer.Argument(exists=True, help="Labelled messages as JSON lines.")],
) -> None:
    """Print one row a candidate."""
    logs.configure("error")  # Rasa logs every message at debug level
    wanted = [m for m in examples(ROOT / "nlu" / "examples") if m.get("metadata")["language"] == language]
    texts, labels = [m.get("text") for m in wanted], [m.get("intent") for m in wanted]
    messages = [m for m in read_messages(files) if m.kind == "topic"]
    print("| model | top-1 | top-3 | training | one message |\n| --- | --- | --- | --- | --- |", flush=True)
    _row("own: n-grams, linear", messages, lambda: _own(texts, labels, language))
    for name, pipeline in RASA.items():
        _row(name, messages, lambda pipeline=pipeline: _rasa(texts, labels, pipeline))


def _row(name: str, messages: Sequence[LabelledMessage], train: Callable[[], Rank]) -> None:
    began = time.monotonic()
    rank = train()
    trained = time.monotonic()
    ranked = rank([message.text for message in messages])
    each = (time.monotonic() - trained) / len(messages) * 1000
    top1 = sum(m.label == r[0] for m, r in zip(messages, ranked, strict=True)) / len(messages)
    top3 = sum(m.label in r[:3] for m, r in zip(messages, ranked, strict=True)) / len(messages)
    print(f"| {name} | {top1:.3f} | {top3:.3f} | {trained - began:.0f} s | {each:.1f} ms |", flush=True)


def _own(texts: list[str], labels: list[str], language: str) -> Rank:
    model = TopicModel.train(*with_latin(texts, labels, [language] * len(texts)))
    return lambda found: [[guess.label for guess in model.rank(text)] for text in found]


def _rasa(texts: list[str], labels: list[str], pipeline: list[dict[str, Any]]) -> Rank:
    from rasa.core.agent import Agent
    from rasa.model_training import train_nlu

    folder = Path(tempfile.mkdtemp())
    by_label: dict[str, list[str]] = {}
    for text, label in zip(texts, labels, strict=True):
        by_label.setdefault(label, []).append(text)
    entries = [{"intent": k, "examples": "".join(f"- {text}\n" for text in v)} for k, v in by_label.items()]
    data = {"version": "3.1", "nlu": entries}
    (folder / "nlu.yml").write_text(yaml.safe_dump(data, allow_unicode=True), "utf-8")
    config = {"recipe": "default.v1", "language": "en", "pipeline": pipeline, "assistant_id": "comparison"}
    (folder / "config.yml").write_text(yaml.safe_dump(config), "utf-8")
    agent = Agent.load(train_nlu(str(folder / "config.yml"), str(folder / "nlu.yml"), str(folder)))

    def rank(found: Sequence[str]) -> list[list[str]]:
        parses = [asyncio.run(agent.parse_message(text)) for text in found]
        return [[entry["name"] for entry in parsed["intent_ranking"]] for parsed in parses]

    return rank


if __name__ == "__main__":
    typer.run(main)
