"""Who said STOP, and which messages are edits of others

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

from knowledge.database import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("conversation", sa.Column("stopped_at", UtcDateTime(timezone=True), nullable=True))
    op.add_column("inbox", sa.Column("is_edit", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("inbox", "is_edit")
    op.drop_column("conversation", "stopped_at")
