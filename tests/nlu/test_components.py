"""Each component in Rasa's terms: train, save, load, process."""

from __future__ import annotations

from pathlib import Path

import pytest
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.nlu.constants import ENTITIES, INTENT, METADATA, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from nlu.components.decision import AnswerDecision
from nlu.components.encoder import available
from nlu.components.entities import GazetteerEntityExtractor
from nlu.components.language import LanguageIdentification
from nlu.components.tokens import BlankSpacyTokenizer
from nlu.components.topics import NgramTopicClassifier
from nlu.components.urgency import UrgencyDetector
from nlu.encoder import Vector
from nlu.ngrams import ModelFileError

CONTEXT = ExecutionContext(GraphSchema({}))
WORDS = {
    "care.gp": {"en": "a doctor for my ear number", "nl": "een huisarts voor mijn oor nummer"},
    "urgent.danger": {"en": "he has a knife help me number", "nl": "hij heeft een mes help mij nummer"},
    "registration.rni_desks": {"en": "where is the nearest desk number", "nl": "waar is het loket nummer"},
}


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return TrainingData(
        [
            Message({TEXT: f"{text} {number}", INTENT: label, METADATA: {"language": language}})
            for label, texts in WORDS.items()
            for language, text in texts.items()
            for number in range(6)
        ]
    )


def trained(component: type, config: dict, folder: Path, data: TrainingData):
    """A component that was trained, saved and loaded again."""
    storage, resource = LocalModelStorage(folder), Resource(component.__name__)
    settings = {**component.get_default_config(), **config}
    component.create(settings, storage, resource, CONTEXT).train(data)
    return component.load(settings, storage, resource, CONTEXT)


def parsed(component, text: str, **fields: object) -> Message:
    message = Message({TEXT: text, **fields})
    component.process([message])
    return message


def test_topics(data: TrainingData, tmp_path: Path) -> None:
    component = trained(NgramTopicClassifier, {}, tmp_path, data)
    message = parsed(component, "a doctor please")
    assert message.get(INTENT)["name"] == "care.gp"
    assert sum(message.get("label_probabilities").values()) == pytest.approx(1, abs=1e-4)
    assert parsed(component, "/menu").get(INTENT) is None


def test_a_topic_component_without_its_file_is_refused(tmp_path: Path, data: TrainingData) -> None:
    storage, resource = LocalModelStorage(tmp_path), Resource("x")
    NgramTopicClassifier.create({}, storage, resource, CONTEXT).train(data)
    for path in tmp_path.rglob("*.npz"):
        path.unlink()
    with pytest.raises(ModelFileError):
        NgramTopicClassifier.load({}, storage, resource, CONTEXT)


def test_language_with_the_conversation_as_memory(data: TrainingData, tmp_path: Path) -> None:
    component = trained(LanguageIdentification, {"detector": "lingua"}, tmp_path, data)
    assert parsed(component, "waar is het loket voor buitenlanders").get("language")["code"] == "nl"
    kept = parsed(component, "ok", metadata={"language": "nl"})
    assert kept.get("language")["code"] == "nl"


def test_urgency_takes_the_kinds_together() -> None:
    component = UrgencyDetector.create({}, None, None, CONTEXT)
    message = parsed(component, "text", label_probabilities={"urgent.danger": 0.5, "urgent.abuse": 0.3, "care.gp": 0.2})
    assert message.get("urgency") == {"label": "urgent.danger", "level": "certain", "also": []}
    assert parsed(component, "text", label_probabilities={"care.gp": 1.0}).get("urgency") is None


@pytest.mark.parametrize(
    ("known", "is_possible"),
    [
        ({"language": {"code": "en", "beyond": None}}, False),
        ({"language": {"code": "ro", "beyond": None}}, True),
        ({"language": {"code": "en", "beyond": "fi"}}, True),
        ({"language": {"code": "en", "beyond": None}, "by_words": True}, True),
    ],
)
def test_where_the_model_knows_less_less_is_enough(known: dict[str, object], is_possible: bool) -> None:
    component = UrgencyDetector.create({}, None, None, CONTEXT)
    kinds = {"urgent.danger": 0.08, "care.gp": 0.92}
    found = parsed(component, "text", label_probabilities=kinds, **known).get("urgency")
    assert (found is not None) == is_possible


def test_tokens_and_entities() -> None:
    tokenizer = BlankSpacyTokenizer.create(BlankSpacyTokenizer.get_default_config(), None, None, CONTEXT)
    message = parsed(tokenizer, "I earn 500 euro in Venlo")
    assert [token.text for token in message.get("text_tokens")][:2] == ["I", "earn"]
    extractor = GazetteerEntityExtractor.create({}, None, None, CONTEXT)
    extractor.process([message])
    assert {entity["entity"] for entity in message.get(ENTITIES)} >= {"place", "amount"}


RANKING = [{"name": "registration.rni_desks", "confidence": 0.9}, {"name": "care.gp", "confidence": 0.05}]
PLACE = [{"entity": "place", "value": "Venlo", "start": 0, "end": 5}]


@pytest.mark.parametrize(
    ("text", "fields", "intent"),
    [
        ("where is a desk", {}, "registration.rni_desks"),
        ("where is a desk near Venlo", {ENTITIES: PLACE}, "desks"),
        ("Venlo", {ENTITIES: PLACE, "metadata": {"asked": "desks"}}, "desks"),
        ("2511 BT", {"metadata": {"asked": "desks"}}, "desks"),
        ("tell me more", {}, "more"),
        ("what", {"urgency": {"label": "urgent.danger", "level": "certain", "also": []}}, "urgent.danger"),
    ],
)
def test_the_decision_becomes_an_intent(text: str, fields: dict, intent: str) -> None:
    component = AnswerDecision.create({}, None, None, CONTEXT)
    message = parsed(component, text, intent_ranking=RANKING, **fields)
    assert message.get(INTENT)["name"] == intent


def test_a_line_is_found_where_its_question_is_known_and_the_encoder_is_there(tmp_path: Path) -> None:
    real = available()
    assert real is not None
    asked = {
        "details.0": "can they pay me money instead of my days off",
        "short.0": "how many days off do i get a year",
    }
    data = TrainingData(
        [Message({TEXT: t, INTENT: "work.holiday", METADATA: {"language": "en", "line": k}}) for k, t in asked.items()]
        + [
            Message({TEXT: f"{text} {number}", INTENT: label, METADATA: {"language": language}})
            for label, texts in {**WORDS, "work.holiday": {"en": "holiday of my work"}}.items()
            for language, text in texts.items()
            for number in range(6)
        ]
    )
    component = trained(NgramTopicClassifier, {}, tmp_path, data)
    text = "will they give me money instead of days off"
    assert parsed(component, text, meaning=Vector(real, text)).get("same_question") == asked["details.0"]
    short = "how many days off a year do i get please"
    assert parsed(component, short, meaning=Vector(real, short)).get("same_question") == asked["short.0"]
    assert parsed(component, text, meaning=Vector(None, text)).get("same_question") is None
    assert parsed(component, "holiday work", meaning=Vector(real, "holiday work")).get("same_question") is None
