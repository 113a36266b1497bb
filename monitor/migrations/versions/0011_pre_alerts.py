"""Alerts taken in from Alertmanager and Grafana."""

from __future__ import annotations

revision = "0011_pre_alerts"
down_revision = "0010_pre_statements"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing yet."""


def downgrade() -> None:
    """Change nothing."""
