"""When staff are there, the consent of the person, and alerts about cases that wait

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from knowledge.database import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("staff_case", sa.Column("consent", sa.String(length=3), nullable=True))
    op.add_column("staff_case", sa.Column("consent_at", UtcDateTime(timezone=True), nullable=True))
    op.create_table(
        "duty_plan",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_duty_plan_single_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duty_plan")),
    )


def downgrade() -> None:
    op.drop_table("duty_plan")
    for column in ("consent_at", "consent"):
        op.drop_column("staff_case", column)
