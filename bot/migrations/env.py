"""Alembic's entry: runs the migrations on the connection that `bot.database` hands over."""

from alembic import context

import knowledge.models  # noqa: F401 (fills the metadata)
from knowledge.database import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    user_module_prefix="",
)
with context.begin_transaction():
    context.run_migrations()
