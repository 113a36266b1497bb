"""The whole life of a ticket: waiting, links, time spent, allowances."""

from __future__ import annotations

revision = "0004_pre_whole_life"
down_revision = "0003_pre_notices"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing yet."""


def downgrade() -> None:
    """Change nothing."""
