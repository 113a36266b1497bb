"""Rows of the monthly statements that went out, and of contacts who want none any more.

Rows carry no behaviour. Every instant is aware UTC. Addresses are in lower case.
"""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field

from tickets.store import Instant, Row


class StatementRow(Row, table=True):
    """A client's statement for a month (``2026-03``) as it went out; ``page`` is its HTML."""

    client: str = Field(primary_key=True)
    month: str = Field(primary_key=True)
    made_at: datetime = Field(sa_type=Instant)
    page: str


class StatementCopyRow(Row, table=True):
    """One contact's copy of a statement: that it was written makes it never written again.

    Of its two links, to the page and to the end of such mail, only hashes are kept.
    """

    client: str = Field(primary_key=True)
    month: str = Field(primary_key=True)
    address: str = Field(primary_key=True, index=True)
    written_at: datetime = Field(sa_type=Instant)
    page_hash: str = Field(unique=True)
    unsubscribe_hash: str = Field(unique=True)


class UnsubscribedRow(Row, table=True):
    """A contact of a client who wants no statements; gone when they take it back."""

    client: str = Field(primary_key=True)
    address: str = Field(primary_key=True, index=True)
    unsubscribed_at: datetime = Field(sa_type=Instant)
