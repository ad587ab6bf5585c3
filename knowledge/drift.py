"""Which answers were written for facts that have changed since: `reviewed.yml` holds the digest that each text was read with.

Facts are changed by those who research, words by those who write; what lies between is found here (`wegwijs kb drift`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from knowledge.files import CONTENT_FOLDER, Content
from knowledge.schema import Topic

REVIEWED = "reviewed.yml"
DIGEST_LENGTH = 12
_HEADER = (
    "# Digest of the facts of each topic when its words in a language were last read (wegwijs kb drift --accept).\n"
)


@dataclass(frozen=True, order=True)
class Drift:
    """A text that was read with other facts than today's, or never."""

    topic: str
    language: str
    was_read: bool


def digest_of(topic: Topic) -> str:
    """The digest of what a topic states, its doubts and its amounts; 12 hexadecimal digits."""
    facts = [fact.model_dump(mode="json", exclude={"note"}) for fact in topic.facts]
    written = json.dumps([facts, sorted(topic.parameters)], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(written.encode()).hexdigest()[:DIGEST_LENGTH]


def drifted(content: Content, folder: Path = CONTENT_FOLDER) -> Iterator[Drift]:
    """Every text whose facts have changed since it was read."""
    reviewed = _read(folder)
    for topic, language in sorted(content.words):
        if topic in content.topics and language in content.phrases:
            known = reviewed.get(topic, {}).get(language)
            if known != digest_of(content.topics[topic]):
                yield Drift(topic, language, known is not None)


def accept(content: Content, topics: Iterable[str], folder: Path = CONTENT_FOLDER) -> int:
    """Note that the words of these topics were read with the facts of today; returns how many texts that are.

    Raises:
        LookupError: there is no such topic.

    """
    reviewed, count = _read(folder), 0
    for topic in topics:
        if topic not in content.topics:
            raise LookupError(f"no topic {topic!r}")
        for language in content.languages:
            if (topic, language) in content.words:
                reviewed.setdefault(topic, {})[language] = digest_of(content.topics[topic])
                count += 1
    text = yaml.safe_dump({topic: reviewed[topic] for topic in sorted(reviewed)}, default_flow_style=None, width=130)
    (folder / REVIEWED).write_text(_HEADER + text, "utf-8")
    return count


def _read(folder: Path) -> dict[str, dict[str, str]]:
    path = folder / REVIEWED
    return yaml.safe_load(path.read_text("utf-8")) or {} if path.exists() else {}
