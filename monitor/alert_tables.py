"""Rows of what senders of alerts told: sources, alerts by episode, and incidents that alerts made.

Rows carry no behaviour. Every instant is aware UTC. Each index is named for the query it serves.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from monitor.rules.episode import AlertState
from tickets.store import Instant, Json, Row, stored_enum


class AlertSourceRow(Row, table=True):
    """One source of ``alerts.sources`` with what was counted of it, which never falls.

    The first five counts are of requests by outcome, the others of alerts. ``watchdog_at`` is when
    its newest Watchdog came. ``receivers`` are the receivers that it named. ``read_at`` is when its
    alerts were last read, ``reading_until`` how long the process that reads them now may take.
    """

    name: str = Field(primary_key=True)
    ok_count: int = Field(default=0, sa_type=sa.BigInteger)
    unauthorised_count: int = Field(default=0, sa_type=sa.BigInteger)
    malformed_count: int = Field(default=0, sa_type=sa.BigInteger)
    too_large_count: int = Field(default=0, sa_type=sa.BigInteger)
    store_error_count: int = Field(default=0, sa_type=sa.BigInteger)
    firing_count: int = Field(default=0, sa_type=sa.BigInteger)
    resolved_count: int = Field(default=0, sa_type=sa.BigInteger)
    deduplicated_count: int = Field(default=0, sa_type=sa.BigInteger)
    truncated_count: int = Field(default=0, sa_type=sa.BigInteger)
    added_at: datetime = Field(sa_type=Instant)
    removed_at: datetime | None = Field(default=None, sa_type=Instant)
    watchdog_at: datetime | None = Field(default=None, sa_type=Instant)
    receivers: list[str] = Field(default_factory=list, sa_type=Json)
    read_at: datetime | None = Field(default=None, sa_type=Instant)
    reading_until: datetime | None = Field(default=None, sa_type=Instant)


class AlertIncidentRow(Row, table=True):
    """A period in which one alert or several about one thing fire; at most one per key is open.

    ``key`` is what it is about: a site, or what a source says of something else. ``started_at`` is
    the start of its first alert, ``begun_at`` when it last opened or came back. ``told_at`` is when
    its end was last told, so that an alert that comes and goes is not told each time.
    """

    __table_args__ = (
        sa.Index(
            "uq_alert_incident_open_key",
            "key",
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
        sa.Index("ix_alert_incident_latest", "key", "id"),
        sa.Index("ix_alert_incident_storm", "source", "begun_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    key: str
    source: str
    site: str | None = None
    ticket_id: int = Field(foreign_key="ticket.id", unique=True)
    started_at: datetime = Field(sa_type=Instant)
    begun_at: datetime = Field(sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
    told_at: datetime | None = Field(default=None, sa_type=Instant)


class AlertRow(Row, table=True):
    """One episode of an alert: unique by source, fingerprint and start.

    ``began_at`` is its start, or when it was first heard of if its sender's clock runs ahead.
    ``incident_id`` is the incident that it is part of; ``ticket_id`` the ticket of an incident that
    the monitor had opened and that it joined. Both are empty for what opened nothing. ``seen_at``
    is when its sender last said that it fires, ``missing_since`` when it was first not listed.
    """

    __table_args__ = (
        sa.UniqueConstraint("source", "fingerprint", "starts_at"),
        sa.Index(
            "ix_alert_firing",
            "source",
            "fingerprint",
            sqlite_where=sa.text("state = 'firing'"),
            postgresql_where=sa.text("state = 'firing'"),
        ),
        sa.Index("ix_alert_incident", "incident_id"),
        sa.Index("ix_alert_ended", "ended_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    source: str
    fingerprint: str
    starts_at: datetime = Field(sa_type=Instant)
    began_at: datetime = Field(sa_type=Instant)
    state: AlertState = Field(sa_type=stored_enum(AlertState, "state"))
    name: str
    labels: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    received_at: datetime = Field(sa_type=Instant)
    seen_at: datetime = Field(sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
    missing_since: datetime | None = Field(default=None, sa_type=Instant)
    incident_id: int | None = Field(default=None, foreign_key="alert_incident.id")
    ticket_id: int | None = Field(default=None, foreign_key="ticket.id")
