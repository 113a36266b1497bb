"""Rows of requests sent by the form, and the secret that the form's stamps are signed with.

Rows carry no behaviour. Every instant is aware UTC. Each index is named for the query it serves.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from tickets.rules.request import RequestState
from tickets.rules.ticket import Category, Priority
from tickets.store import Instant, Json, Row, stored_enum

_IS_UNFINISHED = sa.text("state IN ('taken', 'waiting')")


class FormRequestRow(Row, table=True):
    """A request as it was sent by the form.

    ``page_hash`` finds it from its receipt page, ``content_hash`` from the same words sent again,
    ``verify_hash`` from the mail that asks its sender to verify ``address`` (lower case), which was
    written ``asked_at``. ``number`` is the number of the ticket's row, taken when it was sent.
    ``category`` and ``site_name`` are for the receipt, which is the same whoever sent it.
    ``content`` is what was typed, until there is a ticket or will be none. ``verified_at`` is when
    the owner of the address said that it is theirs; None on a ticket whose address was only typed.
    """

    __table_args__ = (
        sa.Index("uq_form_request_page", "page_hash", unique=True),
        sa.Index("ix_form_request_content", "content_hash", "sent_at"),
        sa.Index("ix_form_request_address", "address", "asked_at"),
        sa.Index("ix_form_request_verify", "verify_hash"),
        sa.Index("ix_form_request_ticket", "ticket_id"),
        sa.Index("ix_form_request_number", "number"),
        sa.Index(
            "ix_form_request_unfinished",
            "state",
            "sent_at",
            sqlite_where=_IS_UNFINISHED,
            postgresql_where=_IS_UNFINISHED,
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    page_hash: str
    content_hash: str
    number: int
    client: str
    address: str
    state: RequestState = Field(sa_type=stored_enum(RequestState, "state"))
    priority: Priority = Field(sa_type=stored_enum(Priority, "priority"))
    category: Category | None = Field(
        default=None, sa_type=stored_enum(Category, "category"), nullable=True
    )
    site_name: str | None = None
    content: dict[str, Any] | None = Field(default=None, sa_type=Json, nullable=True)
    sent_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)
    respond_by: datetime = Field(sa_type=Instant)
    verify_hash: str | None = None
    asked_at: datetime | None = Field(default=None, sa_type=Instant)
    verified_at: datetime | None = Field(default=None, sa_type=Instant)
    ticket_id: int | None = Field(default=None, foreign_key="ticket.id")


class FormFileRow(Row, table=True):
    """A checked file that came with a request, kept until there is a ticket to attach it to."""

    request_id: int = Field(primary_key=True, foreign_key="form_request.id")
    place: int = Field(primary_key=True)
    name: str
    media_type: str
    content: bytes


class FormSecretRow(Row, table=True):
    """The one secret (``id`` 1) by which the form knows its own stamps, on every process."""

    id: int = Field(primary_key=True)
    secret: str
