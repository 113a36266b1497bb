"""Requests that wait until their sender's address is known to be theirs."""

from __future__ import annotations

revision = "0008_pre_form"
down_revision = "0007_pre_links"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing yet."""


def downgrade() -> None:
    """Change nothing."""
