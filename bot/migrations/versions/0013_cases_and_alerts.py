"""Cases opened anew: until when what was said may be read, and the first answer of all. Alerts that go together: when, and with which

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

from knowledge.database import UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("staff_case", sa.Column("first_answer_at", UtcDateTime(timezone=True), nullable=True))
    op.add_column("staff_case", sa.Column("read_until", UtcDateTime(timezone=True), nullable=True))
    op.execute("UPDATE staff_case SET first_answer_at = hello_at")
    op.add_column("staff_alert", sa.Column("told_at", UtcDateTime(timezone=True), nullable=True))
    op.add_column("staff_alert", sa.Column("told_with", sa.Integer(), nullable=True))
    op.create_index("ix_staff_alert_told_at", "staff_alert", ["told_at"])


def downgrade() -> None:
    op.drop_index("ix_staff_alert_told_at", "staff_alert")
    for column in ("told_with", "told_at"):
        op.drop_column("staff_alert", column)
    for column in ("read_until", "first_answer_at"):
        op.drop_column("staff_case", column)
