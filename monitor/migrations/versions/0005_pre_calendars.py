"""Calendars as they were materialised; escalations told; the channel of a message."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from monitor.migrations.loosening import allow
from tickets.errors import Refused

revision = "0005_pre_calendars"
down_revision = "0004_pre_whole_life"
branch_labels = None
depends_on = None

INSTANT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Add the tables and the column, and the words that escalation brings."""
    op.create_table(
        "escalation",
        sa.Column("ticket_id", sa.Integer(), nullable=False),
        sa.Column("promise_number", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("told_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_escalation_ticket_id_ticket")
        ),
        sa.PrimaryKeyConstraint("ticket_id", "promise_number", "step", name=op.f("pk_escalation")),
    )
    op.create_table(
        "calendar",
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("first", sa.Date(), nullable=False),
        sa.Column("last", sa.Date(), nullable=False),
        sa.Column("week", JSON, nullable=False),
        sa.Column("days", JSON, nullable=False),
        sa.Column("change", JSON, nullable=False),
        sa.PrimaryKeyConstraint("client", "version", name=op.f("pk_calendar")),
    )
    op.execute(
        "ALTER TABLE message ADD COLUMN channel VARCHAR(40) DEFAULT 'mail' NOT NULL"
        " CONSTRAINT ck_message_channel CHECK (channel IN ('mail', 'push'))"
    )
    allow("entry", "action", "escalate")
    allow("promise", "answered_with", "escalate")
    allow("refusal", "action", "escalate")
    for table in ("message", "delivery"):
        allow(table, "notice", "at_risk", "update_due", "calendar_ends")


def downgrade() -> None:
    """Refuse: who has been told of what would be lost."""
    raise Refused(
        f"{revision} cannot be undone, for who has been told of what would be lost; "
        "restore a backup that was taken before it"
    )
