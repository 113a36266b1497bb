"""What the outbox needs to merge, to brake and to tell of what died."""

from __future__ import annotations

revision = "0009_pre_outbox"
down_revision = "0008_pre_form"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing yet."""


def downgrade() -> None:
    """Change nothing."""
