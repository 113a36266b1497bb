"""Links to a ticket, forms of its page that were sent, and the files that came with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.migrations.loosening import allow

revision = "0007_pre_links"
down_revision = "0006_pre_tokens"
branch_labels = None
depends_on = None

INSTANT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Create the tables and let a message carry a new link; no row that exists is touched."""
    allow("message", "notice", "new_link")
    allow("delivery", "notice", "new_link")
    allow("entry", "action", "revoke_links")
    allow("promise", "answered_with", "revoke_links")
    allow("refusal", "action", "revoke_links")
    op.create_table(
        "ticket_link",
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("ticket_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("address_key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("issued_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_ticket_link_ticket_id_ticket")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_ticket_link")),
    )
    op.create_index("ix_ticket_link_address", "ticket_link", ["address_key"], unique=False)
    op.create_index(op.f("ix_ticket_link_ticket_id"), "ticket_link", ["ticket_id"], unique=False)
    op.create_table(
        "sent_form",
        sa.Column("ticket_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("sent_at", INSTANT, nullable=False),
        sa.Column("entry_number", sa.Integer(), nullable=False),
        sa.Column("opened_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["opened_id"], ["ticket.id"], name=op.f("fk_sent_form_opened_id_ticket")
        ),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_sent_form_ticket_id_ticket")
        ),
        sa.PrimaryKeyConstraint("ticket_id", "key", name=op.f("pk_sent_form")),
    )
    op.create_table(
        "attachment",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("ticket_id", sa.Integer(), nullable=False),
        sa.Column("entry_number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("kept_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_attachment_ticket_id_ticket")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment")),
    )
    op.create_index("ix_attachment_ticket", "attachment", ["ticket_id", "entry_number"])
    op.create_table(
        "attachment_content",
        sa.Column("attachment_id", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["attachment_id"],
            ["attachment.id"],
            name=op.f("fk_attachment_content_attachment_id_attachment"),
        ),
        sa.PrimaryKeyConstraint("attachment_id", name=op.f("pk_attachment_content")),
    )


def downgrade() -> None:
    """Drop the tables, every link and every file with them."""
    op.drop_table("attachment_content")
    op.drop_table("attachment")
    op.drop_table("sent_form")
    op.drop_table("ticket_link")
