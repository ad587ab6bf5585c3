"""Signing in by OpenID Connect: whom the provider knows an account as

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("staff", sa.Column("openid_hash", sa.String(length=64), nullable=True))
    op.create_index("uq_staff_openid_hash", "staff", ["openid_hash"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_staff_openid_hash", "staff")
    op.drop_column("staff", "openid_hash")
