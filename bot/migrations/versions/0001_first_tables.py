"""Content, conversations, inbox and outbox

Revision ID: 0001
Revises: 
"""

import sqlalchemy as sa
from alembic import op

from knowledge.database import UtcDateTime
from knowledge.search import FTS5_TABLE

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('content_version',
    sa.Column('id', sa.String(length=12), nullable=False),
    sa.Column('built_at', UtcDateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_content_version'))
    )
    op.create_table('conversation',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('channel', sa.String(length=16), nullable=False),
    sa.Column('address_hash', sa.String(length=64), nullable=False),
    sa.Column('language', sa.String(length=8), nullable=True),
    sa.Column('hint', sa.String(length=8), nullable=True),
    sa.Column('slots', sa.JSON(), nullable=False),
    sa.Column('created_at', UtcDateTime(timezone=True), nullable=False),
    sa.Column('last_message_at', UtcDateTime(timezone=True), nullable=False),
    sa.Column('claimed_by', sa.String(length=32), nullable=True),
    sa.Column('claimed_until', UtcDateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_conversation')),
    sa.UniqueConstraint('channel', 'address_hash', name=op.f('uq_conversation_channel_address_hash'))
    )
    op.create_table('deletion',
    sa.Column('receipt', sa.String(length=16), nullable=False),
    sa.Column('deleted_at', UtcDateTime(timezone=True), nullable=False),
    sa.Column('messages', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('receipt', name=op.f('pk_deletion'))
    )
    op.create_table('content_document',
    sa.Column('version', sa.String(length=12), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('key', sa.String(length=128), nullable=False),
    sa.Column('language', sa.String(length=8), nullable=False),
    sa.Column('document', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['version'], ['content_version.id'], name=op.f('fk_content_document_version_content_version'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('version', 'kind', 'key', 'language', name=op.f('pk_content_document'))
    )
    op.create_table('current_content',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('version', sa.String(length=12), nullable=False),
    sa.CheckConstraint('id = 1', name=op.f('ck_current_content_single_row')),
    sa.ForeignKeyConstraint(['version'], ['content_version.id'], name=op.f('fk_current_content_version_content_version')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_current_content'))
    )
    op.create_table('inbox',
    sa.Column('id', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('conversation_id', sa.String(length=32), nullable=False),
    sa.Column('provider_id', sa.String(length=128), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('body', sa.String(), nullable=False),
    sa.Column('received_at', UtcDateTime(timezone=True), nullable=False),
    sa.Column('handled_at', UtcDateTime(timezone=True), nullable=True),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.CheckConstraint("kind IN ('text', 'button', 'location')", name=op.f('ck_inbox_kind')),
    sa.ForeignKeyConstraint(['conversation_id'], ['conversation.id'], name=op.f('fk_inbox_conversation_id_conversation'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_inbox')),
    sa.UniqueConstraint('conversation_id', 'provider_id', name=op.f('uq_inbox_conversation_id_provider_id'))
    )
    with op.batch_alter_table('inbox', schema=None) as batch_op:
        batch_op.create_index('ix_inbox_unhandled', ['conversation_id', 'id'], unique=False, sqlite_where=sa.text('handled_at IS NULL'), postgresql_where=sa.text('handled_at IS NULL'))

    op.create_table('search_text',
    sa.Column('version', sa.String(length=12), nullable=False),
    sa.Column('topic', sa.String(length=128), nullable=False),
    sa.Column('language', sa.String(length=8), nullable=False),
    sa.Column('title', sa.String(), nullable=False),
    sa.Column('body', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['version'], ['content_version.id'], name=op.f('fk_search_text_version_content_version'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('version', 'topic', 'language', name=op.f('pk_search_text'))
    )
    op.create_table('outbox',
    sa.Column('id', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('conversation_id', sa.String(length=32), nullable=False),
    sa.Column('answers', sa.Integer(), nullable=False),
    sa.Column('part', sa.String(length=16), nullable=False),
    sa.Column('reply', sa.JSON(), nullable=False),
    sa.Column('created_at', UtcDateTime(timezone=True), nullable=False),
    sa.Column('delivered_at', UtcDateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['answers'], ['inbox.id'], name=op.f('fk_outbox_answers_inbox'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['conversation_id'], ['conversation.id'], name=op.f('fk_outbox_conversation_id_conversation'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outbox')),
    sa.UniqueConstraint('answers', 'part', name=op.f('uq_outbox_answers_part'))
    )
    with op.batch_alter_table('outbox', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_outbox_conversation_id'), ['conversation_id'], unique=False)

    if op.get_bind().dialect.name == "sqlite":
        op.execute(FTS5_TABLE)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE search_index")
    with op.batch_alter_table('outbox', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_outbox_conversation_id'))

    op.drop_table('outbox')
    op.drop_table('search_text')
    with op.batch_alter_table('inbox', schema=None) as batch_op:
        batch_op.drop_index('ix_inbox_unhandled', sqlite_where=sa.text('handled_at IS NULL'), postgresql_where=sa.text('handled_at IS NULL'))

    op.drop_table('inbox')
    op.drop_table('current_content')
    op.drop_table('content_document')
    op.drop_table('deletion')
    op.drop_table('conversation')
    op.drop_table('content_version')
