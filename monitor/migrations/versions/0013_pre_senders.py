"""Whose a file is, what a request is about for its receipt, and links by their end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013_pre_senders"
down_revision = "0012_pre_contacts"
branch_labels = None
depends_on = None

CATEGORIES = (
    "bug_fix",
    "content_change",
    "advice",
    "cms_update",
    "outage",
    "slow",
    "certificate",
    "domain",
    "alert",
)

# The files of a first entry came with the request, so they are its requester's.
REQUESTERS = """
    UPDATE attachment SET sender_address = (
        SELECT requester_address FROM ticket WHERE ticket.id = attachment.ticket_id
    ) WHERE entry_number = 1
"""
# Those of a reply came by a link that bears the name of whoever wrote it.
VISITORS = """
    UPDATE attachment SET sender_address = (
        SELECT MIN(ticket_link.address) FROM ticket_link
        JOIN entry ON entry.ticket_id = ticket_link.ticket_id AND entry.actor = ticket_link.name
        WHERE entry.ticket_id = attachment.ticket_id AND entry.number = attachment.entry_number
        HAVING COUNT(DISTINCT ticket_link.address_key) = 1
    ) WHERE sender_address IS NULL
"""


def upgrade() -> None:
    """Add the columns, fill in senders where they can be told, and make the index."""
    op.add_column("attachment", sa.Column("sender_address", sa.String(), nullable=True))
    for statement in (REQUESTERS, VISITORS):
        op.execute(statement)
    words = ", ".join(f"'{word}'" for word in CATEGORIES)
    op.execute(
        "ALTER TABLE form_request ADD COLUMN category VARCHAR(40)"
        f" CONSTRAINT ck_form_request_category CHECK (category IN ({words}))"
    )
    op.add_column("form_request", sa.Column("site_name", sa.String(), nullable=True))
    op.create_index("ix_ticket_link_expiry", "ticket_link", ["expires_at"], unique=False)


def downgrade() -> None:
    """Forget whose a file is, and what requests were about."""
    op.drop_index("ix_ticket_link_expiry", "ticket_link")
    op.drop_column("form_request", "site_name")
    op.drop_column("form_request", "category")
    op.drop_column("attachment", "sender_address")
