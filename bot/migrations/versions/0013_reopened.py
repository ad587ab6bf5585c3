"""Cases opened anew: until when what was said may be read, and the first answer of all

Revision ID: 0013
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

from knowledge.database import UtcDateTime

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("staff_case", sa.Column("first_answer_at", UtcDateTime(timezone=True), nullable=True))
    op.add_column("staff_case", sa.Column("read_until", UtcDateTime(timezone=True), nullable=True))
    op.execute("UPDATE staff_case SET first_answer_at = hello_at")


def downgrade() -> None:
    for column in ("read_until", "first_answer_at"):
        op.drop_column("staff_case", column)
