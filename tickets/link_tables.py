"""Rows of the portal's ticket pages: links, the files that came with entries, forms sent once.

Rows carry no behaviour. Every instant is aware UTC. Each index is named for the query it serves.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from tickets.store import Instant, Row


class TicketLinkRow(Row, table=True):
    """A link that opens one ticket's page for whoever was sent it; of its token only a SHA-256.

    ``address`` is the mail address that it was sent to, as it was written; ``address_key`` is the
    same in lower case, by which links are found.
    """

    __table_args__ = (
        sa.Index("ix_ticket_link_address", "address_key"),
        sa.Index("ix_ticket_link_expiry", "expires_at"),
    )

    token_hash: str = Field(primary_key=True)
    ticket_id: int = Field(foreign_key="ticket.id", index=True)
    address: str
    address_key: str
    name: str
    issued_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)
    revoked_at: datetime | None = Field(default=None, sa_type=Instant)


class SentFormRow(Row, table=True):
    """A form of a ticket's page that was carried out: sent again, it does nothing.

    ``key`` is the random text that the page wrote into the form. ``entry_number`` is the entry that
    it added; ``opened_id`` is the ticket that it opened, if it did.
    """

    ticket_id: int = Field(primary_key=True, foreign_key="ticket.id")
    key: str = Field(primary_key=True)
    sent_at: datetime = Field(sa_type=Instant)
    entry_number: int
    opened_id: int | None = Field(default=None, foreign_key="ticket.id")


class AttachmentRow(Row, table=True):
    """A file that came with an entry; its bytes are an ``AttachmentContentRow``.

    ``id`` is 128 random bits in hexadecimal. ``name`` is fit to be shown and saved under;
    ``media_type`` is what its content was found to be. ``sha256`` is of the content.
    ``sender_address`` is whose it is at the client, as it was written; None for a file of staff.
    """

    __table_args__ = (sa.Index("ix_attachment_ticket", "ticket_id", "entry_number"),)

    id: str = Field(primary_key=True)
    ticket_id: int = Field(foreign_key="ticket.id")
    entry_number: int
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    kept_at: datetime = Field(sa_type=Instant)
    sender_address: str | None = None


class AttachmentContentRow(Row, table=True):
    """The bytes of a file, apart from its row so that listing files reads none of them."""

    attachment_id: str = Field(primary_key=True, foreign_key="attachment.id")
    content: bytes
