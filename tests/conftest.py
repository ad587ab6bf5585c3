"""What the tests share: the shipped content, small contents of their own, a database each, the trained model once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session, sessionmaker

from bot.service import Service, newest_model, open_service
from bot.settings import Settings
from knowledge.files import Content, load

ROOT = Path(__file__).parents[1]
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)  # a Monday morning, after office hours begin


@pytest.fixture(scope="session")
def content() -> Content:
    loaded, faults = load()
    assert not [fault for fault in faults if fault.severity == "error"]
    return loaded


@pytest.fixture
def service(tmp_path: Path, content: Content) -> Iterator[Service]:
    """A service on a database of its own, with tables and content, and the model of the project."""
    settings = Settings(
        _env_file=None,
        database_url=f"sqlite:///{tmp_path / 'wegwijs.db'}",
        models_folder=ROOT / "models",
        secret_key="key of the tests",
    )
    opened = open_service(settings)
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
