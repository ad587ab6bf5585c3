"""The engine, the declarative base and the column types that every room's tables share.

SQLite gets the settings without which it is not safe to use: foreign keys on, explicit transactions (the driver's own
begin late and leak rows past a rollback), write-ahead logging, and waiting instead of failing when another
process writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, cast

from sqlalchemy import (
    CursorResult,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    Result,
    Table,
    TypeDecorator,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

BUSY_TIMEOUT_MS = 10_000
LOG_PATIENCE_MS = 100
PRIVATE = 0o600  # what people wrote is for the owner of the process alone
READING = "wegwijs_reading"


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC with its zone, also where the database (SQLite) keeps none."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """On the way in: in UTC; a moment without a zone raises ValueError."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a moment without a zone cannot be stored: pass an aware datetime")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """On the way out: with its zone."""
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class Base(DeclarativeBase):
    """The base of all tables; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcDateTime}


def engine_for(url: str) -> Engine:
    """An engine for `url`, SQLite or PostgreSQL, with the settings named at the top of this module."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True)
    engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False})
    make_private(engine)
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def session_factory(engine: Engine) -> sessionmaker[Session]:
    """Sessions whose objects stay readable after the commit."""
    return sessionmaker(engine, expire_on_commit=False)


@contextmanager
def reading(sessions: sessionmaker[Session]) -> Iterator[Session]:
    """A session that only reads and so waits for nobody: in SQLite any other takes the one write lock."""
    with sessions() as session:
        session.connection(execution_options={READING: True})
        yield session


def table_of(model: type[Base]) -> Table:
    """The table of a model, for statements that are made once and run without the ORM."""
    return cast(Table, model.__table__)


def changed(result: Result[Any]) -> int:
    """How many rows an UPDATE or DELETE touched."""
    return cast(CursorResult[Any], result).rowcount


def insert_unless_there(session: Session, table: type[Base], **values: Any) -> int | None:
    """Insert a row with an `id`; returns the id, or None where one with the same unique values stands there already."""
    insert = sqlite_insert if session.get_bind().dialect.name == "sqlite" else postgresql_insert
    statement = _insert_statement(insert, table)
    return session.connection().execute(statement, values).scalar_one_or_none()


def insert_or_ignore(session: Session, table: type[Base], **values: Any) -> None:
    """Insert a row that has no `id`; nothing happens where one with the same unique values stands there already."""
    insert = sqlite_insert if session.get_bind().dialect.name == "sqlite" else postgresql_insert
    session.execute(insert(table_of(table)).values(**values).on_conflict_do_nothing())


@cache
def _insert_statement(insert: Callable[[Any], Any], table: type[Base]) -> Any:
    return insert(table.__table__).on_conflict_do_nothing().returning(table.__table__.c.id)


def empty_the_log(engine: Engine) -> None:
    """Leave nothing of what was deleted in SQLite's write-ahead log; PostgreSQL's is not ours to empty.

    Waits only a moment for somebody who reads: nobody's message may stand still for it, and it is done again later.
    """
    if engine.dialect.name == "sqlite":
        raw = engine.raw_connection()
        try:
            cursor = raw.cursor()
            cursor.execute(f"PRAGMA busy_timeout = {LOG_PATIENCE_MS}")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        finally:
            raw.close()


def make_private(engine: Engine) -> None:
    """Make a SQLite database file, there or not yet, readable by its owner only."""
    if engine.dialect.name == "sqlite" and engine.url.database and engine.url.database != ":memory:":
        _make_private(Path(engine.url.database))


def _make_private(path: Path) -> None:
    # SQLite gives its log and its index the mode of the file itself.
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=PRIVATE)
        path.chmod(PRIVATE)


def _configure_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    # What is deleted is overwritten and not only marked as free.
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.execute("PRAGMA journal_mode = WAL")
    # FULL, because an accepted message has to survive a power cut as well as a kill.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    # IMMEDIATE takes the write lock at once: a deferred transaction that turns into a writer fails without waiting.
    mode = "DEFERRED" if connection.get_execution_options().get(READING) else "IMMEDIATE"
    connection.exec_driver_sql(f"BEGIN {mode}")
