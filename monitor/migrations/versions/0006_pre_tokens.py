"""API tokens and idempotency keys."""

from __future__ import annotations

revision = "0006_pre_tokens"
down_revision = "0005_pre_calendars"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing yet."""


def downgrade() -> None:
    """Change nothing."""
