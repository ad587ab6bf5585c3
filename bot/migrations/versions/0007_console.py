"""The console: what messages were taken for, who looks at a case, canned replies

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

from knowledge.database import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("inbox", sa.Column("understood", sa.JSON(), nullable=True))
    op.create_table(
        "staff_presence",
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.String(length=32), nullable=False),
        sa.Column("seen_at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["staff_case.id"], name=op.f("fk_staff_presence_case_id_staff_case"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_staff_presence_staff_id_staff"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("case_id", "staff_id", name=op.f("pk_staff_presence")),
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


def downgrade() -> None:
    for table in ("canned_text", "canned_reply", "staff_presence"):
        op.drop_table(table)
    op.drop_column("inbox", "understood")
