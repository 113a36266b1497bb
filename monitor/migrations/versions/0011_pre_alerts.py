"""Alerts taken in from Alertmanager and Grafana; tickets that no client sees."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from monitor.migrations.loosening import allow
from tickets.errors import Refused

revision = "0011_pre_alerts"
down_revision = "0010_pre_statements"
branch_labels = None
depends_on = None

INSTANT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")
STATES = ("firing", "resolved", "gone", "superseded")
IS_OPEN = sa.text("ended_at IS NULL")
IS_FIRING = sa.text("state = 'firing'")
COUNTS = (
    "ok_count", "unauthorised_count", "malformed_count", "too_large_count", "store_error_count",
    "firing_count", "resolved_count", "deduplicated_count", "truncated_count",
)  # fmt: skip


def upgrade() -> None:
    """Create the three tables; every ticket that exists may be seen by its client, as before."""
    for table in ("message", "delivery"):
        allow(table, "notice", "alert", "alert_ended")
    op.add_column(
        "ticket", sa.Column("is_internal", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_table(
        "alert_source",
        sa.Column("name", sa.String(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in COUNTS),
        sa.Column("added_at", INSTANT, nullable=False),
        sa.Column("removed_at", INSTANT, nullable=True),
        sa.Column("watchdog_at", INSTANT, nullable=True),
        sa.Column("receivers", JSON, nullable=False),
        sa.Column("read_at", INSTANT, nullable=True),
        sa.Column("reading_until", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_alert_source")),
    )
    _add_incidents()
    _add_alerts()


def _add_incidents() -> None:
    op.create_table(
        "alert_incident",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("site", sa.String(), nullable=True),
        sa.Column("ticket_id", sa.Integer(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("begun_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("told_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_alert_incident_ticket_id_ticket")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_incident")),
        sa.UniqueConstraint("ticket_id", name=op.f("uq_alert_incident_ticket_id")),
    )
    op.create_index(
        "uq_alert_incident_open_key",
        "alert_incident",
        ["key"],
        unique=True,
        sqlite_where=IS_OPEN,
        postgresql_where=IS_OPEN,
    )
    op.create_index("ix_alert_incident_latest", "alert_incident", ["key", "id"], unique=False)
    op.create_index(
        "ix_alert_incident_storm", "alert_incident", ["source", "begun_at"], unique=False
    )


def _add_alerts() -> None:
    state = sa.Enum(*STATES, name="state", native_enum=False, create_constraint=True, length=40)
    op.create_table(
        "alert",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("began_at", INSTANT, nullable=False),
        sa.Column("state", state, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("labels", JSON, nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("missing_since", INSTANT, nullable=True),
        sa.Column("incident_id", sa.Integer(), nullable=True),
        sa.Column("ticket_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["alert_incident.id"],
            name=op.f("fk_alert_incident_id_alert_incident"),
        ),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_alert_ticket_id_ticket")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
        sa.UniqueConstraint(
            "source",
            "fingerprint",
            "starts_at",
            name=op.f("uq_alert_source_fingerprint_starts_at"),
        ),
    )
    op.create_index(
        "ix_alert_firing",
        "alert",
        ["source", "fingerprint"],
        unique=False,
        sqlite_where=IS_FIRING,
        postgresql_where=IS_FIRING,
    )
    op.create_index("ix_alert_incident", "alert", ["incident_id"], unique=False)
    op.create_index("ix_alert_ended", "alert", ["ended_at"], unique=False)


def downgrade() -> None:
    """Refuse: clients would see what was internal."""
    raise Refused(
        f"{revision} cannot be undone, for clients would see tickets that are internal; "
        "restore a backup that was taken before it"
    )
