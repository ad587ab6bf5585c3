"""When staff first said something in a case, since when it waits, and alerts about it

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

from knowledge.database import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("staff_case", sa.Column("hello_at", UtcDateTime(timezone=True), nullable=True))
    op.add_column("staff_case", sa.Column("waiting_since", UtcDateTime(timezone=True), nullable=True))
    op.add_column("staff_case", sa.Column("alert_step", sa.Integer(), server_default="0", nullable=False))
    op.add_column("staff_case", sa.Column("last_owner", sa.String(length=32), nullable=True))
    op.execute("UPDATE staff_case SET waiting_since = opened_at WHERE state = 'waiting'")
    op.create_table(
        "staff_alert",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("way", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("to", sa.JSON(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=True),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("sent_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("failure", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"], ["staff_case.id"], name=op.f("fk_staff_alert_case_id_staff_case"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_alert")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_staff_alert_case_id"), "staff_alert", ["case_id"])


def downgrade() -> None:
    op.drop_table("staff_alert")
    for column in ("last_owner", "alert_step", "waiting_since", "hello_at"):
        op.drop_column("staff_case", column)
