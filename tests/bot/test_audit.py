"""The audit log under a key: forging shows, earlier keys verify, logs of before are taken over once; and the command."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session, sessionmaker
from typer.testing import CliRunner

from bot import audit
from bot.cli import app as commands
from bot.database import upgrade
from bot.models import AuditEntry, AuditHead
from bot.service import Service, open_service
from bot.settings import Settings
from knowledge.database import engine_for, session_factory
from knowledge.files import Content
from tests.conftest import NOW

KEY = b"key of the log"


def keyed(engine: Engine, *keys: bytes) -> sessionmaker[Session]:
    made = session_factory(engine)
    made.configure(info={audit.KEYS: keys})
    return made


@pytest.fixture
def written(sessions: sessionmaker[Session]) -> sessionmaker[Session]:
    """A log of three entries."""
    with sessions.begin() as session:
        for action in ("case_claimed", "message_sent", "case_closed"):
            audit.record(session, "ann", action, case_id=1, now=NOW)
    return sessions


def is_whole(sessions: sessionmaker[Session]) -> bool:
    with sessions() as session:
        return audit.verify(session).is_whole


def test_whoever_can_write_in_the_database_but_lacks_the_key_can_t_make_the_chain_fit(
    written: sessionmaker[Session], engine: Engine
) -> None:
    assert is_whole(written)
    forger = keyed(engine, b"a guess")
    with forger.begin() as session:
        session.delete(session.query(AuditEntry).order_by(AuditEntry.id.desc()).first())
        session.flush()
        last = session.query(AuditEntry).order_by(AuditEntry.id.desc()).first()
        head = session.query(AuditHead).one()
        head.digest, head.entries = last.digest, 2
        head.seal = audit.seal_of(last.digest, 2, b"a guess")
    assert not is_whole(written)
    with forger.begin() as session:
        audit.record(session, "bob", "case_claimed", case_id=1, now=NOW)
    assert not is_whole(written)


def test_the_end_without_its_seal_shows(written: sessionmaker[Session]) -> None:
    with written.begin() as session:
        session.execute(text("UPDATE audit_head SET seal = ''"))
    assert not is_whole(written)


def test_what_was_written_under_an_earlier_key_is_still_verified(service: Service, content: Content) -> None:
    def opened(key: str, *earlier: str) -> sessionmaker[Session]:
        settings = Settings(
            _env_file=None, database_url=str(service.engine.url), secret_key=key, old_secret_keys=earlier
        )
        return open_service(settings, content).sessions

    for sessions in (opened("first key of all"), opened("second key of all", "first key of all")):
        with sessions.begin() as session:
            if session.query(AuditEntry).count() == 0:
                session.execute(text("DELETE FROM audit"))
            audit.record(session, "ann", "case_claimed", now=NOW)
    assert is_whole(opened("third key of all", "second key of all", "first key of all"))
    assert not is_whole(opened("third key of all", "second key of all"))


def old_log(path: Path, *, forged: bool) -> Engine:
    """A database of before the key, with a log of two entries chained by plain digests."""
    engine = engine_for(f"sqlite:///{path / 'old.db'}")
    upgrade(engine, "0008", audit_key=KEY)
    previous = ""
    with engine.begin() as connection:
        for number, action in enumerate(("case_claimed", "case_closed"), 1):
            content = [NOW.isoformat(), "ann", action, 7, {"outcome": "helped"}, previous]
            digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
            connection.execute(
                text("INSERT INTO audit VALUES (:id, :at, 'ann', :action, 7, :details, :previous, :digest)"),
                {
                    "id": number,
                    "at": f"{NOW:%Y-%m-%d %H:%M:%S.%f}",
                    "action": action,
                    "details": '{"outcome": "helped"}',
                    "previous": previous,
                    "digest": digest,
                },
            )
            previous = digest
        connection.execute(text("UPDATE audit_head SET digest = :digest, entries = 2"), {"digest": previous})
        if forged:
            connection.execute(text("UPDATE audit SET actor = 'bob' WHERE id = 2"))
    upgrade(engine, audit_key=KEY)
    return engine


@pytest.mark.parametrize("forged", [False, True])
def test_a_log_of_before_the_key_is_taken_over_where_it_is_whole_and_stays_broken_where_it_is_not(
    tmp_path: Path, forged: bool
) -> None:
    sessions = keyed(old_log(tmp_path, forged=forged), KEY)
    assert is_whole(sessions) is not forged
    if not forged:
        with sessions.begin() as session:
            audit.record(session, "ann", "case_reopened", now=NOW)
        assert is_whole(sessions)


def test_the_command_says_whether_the_log_is_whole(
    written: sessionmaker[Session], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", str(service.engine.url))
    monkeypatch.setenv("SECRET_KEY", "key of the tests")
    run = CliRunner()
    whole = run.invoke(commands, ["staff", "audit", "--check"])
    with written() as session:
        digest = session.query(AuditHead).one().digest
    assert (whole.exit_code, whole.stdout) == (0, f"whole: 3 entries, {digest}\n")
    shown = run.invoke(commands, ["staff", "audit", "--last", "1"]).stdout
    assert "case_closed" in shown
    assert "message_sent" not in shown
    with written.begin() as session:
        session.execute(text("DELETE FROM audit WHERE id = 2"))
    broken = run.invoke(commands, ["staff", "audit", "--check"])
    assert broken.exit_code == 1
    assert "NOT whole" in broken.output
    assert "entry 1" in broken.output
