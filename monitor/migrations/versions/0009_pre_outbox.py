"""What the outbox needs to merge, to brake and to tell of what died."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.migrations.loosening import allow
from tickets.errors import Refused

revision = "0009_pre_outbox"
down_revision = "0008_pre_form"
branch_labels = None
depends_on = None

INSTANT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
CARRIED = sa.text("carrier_id IS NOT NULL")
DEAD = sa.text("state = 'dead'")
CHANNELS = ("mail", "push")
HOLDS = ("support_hours", "limit", "undeliverable")
REASONS = ("connect", "tls", "auth", "temporary", "permanent", "timeout")
STATES = ("pending", "sending", "sent", "dead", "cancelled")


def upgrade() -> None:
    """Add the columns and tables; every message stays as it is, every ticket counts as told."""
    _add_columns()
    _add_tables()
    for table in ("message", "delivery"):
        allow(table, "notice", "digest", "mail_fault")
    op.execute("INSERT INTO digested (ticket_id, at) SELECT id, opened_at FROM ticket")


def downgrade() -> None:
    """Refuse: messages that share a mail would be sent apart."""
    raise Refused(
        f"{revision} cannot be undone, for messages that share a mail would be sent apart; "
        "restore a backup that was taken before it"
    )


def _add_columns() -> None:
    # Only as text does SQLite take references and checks without copying the table.
    op.execute(
        "ALTER TABLE message ADD COLUMN carrier_id INTEGER"
        " CONSTRAINT fk_message_carrier_id_message REFERENCES message (id)"
    )
    held = ", ".join(f"'{reason}'" for reason in HOLDS)
    op.execute(
        "ALTER TABLE message ADD COLUMN held_for VARCHAR(40)"
        f" CONSTRAINT ck_message_held_for CHECK (held_for IN ({held}))"
    )
    op.execute("ALTER TABLE message ADD COLUMN is_sealed BOOLEAN DEFAULT false NOT NULL")
    op.execute("ALTER TABLE message ADD COLUMN forgiven INTEGER DEFAULT 0 NOT NULL")
    op.add_column("message", sa.Column("requeued_at", INSTANT, nullable=True))
    op.add_column("message", sa.Column("told_at", INSTANT, nullable=True))
    op.create_index(
        "ix_message_carrier",
        "message",
        ["carrier_id"],
        sqlite_where=CARRIED,
        postgresql_where=CARRIED,
    )
    op.create_index("ix_message_sent", "message", ["sent_at"])
    op.create_index(
        "ix_message_dead", "message", ["told_at"], sqlite_where=DEAD, postgresql_where=DEAD
    )
    # What died before is known by now, and what was tried may have been taken.
    op.execute("UPDATE message SET told_at = written_at WHERE state = 'dead'")
    op.execute("UPDATE message SET is_sealed = true WHERE attempts > 0 OR state = 'sending'")


def _add_tables() -> None:
    op.create_table(
        "undeliverable",
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("retry_at", INSTANT, nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_undeliverable")),
    )
    op.create_table(
        "channel",
        sa.Column("name", _enum("name", *CHANNELS), nullable=False),
        sa.Column("failing_since", INSTANT, nullable=True),
        sa.Column("failing_reason", _enum("failing_reason", *REASONS), nullable=True),
        sa.Column("failing_answer", sa.String(), nullable=True),
        sa.Column("told_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_channel")),
    )
    op.create_table(
        "brake",
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("tripped_at", INSTANT, nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        sa.Column("told_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_brake")),
    )
    op.create_table(
        "digested",
        sa.Column("ticket_id", sa.Integer(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_digested_ticket_id_ticket")
        ),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_digested")),
    )
    op.create_table(
        "intervention",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("what", _enum("what", "requeue", "cancel"), nullable=False),
        sa.Column("state_before", _enum("state_before", *STATES), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name=op.f("fk_intervention_message_id_message")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_intervention_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intervention")),
    )
    op.create_index("ix_intervention_message", "intervention", ["message_id"])


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)
