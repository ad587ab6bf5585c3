"""What the tests share: the shipped content, small contents of their own, a database each, the trained model once."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session, sessionmaker

from bot.service import Service, newest_model, open_service
from bot.settings import Settings
from knowledge.files import Content, load

ROOT = Path(__file__).parents[1]
settings.register_profile("usual", max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
settings.register_profile("thorough", settings.get_profile("usual"), max_examples=10_000)
settings.load_profile("usual")

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)  # a Monday morning, after office hours begin


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--burst", type=int, default=60, help="updates of Telegram's that come at once")


@pytest.fixture(scope="session")
def content() -> Content:
    loaded, faults = load()
    assert not [fault for fault in faults if fault.severity == "error"]
    return loaded


def settings_in(folder: Path) -> Settings:
    return Settings(
        _env_file=None,
        database_url=f"sqlite:///{folder / 'wegwijs.db'}",
        models_folder=ROOT / "models",
        secret_key="key of the tests",
    )


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, content: Content) -> Path:
    """A database with tables and content, made once: each test that wants one takes a copy."""
    folder = tmp_path_factory.mktemp("prepared")
    opened = open_service(settings_in(folder))
    opened.prepare(content, now=NOW)
    opened.close()
    return folder / "wegwijs.db"


@pytest.fixture
def service(tmp_path: Path, prepared: Path, content: Content) -> Iterator[Service]:
    """A service on a database of its own, with tables and content, and the model of the project."""
    shutil.copy(prepared, tmp_path)
    opened = open_service(settings_in(tmp_path))
    opened.prepare(content, now=NOW)
    yield opened
    opened.close()


@pytest.fixture
def engine(service: Service) -> Engine:
    return service.engine


@pytest.fixture
def sessions(service: Service) -> sessionmaker[Session]:
    return service.sessions


@pytest.fixture
def session(sessions: sessionmaker[Session]) -> Iterator[Session]:
    with sessions.begin() as opened:
        yield opened


@pytest.fixture(scope="session")
def assistant():
    """The trained model, loaded once; `make test` trains it before."""
    from bot.assistant import Assistant

    return Assistant.load(newest_model(ROOT / "models"))


def rows(engine: Engine, table: str) -> int:
    with engine.connect() as connection:
        return connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()


@contextmanager
def locked(service: Service) -> Iterator[None]:
    """Somebody else holds the database as long as the block runs: nothing can be stored."""
    other = sqlite3.connect(service.engine.url.database or "", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()
