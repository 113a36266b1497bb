"""Requests sent by the form, which wait until their sender's address is known to be theirs."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from monitor.migrations.loosening import allow
from tickets.errors import Refused

revision = "0008_pre_form"
down_revision = "0007_pre_links"
branch_labels = None
depends_on = None

INSTANT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")
UNFINISHED = sa.text("state IN ('taken', 'waiting')")
STATES = ("taken", "waiting", "opened", "declined", "expired", "repeated")


def upgrade() -> None:
    """Create the tables, make the form's secret, and allow the notice that asks to verify."""
    op.create_table(
        "form_request",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("page_hash", sa.String(), nullable=False),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("state", _enum("state", *STATES), nullable=False),
        sa.Column("priority", _enum("priority", "critical", "normal", "low"), nullable=False),
        sa.Column("content", JSON, nullable=True),
        sa.Column("sent_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("respond_by", INSTANT, nullable=False),
        sa.Column("verify_hash", sa.String(), nullable=True),
        sa.Column("asked_at", INSTANT, nullable=True),
        sa.Column("verified_at", INSTANT, nullable=True),
        sa.Column("ticket_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_form_request_ticket_id_ticket")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_form_request")),
    )
    op.create_index("uq_form_request_page", "form_request", ["page_hash"], unique=True)
    op.create_index("ix_form_request_content", "form_request", ["content_hash", "sent_at"])
    op.create_index("ix_form_request_address", "form_request", ["address", "asked_at"])
    op.create_index("ix_form_request_verify", "form_request", ["verify_hash"])
    op.create_index("ix_form_request_ticket", "form_request", ["ticket_id"])
    op.create_index("ix_form_request_number", "form_request", ["number"])
    op.create_index(
        "ix_form_request_unfinished",
        "form_request",
        ["state", "sent_at"],
        sqlite_where=UNFINISHED,
        postgresql_where=UNFINISHED,
    )
    op.create_table(
        "form_file",
        sa.Column("request_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["form_request.id"], name=op.f("fk_form_file_request_id_form_request")
        ),
        sa.PrimaryKeyConstraint("request_id", "place", name=op.f("pk_form_file")),
    )
    secret = op.create_table(
        "form_secret",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_form_secret")),
    )
    op.bulk_insert(secret, [{"id": 1, "secret": secrets.token_hex(32)}])
    for table in ("message", "delivery"):
        allow(table, "notice", "verify")


def downgrade() -> None:
    """Refuse: requests that wait for their sender would be lost."""
    raise Refused(
        f"{revision} cannot be undone, for requests that wait for their sender would be lost; "
        "restore a backup that was taken before it"
    )


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)
