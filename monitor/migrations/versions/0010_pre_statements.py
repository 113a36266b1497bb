"""Monthly statements, and contacts who no longer want them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.migrations.loosening import allow
from tickets.errors import Refused

revision = "0010_pre_statements"
down_revision = "0009_pre_outbox"
branch_labels = None
depends_on = None

INSTANT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Create the three tables and allow the notice; no row that exists is touched."""
    op.create_table(
        "statement",
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("month", sa.String(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("page", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("client", "month", name=op.f("pk_statement")),
    )
    op.create_table(
        "statement_copy",
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("month", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("written_at", INSTANT, nullable=False),
        sa.Column("page_hash", sa.String(), nullable=False),
        sa.Column("unsubscribe_hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("client", "month", "address", name=op.f("pk_statement_copy")),
        sa.UniqueConstraint("page_hash", name=op.f("uq_statement_copy_page_hash")),
        sa.UniqueConstraint("unsubscribe_hash", name=op.f("uq_statement_copy_unsubscribe_hash")),
    )
    op.create_index("ix_statement_copy_address", "statement_copy", ["address"], unique=False)
    op.create_table(
        "unsubscribed",
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("unsubscribed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("client", "address", name=op.f("pk_unsubscribed")),
    )
    op.create_index("ix_unsubscribed_address", "unsubscribed", ["address"], unique=False)
    for table in ("message", "delivery"):
        allow(table, "notice", "statement")


def downgrade() -> None:
    """Refuse: who wants no statements would be forgotten."""
    raise Refused(
        f"{revision} cannot be undone, for who wants no statements would be forgotten; "
        "restore a backup that was taken before it"
    )
