"""The encodings of texts that were encoded before, in one file: training again after an edit encodes what is new."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import numpy as np

from nlu.arrays import Floats
from nlu.encoder import Encoder, readable
from nlu.ngrams import ModelFileError, model_file

BATCH = 256  # texts between two lines of progress
AT_ONCE = 16  # texts that a thread takes; the engine gains nothing from more
FORMAT = 1
_DIGEST_BYTES = 16


class EncodingCache:
    """A file of encodings by the digest of their text.

    Args:
        path: the file; it needs not exist, and one that cannot be read is written anew. None keeps nothing.
        version: of the package; encodings of another are not taken.

    """

    def __init__(self, path: Path | None, version: str) -> None:
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
        # Alike in length, the texts of a batch keep all threads busy to its end.
        waiting = sorted(new, key=lambda digest: len(new[digest]))
        try:
            with ThreadPoolExecutor(os.cpu_count()) as threads:
                for start in range(0, len(waiting), BATCH):
                    taken = waiting[start : start + BATCH]
                    parts = [[new[d] for d in taken[i : i + AT_ONCE]] for i in range(0, len(taken), AT_ONCE)]
                    rows = chain.from_iterable(threads.map(encoder.encode, parts))
                    known.update((d, row.astype(np.float16)) for d, row in zip(taken, rows, strict=True))
                    say(start + len(taken), len(waiting))
        finally:
            # Whoever interrupts a first training, which takes minutes, goes on from there.
            used = {digest: known[digest] for digest in digests if digest in known}
            if new or len(used) < len(known):
                self._write(used)
        return np.stack([known[digest] for digest in digests]).astype(np.float32)

    def _read(self) -> dict[bytes, Floats]:
        if self._path is None:
            return {}
        try:
            with model_file(self._path, FORMAT) as data:
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
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        digests = np.frombuffer(b"".join(known), np.uint8)
        unfinished = self._path.with_suffix(".new.npz")
        np.savez(unfinished, format=FORMAT, version=self._version, digests=digests, rows=np.stack([*known.values()]))
        unfinished.replace(self._path)


def _digest(text: str) -> bytes:
    return hashlib.sha256(readable(text).encode()).digest()[:_DIGEST_BYTES]
