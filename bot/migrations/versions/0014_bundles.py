"""Alerts that go together: when each was last tried, and with which

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

from knowledge.database import UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("staff_alert", sa.Column("told_at", UtcDateTime(timezone=True), nullable=True))
    op.add_column("staff_alert", sa.Column("told_with", sa.Integer(), nullable=True))
    op.create_index("ix_staff_alert_told_at", "staff_alert", ["told_at"])


def downgrade() -> None:
    op.drop_index("ix_staff_alert_told_at", "staff_alert")
    for column in ("told_with", "told_at"):
        op.drop_column("staff_alert", column)
