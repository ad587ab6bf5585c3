"""Digests of the files a component depends on beside its own class: without them Rasa would keep a stale model from its cache."""

from __future__ import annotations

import hashlib
from pathlib import Path


def digest_of(*files: str | Path) -> str:
    """One digest over the contents of all files, in the given order."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(Path(file).read_bytes()).digest())
    return digest.hexdigest()
