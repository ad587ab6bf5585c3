"""The console, further: canned replies, translations; and the audit log under a key

Revision ID: 0009
Revises: 0008
"""

import hashlib
import hmac
import json
from datetime import UTC

import sqlalchemy as sa
from alembic import context, op

from knowledge.database import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit_head", sa.Column("seal", sa.String(length=64), nullable=False, server_default=""))
    _key_the_audit_log(op.get_bind(), context.config.attributes["audit_key"])
    op.create_table(
        "translation",
        sa.Column("inbox_id", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["inbox_id"], ["inbox.id"], name=op.f("fk_translation_inbox_id_inbox"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("inbox_id", "language", name=op.f("pk_translation")),
    )
    op.create_table(
        "canned_reply",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("changed_by", sa.String(length=32), nullable=False),
        sa.Column("changed_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canned_reply")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "canned_text",
        sa.Column("reply_id", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["reply_id"], ["canned_reply.id"], name=op.f("fk_canned_text_reply_id_canned_reply"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("reply_id", "language", name=op.f("pk_canned_text")),
    )


def _key_the_audit_log(connection: sa.Connection, key: bytes) -> None:
    """Make the digests anew under the key where the chain is whole; a broken one stays, and stays seen as broken.

    Done here, once: where a running service did it, whoever forged the log could have it blessed by a restart.
    """
    entry = sa.table(
        "audit",
        sa.column("id", sa.Integer),
        sa.column("at", UtcDateTime),
        *(sa.column(name) for name in ("actor", "action", "case_id")),
        sa.column("details", sa.JSON),
        *(sa.column(name) for name in ("previous", "digest")),
    )
    head = sa.table("audit_head", *(sa.column(name) for name in ("digest", "entries", "seal")))

    def content(row: sa.Row, previous: str) -> bytes:
        fields = [row.at.astimezone(UTC).isoformat(), row.actor, row.action, row.case_id, row.details, previous]
        return json.dumps(fields, sort_keys=True, ensure_ascii=True).encode()

    rows = connection.execute(sa.select(entry).order_by(entry.c.id)).all()
    end = connection.execute(sa.select(head.c.digest, head.c.entries)).one()
    before = ""
    for row in rows:
        if row.previous != before or row.digest != hashlib.sha256(content(row, before)).hexdigest():
            return
        before = row.digest
    if (end.digest, end.entries) != (before, len(rows)):
        return
    previous = ""
    for row in rows:
        digest = hmac.new(key, content(row, previous), hashlib.sha256).hexdigest()
        connection.execute(entry.update().where(entry.c.id == row.id).values(previous=previous, digest=digest))
        previous = digest
    seal = hmac.new(key, f"end:{len(rows)}:{previous}".encode(), hashlib.sha256).hexdigest()
    connection.execute(head.update().values(digest=previous, seal=seal))


def downgrade() -> None:
    for table in ("translation", "canned_text", "canned_reply"):
        op.drop_table(table)
    op.drop_column("audit_head", "seal")
