"""Ids that are never reused, urgent messages first, messages that were looked at without the model

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from knowledge.database import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UNHANDLED = sa.text("handled_at IS NULL")


def upgrade() -> None:
    # A client reads what is above its cursor: an id that SQLite gives out a second time would never be read.
    anew = "always" if op.get_bind().dialect.name == "sqlite" else "never"
    with op.batch_alter_table("inbox", recreate=anew, table_kwargs={"sqlite_autoincrement": True}) as batch_op:
        batch_op.add_column(sa.Column("is_urgent", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("looked_at", UtcDateTime(timezone=True), nullable=True))
        batch_op.drop_index("ix_inbox_unhandled")
        batch_op.create_index(
            "ix_inbox_unhandled", ["is_urgent", "id"], unique=False, sqlite_where=UNHANDLED, postgresql_where=UNHANDLED
        )
    with op.batch_alter_table("outbox", recreate=anew, table_kwargs={"sqlite_autoincrement": True}):
        pass


def downgrade() -> None:
    with op.batch_alter_table("inbox") as batch_op:
        batch_op.drop_index("ix_inbox_unhandled")
        batch_op.create_index(
            "ix_inbox_unhandled",
            ["conversation_id", "id"],
            unique=False,
            sqlite_where=UNHANDLED,
            postgresql_where=UNHANDLED,
        )
        batch_op.drop_column("looked_at")
        batch_op.drop_column("is_urgent")
