"""Readings in time buckets, and the maintenance windows of sites."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002_pre_readings"
down_revision = "0001_pre_first_tables"
branch_labels = None
depends_on = None

INSTANT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")

COUNTS = ("up", "slow", "down", "unknown", "missed", "maintenance")
SECONDS = (
    "up", "slow", "down", "unknown", "maintenance",
    "resolve", "connect", "tls", "processing", "transfer", "total", "slowest",
)  # fmt: skip
LATENCIES = 16


def upgrade() -> None:
    """Create the readings, none yet, and give sites a column that is empty."""
    op.add_column("site", sa.Column("maintenance", JSON, nullable=True))
    span = sa.Enum(
        "fine", "hour", "day", name="span", native_enum=False, create_constraint=True, length=40
    )
    op.create_table(
        "reading",
        sa.Column("span", span, nullable=False),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("location", sa.String(), nullable=False),
        *(sa.Column(f"{name}_count", sa.Integer(), nullable=False) for name in COUNTS),
        *(sa.Column(f"{name}_seconds", sa.Float(), nullable=False) for name in SECONDS),
        *(sa.Column(f"latency_{n}", sa.Integer(), nullable=False) for n in range(LATENCIES)),
        sa.PrimaryKeyConstraint("span", "starts_at", "site", "location", name=op.f("pk_reading")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Remove the readings and the windows."""
    op.drop_table("reading")
    op.drop_column("site", "maintenance")
