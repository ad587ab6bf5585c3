"""Compiles the content of the files into SQL under one version id; a half-built version is never visible.

The same files give the same version id. Old versions but the last one are removed, so that a process that still reads
the previous version finds it whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime

from pydantic import BaseModel
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from knowledge import search
from knowledge.files import Content
from knowledge.models import ContentDocument, ContentVersion, CurrentContent, SearchText

KEYED_BY_LANGUAGE = ("words", "organisation_words", "measure_words")
KEYED = (
    "topics",
    "questions",
    "parameters",
    "organisations",
    "helplines",
    "sayings",
    "measures",
    "sources",
    "postcode_regions",
    "phrases",
    "urgency",
    "emergency",
)


def documents(content: Content) -> Iterator[tuple[str, str, str, BaseModel]]:
    """Every entry of the content as (kind, key, language or "", entry)."""
    for kind in KEYED:
        for key, entry in getattr(content, kind).items():
            yield kind, key, "", entry
    for kind in KEYED_BY_LANGUAGE:
        for (key, language), entry in getattr(content, kind).items():
            yield kind, key, language, entry
    for desk in content.desks:
        yield "desks", desk.id, "", desk


def version_of(content: Content) -> str:
    """The digest that names this state of the content: 12 hexadecimal digits."""
    lines = sorted(
        json.dumps([kind, key, language, entry.model_dump(mode="json")], sort_keys=True, ensure_ascii=False)
        for kind, key, language, entry in documents(content)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def build(session: Session, content: Content, *, now: datetime) -> str:
    """Write `content` and make it the served version; the caller's commit makes it visible.

    Returns:
        The version id, also when that version was there already and nothing was written.

    """
    version = version_of(content)
    current = session.get(CurrentContent, 1)
    if current is not None and current.version == version:
        return version
    if session.get(ContentVersion, version) is None:
        session.add(ContentVersion(id=version, built_at=now))
        session.flush()
        session.add_all(
            ContentDocument(
                version=version, kind=kind, key=key, language=language, document=entry.model_dump(mode="json")
            )
            for kind, key, language, entry in documents(content)
        )
        session.add_all(
            SearchText(
                version=version,
                topic=topic,
                language=language,
                title=search.fold(words.title),
                body=search.fold(" ".join(words.texts())),
            )
            for (topic, language), words in content.words.items()
        )
    previous = current.version if current is not None else None
    if current is None:
        session.add(CurrentContent(id=1, version=version))
    else:
        current.version = version
    session.flush()
    search.index(session, version)
    keep = [version, previous] if previous else [version]
    stale = session.scalars(select(ContentVersion.id).where(ContentVersion.id.not_in(keep))).all()
    if stale:
        session.execute(delete(ContentDocument).where(ContentDocument.version.in_(stale)))
        session.execute(delete(SearchText).where(SearchText.version.in_(stale)))
        session.execute(delete(ContentVersion).where(ContentVersion.id.in_(stale)))
    return version
