"""Bringing the database's tables to this version, with Alembic's migrations in `bot/migrations`."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(engine: Engine, revision: str = "head", *, audit_key: bytes) -> None:
    """Run the migrations that this database has not seen, all in one transaction.

    Args:
        audit_key: under which the audit log goes on (`bot.audit.key_from`).

    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        config.attributes["audit_key"] = audit_key
        command.upgrade(config, revision)
