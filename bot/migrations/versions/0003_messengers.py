"""Messengers: encrypted addresses, and replies that are sent and tried again

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

from knowledge.database import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("conversation", sa.Column("address", sa.String(), nullable=True))
    op.add_column("outbox", sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("outbox", sa.Column("next_try_at", UtcDateTime(timezone=True), nullable=True))
    op.add_column("outbox", sa.Column("failure", sa.String(length=64), nullable=True))
    op.add_column("outbox", sa.Column("provider_id", sa.String(length=128), nullable=True))
    op.add_column("outbox", sa.Column("state", sa.String(length=16), nullable=True))


def downgrade() -> None:
    for column in ("state", "provider_id", "failure", "next_try_at", "attempts"):
        op.drop_column("outbox", column)
    op.drop_column("conversation", "address")
