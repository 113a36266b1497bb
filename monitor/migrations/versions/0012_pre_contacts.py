"""Contacts whose data was erased."""

from __future__ import annotations

revision = "0012_pre_contacts"
down_revision = "0011_pre_alerts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing yet."""


def downgrade() -> None:
    """Change nothing."""
