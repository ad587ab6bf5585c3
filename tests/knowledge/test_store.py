"""Content in SQL: one visible version, search in every language, and the tables on both databases."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, func, select, text
from sqlalchemy.orm import Session, sessionmaker

from actions.reply import Reply
from bot import inbox, insight, models, outbox
from bot.assistant_port import Understood
from bot.database import upgrade
from bot.inbox import Incoming, Kind
from bot.insight import Came
from knowledge.build import build, version_of
from knowledge.database import Base, engine_for, session_factory
from knowledge.files import Content
from knowledge.models import ContentVersion
from knowledge.store import ContentStore, NoContentError, in_memory
from tests.conftest import NOW


def changed(content: Content) -> Content:
    words = dict(content.words)
    words["care.gp", "en"] = words["care.gp", "en"].model_copy(update={"title": "A doctor of your own"})
    return dataclasses.replace(content, words=words)


def test_the_content_survives_the_way_through_sql(sessions: sessionmaker[Session], content: Content) -> None:
    assert version_of(ContentStore(sessions).current().content) == version_of(content)


def test_building_the_same_content_again_writes_nothing(session: Session, content: Content) -> None:
    build(session, content, now=NOW)
    assert session.scalar(select(func.count()).select_from(ContentVersion)) == 1


def test_a_new_version_is_served_after_a_refresh_and_the_one_before_stays_whole(
    sessions: sessionmaker[Session], content: Content
) -> None:
    store = ContentStore(sessions)
    first = store.current().version
    with sessions.begin() as session:
        build(session, changed(content), now=NOW)
    assert store.current().version == first
    edition = store.refresh()
    assert edition.version != first
    assert edition.content.words["care.gp", "en"].title == "A doctor of your own"
    with sessions() as session:
        assert session.get(ContentVersion, first) is not None


def test_a_build_that_is_not_committed_is_never_seen(sessions: sessionmaker[Session], content: Content) -> None:
    store = ContentStore(sessions)
    first = store.current().version
    session = sessions()
    build(session, changed(content), now=NOW)
    session.rollback()
    assert store.refresh().version == first


def test_a_database_without_content_says_what_to_do(tmp_path: Path) -> None:
    engine = engine_for(f"sqlite:///{tmp_path / 'empty.db'}")
    upgrade(engine, audit_key=b"key of the tests")
    with pytest.raises(NoContentError, match="wegwijs kb build"):
        ContentStore(session_factory(engine)).current()


QUESTIONS = [
    ("en", "minimum wage per hour", "work.minimum_wage"),
    ("nl", "borg terugkrijgen van de huisbaas", "housing.deposit"),
    ("pl", "kaucja zwrot", "housing.deposit"),
    ("pl", "ubezpieczenia zdrowotnego", "care.insurance"),
    ("en", 'a "quoted" AND (broken) query*', None),
]


@pytest.mark.parametrize(("language", "query", "topic"), QUESTIONS)
def test_search_finds_answers_and_no_query_breaks_it(
    content: Content, language: str, query: str, topic: str | None
) -> None:
    found = in_memory(content).search(query, language)
    assert topic is None or topic in found


def test_migrations_make_the_tables_of_the_models(engine: Engine) -> None:
    assert models.Conversation.__table__ is not None
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        differences = [
            difference
            for difference in compare_metadata(context, Base.metadata)
            if not (difference[0] == "remove_table" and difference[1].name.startswith("search_index"))
        ]
    assert differences == []


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an empty PostgreSQL that runs for these tests only, on a socket in a folder of its own."""
    folder = tmp_path_factory.mktemp("pg")
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    as_user: list[str] = []
    if subprocess.run(["id", "-u"], capture_output=True, text=True, check=True).stdout.strip() == "0":
        # PostgreSQL refuses to run as root; Debian's package brings a user for it.
        as_user = ["runuser", "-u", "postgres", "--"]
        for path in (folder, *folder.parents[:3]):
            path.chmod(0o755)
        shutil.chown(folder, "postgres")
    run = [*as_user, str(binaries / "initdb"), "-D", str(folder / "data"), "-A", "trust", "-E", "UTF8", "--locale=C"]
    subprocess.run(run, check=True, capture_output=True, cwd=folder)
    control = [*as_user, str(binaries / "pg_ctl"), "-D", str(folder / "data"), "-w"]
    options = f"-c listen_addresses='' -k {folder}"
    subprocess.run([*control, "-o", options, "-l", str(folder / "log"), "start"], check=True, cwd=folder)
    user = "postgres" if as_user else subprocess.check_output(["id", "-un"], text=True).strip()
    yield f"postgresql+psycopg2://{user}@/postgres?host={folder}"
    subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True, cwd=folder)


def test_postgresql_serves_the_same_content_and_finds_the_same(postgres: str, content: Content) -> None:
    engine = engine_for(postgres)
    upgrade(engine, audit_key=b"key of the tests")
    sessions = session_factory(engine)
    with sessions.begin() as session:
        build(session, content, now=NOW)
    store = ContentStore(sessions)
    assert version_of(store.current().content) == version_of(content)
    for language, query, topic in QUESTIONS:
        assert topic is None or topic in store.search(query, language)
    engine.dispose()


def test_postgresql_takes_messages_and_keeps_their_answers(postgres: str) -> None:
    engine = engine_for(postgres)
    upgrade(engine, audit_key=b"key of the tests")
    sessions = session_factory(engine)
    understood = Understood("work.hours", 0.9, "answer").as_data()
    said = Reply(language="en", text="At most 12 hours.")
    with sessions.begin() as session:
        found = inbox.conversation_of(session, "web", "hashed", now=NOW)
        for number in range(2):
            inbox.accept(session, found.id, Incoming(f"message-{number}", Kind.TEXT, "hours?"), now=NOW)
    for _ in range(2):
        with sessions.begin() as session:
            (turn,) = inbox.claim(session, "worker", now=NOW)
            outbox.store_answer(
                session, turn.inbox_id, (said,), slots={}, language="en", now=NOW, understood=understood
            )
    with sessions() as session:
        assert [one.reply["text"] for one in outbox.after(session, found.id)] == [said.text, said.text]
        assert [line.counts for line in insight.since(session, NOW.date())] == [{Came.ANSWERED: 2}]
    engine.dispose()


def test_sqlite_keeps_what_was_committed_and_checks_references(tmp_path: Path) -> None:
    engine = engine_for(f"sqlite:///{tmp_path / 'a.db'}")
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2
        assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
    assert create_engine("sqlite://") is not None
