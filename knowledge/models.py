"""The tables that the content is compiled into: versions, documents and the text that is searched.

A document is one validated entry of `knowledge.schema` as JSON. Filling these tables is `knowledge.build`, reading them
`knowledge.store`, searching them `knowledge.search`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from knowledge.database import Base


class ContentVersion(Base):
    """A complete state of the content; its id is the digest of all its documents."""

    __tablename__ = "content_version"

    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    built_at: Mapped[datetime]


class CurrentContent(Base):
    """The one row that says which version is served."""

    __tablename__ = "current_content"
    __table_args__ = (CheckConstraint("id = 1", name="single_row"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(ForeignKey("content_version.id"))


class ContentDocument(Base):
    """One entry of one version: `kind` is a field of `Content`, `language` is empty where the entry has none."""

    __tablename__ = "content_document"

    version: Mapped[str] = mapped_column(ForeignKey("content_version.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    language: Mapped[str] = mapped_column(String(8), primary_key=True, default="")
    document: Mapped[dict[str, Any]] = mapped_column(JSON)


class SearchText(Base):
    """The words of one answer in one language, folded for search (`knowledge.search.fold`)."""

    __tablename__ = "search_text"

    version: Mapped[str] = mapped_column(ForeignKey("content_version.id", ondelete="CASCADE"), primary_key=True)
    topic: Mapped[str] = mapped_column(String(128), primary_key=True)
    language: Mapped[str] = mapped_column(String(8), primary_key=True)
    title: Mapped[str]
    body: Mapped[str]


CONTENT_TABLES = (ContentVersion, CurrentContent, ContentDocument, SearchText)
