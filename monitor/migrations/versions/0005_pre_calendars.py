"""Calendars as they were materialised; escalations told."""

from __future__ import annotations

revision = "0005_pre_calendars"
down_revision = "0004_pre_whole_life"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing yet."""


def downgrade() -> None:
    """Change nothing."""
