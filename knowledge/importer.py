"""The Rasa importer: topics become intents and rules, phrases become responses, example files become NLU data.

Adding a topic or a language is adding content files; the service intents and their rules stand in `domain.yml` and `data/rules.yml`
as in any Rasa project. Topics have no response of their own: amounts would be frozen into the model on the day of the training, so
`action_answer` fills them in when somebody asks (docs/decisions/0004-answers-are-not-responses.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from rasa.shared.core.domain import Domain
from rasa.shared.core.training_data.story_reader.yaml_story_reader import YAMLStoryReader
from rasa.shared.core.training_data.structures import StoryGraph
from rasa.shared.importers.rasa import RasaFileImporter
from rasa.shared.nlu.constants import INTENT, METADATA, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from knowledge.files import CONTENT_FOLDER, Content, load

# Phrases that are said as they are, and the buttons that stand under them (phrase key of the label → intent).
RESPONSES: dict[str, tuple[str, ...]] = {
    "goodbye": (),
    "thank": ("menu",),
    "bot_challenge": ("human", "menu"),
    "feedback_good": ("menu",),
    "feedback_bad": ("human", "menu"),
}
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class KnowledgeImporter(RasaFileImporter):
    """Reads the content folder and the example folder beside what `RasaFileImporter` reads.

    `config.yml` may name other folders: `content` (default: this package) and `examples` (default: `nlu/examples`), both
    relative to the configuration file.
    """

    def __init__(
        self,
        config_file: str | None = None,
        domain_path: str | None = None,
        training_data_paths: list[str] | str | None = None,
        content: str | None = None,
        examples: str = "nlu/examples",
    ) -> None:
        super().__init__(config_file, domain_path, training_data_paths)
        root = Path(config_file).resolve().parent if config_file else Path.cwd()
        self._examples = root / examples
        folder = root / content if content else CONTENT_FOLDER
        self._content, _ = load(folder)

    def get_domain(self) -> Domain:
        """The domain of the files plus an intent for each topic and a response for each phrase, one variant a language."""
        topics = Domain.from_dict(
            {
                "intents": [{topic: {"use_entities": []}} for topic in self._content.topics],
                "responses": {f"utter_{key}": self._variants(key, buttons) for key, buttons in RESPONSES.items()},
            }
        )
        return super().get_domain().merge(topics)

    def get_stories(self, exclusion_percentage: int | None = None) -> StoryGraph:
        """The rules of the files plus one rule for each topic."""
        rules = {
            "rules": [
                {
                    "rule": topic,
                    "steps": [
                        {"intent": topic},
                        {"action": "action_urgent" if topic.startswith("urgent.") else "action_answer"},
                    ],
                }
                for topic in self._content.topics
            ]
        }
        steps = YAMLStoryReader().read_from_parsed_yaml(rules)
        return super().get_stories(exclusion_percentage).merge(StoryGraph(steps))

    def get_nlu_data(self, language: str | None = "en") -> TrainingData:
        """The examples of every language and the questions of every line, marked with language and line in the metadata."""
        own = TrainingData(training_examples=[*examples(self._examples), *questions(self._content)])
        return super().get_nlu_data(language).merge(own)

    def _variants(self, key: str, buttons: tuple[str, ...]) -> list[dict[str, Any]]:
        # The variant without a condition is for a conversation whose language is not known yet.
        variants = [self._variant("en", key, buttons)]
        for language in self._content.languages:
            condition = {"type": "slot", "name": "language", "value": language}
            variants.append({**self._variant(language, key, buttons), "condition": [condition]})
        return variants

    def _variant(self, language: str, key: str, buttons: tuple[str, ...]) -> dict[str, Any]:
        phrases = self._content.phrases[language].phrases
        return {
            "text": phrases[key],
            "buttons": [{"title": phrases[f"button.{name}"], "payload": f"/{name}"} for name in buttons],
        }


def examples(folder: Path) -> Iterator[Message]:
    """The training examples below `<folder>/<language>/`, with `metadata: {language}`."""
    for path in sorted(folder.glob("*/*.yml")):
        for entry in yaml.load(path.read_text("utf-8"), Loader=_Loader)["nlu"]:  # noqa: S506 (a safe loader, in C)
            for line in entry["examples"].splitlines():
                text = line.strip().removeprefix("- ").strip()
                if text:
                    yield Message({TEXT: text, INTENT: entry["intent"], METADATA: {"language": path.parent.name}})


def questions(content: Content) -> Iterator[Message]:
    """The questions that a line of an answer answers, examples of their topic too, with `metadata: {language, line}`."""
    for topic, entry in content.questions.items():
        for section, number, language, question in entry.asked():
            metadata = {"language": language, "line": f"{section}.{number}"}
            yield Message({TEXT: question, INTENT: topic, METADATA: metadata})
