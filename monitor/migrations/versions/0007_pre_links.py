"""Links to a ticket and the files that came with it."""

from __future__ import annotations

revision = "0007_pre_links"
down_revision = "0006_pre_tokens"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing yet."""


def downgrade() -> None:
    """Change nothing."""
