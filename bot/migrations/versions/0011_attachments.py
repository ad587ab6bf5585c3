"""Attachments: what people send while a person has their conversation

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

from knowledge.database import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attachment",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("inbox_id", sa.Integer(), sa.ForeignKey("inbox.id", ondelete="CASCADE"), nullable=False),
        sa.Column(
            "conversation_id", sa.String(length=32), sa.ForeignKey("conversation.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(length=32), nullable=True),
        sa.Column("data", sa.LargeBinary(), nullable=True),
        sa.Column("failure", sa.String(length=32), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("next_try_at", UtcDateTime(timezone=True), nullable=True),
        sa.UniqueConstraint("inbox_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_attachment_conversation_id", "attachment", ["conversation_id"])


def downgrade() -> None:
    op.drop_table("attachment")
