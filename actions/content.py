"""The content that the actions of this process answer from."""

from __future__ import annotations

from knowledge.files import load
from knowledge.store import ContentStore, in_memory

_stores: list[ContentStore] = []


def use_store(store: ContentStore) -> None:
    """Let the actions of this process read from the service's store; without it they read the content files."""
    _stores[:] = [store]


def store() -> ContentStore:
    """The store to answer from."""
    if not _stores:
        use_store(in_memory(load()[0]))
    return _stores[0]
