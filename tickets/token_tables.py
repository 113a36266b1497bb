"""Rows of the API's access: tokens, and the answers kept for requests that come twice.

Rows carry no behaviour. Every instant is aware UTC. Each index is named for the query it serves.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from tickets.store import Instant, Json, Row


class TokenRow(Row, table=True):
    """An API token: ``id`` is its public part, of the secret only a SHA-256 is kept.

    ``scopes`` are values of ``tickets.rules.scope.Scope``. ``client`` is the slug of the only
    client whose rows it shows, or None for all. ``staff_id`` is whose token it is; None is a
    program of its own. ``used_at`` is kept to the hour.
    """

    __table_args__ = (
        sa.Index(
            "uq_token_name_in_force",
            "name",
            unique=True,
            sqlite_where=sa.text("revoked_at IS NULL"),
            postgresql_where=sa.text("revoked_at IS NULL"),
        ),
    )

    id: str = Field(primary_key=True)
    secret_hash: str
    name: str
    scopes: list[str] = Field(sa_type=Json)
    client: str | None = None
    staff_id: int | None = Field(default=None, foreign_key="staff.id")
    created_at: datetime = Field(sa_type=Instant)
    expires_at: datetime | None = Field(default=None, sa_type=Instant)
    revoked_at: datetime | None = Field(default=None, sa_type=Instant)
    used_at: datetime | None = Field(default=None, sa_type=Instant)


class KeptAnswerRow(Row, table=True):
    """What a request with an ``Idempotency-Key`` was answered, for when it comes again.

    ``request_hash`` is a SHA-256 of what was asked. ``status`` is an HTTP status,
    ``body`` the very text that was sent.
    """

    __table_args__ = (sa.Index("ix_kept_answer_age", "answered_at"),)

    token_id: str = Field(primary_key=True, foreign_key="token.id")
    key: str = Field(primary_key=True)
    request_hash: str
    answered_at: datetime = Field(sa_type=Instant)
    status: int
    body: str
