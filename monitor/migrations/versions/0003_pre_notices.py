"""Notices to staff that belong to no ticket; when a prober was blind."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.migrations.loosening import allow, let_be_null
from tickets.errors import Refused

revision = "0003_pre_notices"
down_revision = "0002_pre_readings"
branch_labels = None
depends_on = None

INSTANT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")

OWN_CAUSES = ("own_network", "own_resolver", "own_resources", "own_stall", "missed")


def upgrade() -> None:
    """Let a message belong to a key in place of a ticket; note since when a prober is blind."""
    let_be_null("message", "ticket_id")
    op.add_column("message", sa.Column("key", sa.String(), nullable=True))
    op.create_index("uq_message_key_address", "message", ["key", "address"], unique=True)
    for table in ("message", "delivery"):
        allow(table, "notice", "blind", "sighted")
    op.add_column("prober", sa.Column("blind_since", INSTANT, nullable=True))
    own = ", ".join(f"'{cause}'" for cause in OWN_CAUSES)
    op.execute(
        "ALTER TABLE prober ADD COLUMN blind_cause VARCHAR(40)"
        f" CONSTRAINT ck_prober_blind_cause CHECK (blind_cause IN ({own}))"
    )
    op.execute("ALTER TABLE prober ADD COLUMN unwatched_slots INTEGER DEFAULT 0 NOT NULL")
    op.add_column("prober", sa.Column("silent_since", INSTANT, nullable=True))


def downgrade() -> None:
    """Refuse: notices without a ticket would be lost."""
    raise Refused(
        f"{revision} cannot be undone, for notices without a ticket would be lost; "
        "restore a backup that was taken before it"
    )
