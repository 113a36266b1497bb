"""Readings in time buckets."""

from __future__ import annotations

revision = "0002_pre_readings"
down_revision = "0001_pre_first_tables"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing yet."""


def downgrade() -> None:
    """Change nothing."""
