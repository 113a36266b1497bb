"""Monthly statements, and contacts who no longer want them."""

from __future__ import annotations

revision = "0010_pre_statements"
down_revision = "0009_pre_outbox"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing yet."""


def downgrade() -> None:
    """Change nothing."""
