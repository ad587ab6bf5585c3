"""The content that is being served: read from SQL once, kept in memory, replaced when another version becomes current."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel
from sqlalchemy import StaticPool, create_engine, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from knowledge import search
from knowledge.build import KEYED, KEYED_BY_LANGUAGE, build
from knowledge.database import Base, reading, session_factory
from knowledge.files import Content, EmergencyLanguage, Phrases, PostcodeRegion, UrgencyPatterns
from knowledge.models import CONTENT_TABLES, ContentDocument, CurrentContent
from knowledge.schema import (
    Desk,
    Helpline,
    Measure,
    MeasureWords,
    Organisation,
    OrganisationWords,
    Parameter,
    Questions,
    Saying,
    Source,
    Topic,
    Words,
)

_MODELS: dict[str, type[BaseModel]] = {
    "topics": Topic,
    "questions": Questions,
    "words": Words,
    "parameters": Parameter,
    "organisations": Organisation,
    "organisation_words": OrganisationWords,
    "helplines": Helpline,
    "sayings": Saying,
    "measures": Measure,
    "measure_words": MeasureWords,
    "sources": Source,
    "postcode_regions": PostcodeRegion,
    "phrases": Phrases,
    "urgency": UrgencyPatterns,
    "emergency": EmergencyLanguage,
    "desks": Desk,
}


class NoContentError(LookupError):
    """No version of the content has been built into this database: run `wegwijs kb build`."""


@dataclass(frozen=True)
class Edition:
    """A served version of the content."""

    version: str
    content: Content


class ContentStore:
    """Hands out the current edition and notices a new one.

    Args:
        first: what is served until the database was read; it may be out of reach for now.

    """

    def __init__(self, sessions: sessionmaker[Session], first: Edition | None = None) -> None:
        self._sessions = sessions
        self._edition = first

    def current(self) -> Edition:
        """The edition read last; the first call reads it.

        Raises:
            NoContentError: nothing has been built yet.

        """
        return self._edition or self.refresh()

    def refresh(self) -> Edition:
        """Look which version is current and read it if it is another one than before."""
        with reading(self._sessions) as session:
            version = session.scalar(select(CurrentContent.version))
            if version is None:
                raise NoContentError("no content has been built: run 'wegwijs kb build'")
            if self._edition is None or self._edition.version != version:
                self._edition = Edition(version, read(session, version))
        return self._edition

    def search(self, query: str, language: str, *, limit: int = 3) -> list[str]:
        """Topics whose answers in `language` fit the query, best first (`knowledge.search`); none while the database is away."""
        version = self.current().version
        try:
            with reading(self._sessions) as session:
                return search.search(session, query, language, version=version, limit=limit)
        except SQLAlchemyError:
            return []


def in_memory(content: Content) -> ContentStore:
    """A store over a private SQLite database that holds just `content`: for an action server and for tests."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    Base.metadata.create_all(engine, tables=[model.__table__ for model in CONTENT_TABLES])  # type: ignore[misc]
    sessions = session_factory(engine)
    with sessions.begin() as session:
        session.execute(text(search.FTS5_TABLE))
        build(session, content, now=datetime.now(UTC))
    return ContentStore(sessions)


def read(session: Session, version: str) -> Content:
    """All documents of one version as `Content`."""
    fields: dict[str, dict[object, BaseModel]] = {kind: {} for kind in (*KEYED, *KEYED_BY_LANGUAGE, "desks")}
    rows = select(ContentDocument).where(ContentDocument.version == version)
    for row in session.scalars(rows.order_by(ContentDocument.kind, ContentDocument.key, ContentDocument.language)):
        key = (row.key, row.language) if row.kind in KEYED_BY_LANGUAGE else row.key
        fields[row.kind][key] = _MODELS[row.kind].model_validate(row.document)
    desks = tuple(fields.pop("desks").values())
    return Content(desks=desks, **fields)  # type: ignore[arg-type]
