"""Rows of the monitor: sites, sightings, readings, incidents with their intervals, probers.

Rows carry no behaviour. Every instant is aware UTC. Each index is named for the query it serves.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from monitor.rules.observation import Cause
from monitor.rules.reading import Span
from monitor.rules.verdict import Verdict
from tickets.store import Instant, Json, Row, stored_enum


class IncidentKind(StrEnum):
    """What is wrong while an incident lasts."""

    DOWN = "down"
    SLOW = "slow"


class IncidentEnd(StrEnum):
    """How an incident ended."""

    RECOVERED = "recovered"
    UNWATCHED = "unwatched"


class SiteRow(Row, table=True):
    """A site that is or was watched; ``removed_at`` is set while it is not in the configuration.

    ``maintenance`` are its windows as documents of ``monitor.rules.maintenance``.
    """

    slug: str = Field(primary_key=True)
    client: str = Field(index=True)
    client_name: str
    name: str
    url: str
    interval_seconds: float
    timeout_seconds: float
    slow_after_seconds: float
    added_at: datetime = Field(sa_type=Instant)
    removed_at: datetime | None = Field(default=None, sa_type=Instant)
    maintenance: list[dict[str, Any]] | None = Field(default=None, sa_type=Json)


class SightingRow(Row, table=True):
    """What one location last saw of a site: its confirmed verdict, its last observation, counts.

    ``observation`` is the last one and ``last_good`` the last good one, as JSON documents (see
    ``monitor.readings``). The counts grow for ever: they are the counters of the metrics page.
    """

    site: str = Field(primary_key=True, foreign_key="site.slug")
    location: str = Field(primary_key=True)
    settled: Verdict | None = Field(default=None, sa_type=stored_enum(Verdict, "settled"))
    settled_at: datetime | None = Field(default=None, sa_type=Instant)
    verdict: Verdict | None = Field(default=None, sa_type=stored_enum(Verdict, "verdict"))
    cause: Cause | None = Field(default=None, sa_type=stored_enum(Cause, "cause"))
    message: str = ""
    observed_at: datetime | None = Field(default=None, sa_type=Instant)
    succeeded_at: datetime | None = Field(default=None, sa_type=Instant)
    failures_in_row: int = 0
    up_count: int = 0
    slow_count: int = 0
    down_count: int = 0
    unknown_count: int = 0
    missed_count: int = 0
    observation: dict[str, Any] | None = Field(default=None, sa_type=Json)
    last_good: dict[str, Any] | None = Field(default=None, sa_type=Json)


class ReadingRow(Row, table=True):
    """What one location saw of a site within one time bucket (see ``monitor.readings``).

    The counts are of observations and missed slots; the seconds by verdict are how much of the
    bucket's time the observations account for. Good answers outside maintenance, as many as
    ``up_count + slow_count``, are counted in ``latency_0`` and so on by how long they took (edges
    in ``monitor.rules.reading``) and summed by phase. The key begins with the time, so that a flush
    writes to one place; a site's row is found by naming its bucket. Nothing refers to a site: its
    readings outlive it until they are too old.
    """

    __table_args__ = ({"sqlite_with_rowid": False},)

    span: Span = Field(primary_key=True, sa_type=stored_enum(Span, "span"))
    starts_at: datetime = Field(primary_key=True, sa_type=Instant)
    site: str = Field(primary_key=True)
    location: str = Field(primary_key=True)
    up_count: int = 0
    slow_count: int = 0
    down_count: int = 0
    unknown_count: int = 0
    missed_count: int = 0
    maintenance_count: int = 0
    up_seconds: float = 0
    slow_seconds: float = 0
    down_seconds: float = 0
    unknown_seconds: float = 0
    maintenance_seconds: float = 0
    resolve_seconds: float = 0
    connect_seconds: float = 0
    tls_seconds: float = 0
    processing_seconds: float = 0
    transfer_seconds: float = 0
    total_seconds: float = 0
    slowest_seconds: float = 0
    latency_0: int = 0
    latency_1: int = 0
    latency_2: int = 0
    latency_3: int = 0
    latency_4: int = 0
    latency_5: int = 0
    latency_6: int = 0
    latency_7: int = 0
    latency_8: int = 0
    latency_9: int = 0
    latency_10: int = 0
    latency_11: int = 0
    latency_12: int = 0
    latency_13: int = 0
    latency_14: int = 0
    latency_15: int = 0


class IncidentRow(Row, table=True):
    """A period in which a site is down or slow; at most one per site and kind is open.

    ``started_at`` is the first bad observation, ``opened_at`` the confirmation. A relapse continues
    the incident: it opens again with a new interval. Exactly one ticket belongs to each incident.
    """

    __table_args__ = (
        sa.Index(
            "uq_incident_open_site_kind",
            "site",
            "kind",
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
        sa.Index("ix_incident_latest", "site", "id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    site: str = Field(foreign_key="site.slug")
    kind: IncidentKind = Field(sa_type=stored_enum(IncidentKind, "kind"))
    cause: Cause = Field(sa_type=stored_enum(Cause, "cause"))
    message: str
    started_at: datetime = Field(sa_type=Instant)
    opened_at: datetime = Field(sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
    ended_as: IncidentEnd | None = Field(default=None, sa_type=stored_enum(IncidentEnd, "ended_as"))
    ticket_id: int = Field(foreign_key="ticket.id", unique=True)


class IncidentIntervalRow(Row, table=True):
    """One unbroken stretch of an incident; a relapse adds the next."""

    incident_id: int = Field(primary_key=True, foreign_key="incident.id")
    number: int = Field(primary_key=True)
    started_at: datetime = Field(sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)


class ProberRow(Row, table=True):
    """The prober of a location: who holds the lease, and how its clock runs.

    ``fence`` rises each time the lease changes hands; a prober whose fence is not the newest may
    not record anything. ``figures`` are the scheduler's counters as a JSON document.

    ``blind_since`` is set while staff know that it cannot see (see ``monitor.rules.sight``), with
    the cause and the slots that went unwatched; ``silent_since`` while they know that it gives no
    sign of life.
    """

    location: str = Field(primary_key=True)
    holder: str
    fence: int = 1
    expires_at: datetime = Field(sa_type=Instant)
    ticked_at: datetime | None = Field(default=None, sa_type=Instant)
    blind_since: datetime | None = Field(default=None, sa_type=Instant)
    blind_cause: Cause | None = Field(default=None, sa_type=stored_enum(Cause, "blind_cause"))
    unwatched_slots: int = 0
    silent_since: datetime | None = Field(default=None, sa_type=Instant)
    figures: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
