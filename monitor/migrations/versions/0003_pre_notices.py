"""Notices to staff that belong to no ticket; when a prober was blind."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.migrations.checks import allow

revision = "0003_pre_notices"
down_revision = "0002_pre_readings"
branch_labels = None
depends_on = None

INSTANT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")

OWN_CAUSES = ("own_network", "own_resolver", "own_resources", "own_stall", "missed")


def upgrade() -> None:
    """Let a message belong to a key in place of a ticket; note since when a prober is blind."""
    _let_be_null("message", "ticket_id")
    op.add_column("message", sa.Column("key", sa.String(), nullable=True))
    op.create_index("uq_message_key_address", "message", ["key", "address"], unique=True)
    for table in ("message", "delivery"):
        allow(table, "notice", "blind", "sighted")
    op.add_column("prober", sa.Column("blind_since", INSTANT, nullable=True))
    own = ", ".join(f"'{cause}'" for cause in OWN_CAUSES)
    op.execute(
        "ALTER TABLE prober ADD COLUMN blind_cause VARCHAR(40)"
        f" CONSTRAINT ck_prober_blind_cause CHECK (blind_cause IN ({own}))"
    )
    op.execute("ALTER TABLE prober ADD COLUMN unwatched_slots INTEGER DEFAULT 0 NOT NULL")
    op.add_column("prober", sa.Column("silent_since", INSTANT, nullable=True))


def _let_be_null(table: str, column: str) -> None:
    """Let an integer column be empty; for SQLite by its text, as for a check (see ``allow``)."""
    bind = op.get_bind()
    if bind.dialect.name != "sqlite":
        op.alter_column(table, column, nullable=True)
        return
    query = sa.text("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = :table")
    text = bind.execute(query, {"table": table}).scalar_one()
    strict = f"{column} INTEGER NOT NULL"
    if strict not in text:
        raise RuntimeError(f"table {table} has no column {column} that may not be empty")
    version = bind.exec_driver_sql("PRAGMA schema_version").scalar_one()
    bind.exec_driver_sql("PRAGMA writable_schema = ON")
    update = "UPDATE sqlite_schema SET sql = :sql WHERE type = 'table' AND name = :table"
    bind.execute(
        sa.text(update), {"sql": text.replace(strict, f"{column} INTEGER"), "table": table}
    )
    bind.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    bind.exec_driver_sql("PRAGMA writable_schema = OFF")


def downgrade() -> None:
    """Refuse: notices without a ticket would be lost."""
    raise NotImplementedError("restore a backup instead")
