"""Notices to staff that belong to no ticket; when a prober was blind."""

from __future__ import annotations

revision = "0003_pre_notices"
down_revision = "0002_pre_readings"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing yet."""


def downgrade() -> None:
    """Change nothing."""
