"""Reads a client's month from the store, for its statement; nothing here writes.

Every function needs an open (read) transaction. Uptime comes from the readings, whichever of fine,
hourly and daily buckets are kept; incidents, promises and time spent come from their own rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlmodel import Session, col, select

from monitor.rules.client_words import client_words
from monitor.rules.month import Month
from monitor.rules.reading import EDGES, day_of, day_start, quantile
from monitor.rules.uptime import Uptime
from monitor.site_history import site_lag
from monitor.statement.figures import (
    AllowanceFigures,
    CertificateFigures,
    DayFigures,
    IncidentFigures,
    SiteFigures,
    Statement,
)
from monitor.statement.promises import count_responses, read_promises
from monitor.tables import IncidentEnd, IncidentIntervalRow, IncidentRow, SightingRow, SiteRow
from monitor.uptimes import Reading, first_reading_at, read_site, total_of
from tickets.errors import NotFound, Refused
from tickets.policy import Policy
from tickets.rules.ticket import reference
from tickets.work import counted_time

DUE_WITHIN = timedelta(days=60)
"""How soon a certificate expires that a statement names."""

_ONE_DAY = timedelta(days=1)


def read_statement(
    tx: Session, policy: Policy, client: str, month: Month, *, at: datetime
) -> Statement:
    """Return the statement of ``client`` for ``month`` as it is known at ``at``.

    Raises ``NotFound`` for a client that is not configured, ``Refused`` for a month to come.
    """
    profile = policy.clients.get(client)
    if profile is None:
        raise NotFound(f"there is no client {client!r} in the configuration")
    zone = policy.zone
    start, end = month.start(zone), month.end(zone)
    if start > at:
        raise Refused(f"the month {month} is still to come, so there is nothing to state")
    promises = read_promises(tx, policy, client, start=start, end=end, at=at)
    rows = _sites(tx, client, start=start, end=min(end, at))
    allowance = profile.allowance
    return Statement(
        client=client,
        client_name=profile.branding.name or profile.name,
        month=month,
        zone=zone,
        at=at,
        is_so_far=at < end,
        sites=_site_figures(tx, rows, month, zone=zone, at=at),
        incidents=_incidents(tx, client, start=start, end=end, at=at),
        promises=promises,
        responses=count_responses(promises),
        certificates=_certificates(tx, client, at=at),
        allowance=None
        if allowance is None
        else AllowanceFigures(allowance, counted_time(tx, client, month.first)),
    )


def _sites(tx: Session, client: str, *, start: datetime, end: datetime) -> Sequence[SiteRow]:
    """Return the client's sites that were there to be watched within [start, end)."""
    query = (
        select(SiteRow)
        .where(
            col(SiteRow.client) == client,
            col(SiteRow.added_at) < end,
            sa.or_(col(SiteRow.removed_at).is_(None), col(SiteRow.removed_at) > start),
        )
        .order_by(col(SiteRow.added_at), col(SiteRow.slug))
    )
    return tx.exec(query).all()


def _site_figures(
    tx: Session, rows: Iterable[SiteRow], month: Month, *, zone: ZoneInfo, at: datetime
) -> Sequence[SiteFigures]:
    first_at = first_reading_at(tx)
    return [
        figures
        for row in rows
        if (figures := _of_site(tx, row, month, zone=zone, at=at, first_at=first_at)) is not None
    ]


def _of_site(
    tx: Session,
    row: SiteRow,
    month: Month,
    *,
    zone: ZoneInfo,
    at: datetime,
    first_at: datetime | None,
) -> SiteFigures | None:
    """Return how one site stood; None if of its time within the month nothing is kept."""
    month_start, month_end = month.start(zone), min(month.end(zone), at)
    start = max(month_start, row.added_at, first_at or at)
    end = month_end if row.removed_at is None else min(month_end, row.removed_at)
    seen_until = min(end, at - site_lag(row))
    if start >= end:
        return None
    readings = read_site(tx, row.slug, start=month_start, end=month_end, zone=zone)

    def total(some: Iterable[Reading], since: datetime, until: datetime) -> Uptime:
        since, until = max(since, start), min(until, end)
        return total_of(some, start=since, end=until, seen_until=seen_until)

    by_date: Mapping[date, list[Reading]] = defaultdict(list)
    counts = [0] * (len(EDGES) + 1)
    for reading in readings:
        by_date[day_of(reading.tile.start, zone).start.astimezone(zone).date()].append(reading)
        counts = [sum(pair) for pair in zip(counts, reading.latency, strict=True)]
    days = [
        DayFigures(
            on,
            total(by_date[on], since, until) if max(since, start) < min(until, end) else None,
        )
        for on in month.dates()
        for since, until in [(day_start(on, zone), day_start(on + _ONE_DAY, zone))]
    ]
    return SiteFigures(
        slug=row.slug,
        name=row.name,
        url=row.url,
        start=start,
        end=end,
        is_late=start > month_start,
        is_early=end < month_end,
        uptime=total(readings, start, end),
        days=days,
        typical_seconds=quantile(counts, 0.5),
        slow_seconds=quantile(counts, 0.95),
    )


def _incidents(
    tx: Session, client: str, *, start: datetime, end: datetime, at: datetime
) -> Sequence[IncidentFigures]:
    """Return the incidents of the client's sites that lasted within [start, end), in order."""
    query = (
        select(IncidentRow, SiteRow.name)
        .join(SiteRow, col(SiteRow.slug) == col(IncidentRow.site))
        .where(
            col(SiteRow.client) == client,
            col(IncidentRow.started_at) < min(end, at),
            sa.or_(col(IncidentRow.ended_at).is_(None), col(IncidentRow.ended_at) > start),
        )
        .order_by(col(IncidentRow.started_at), col(IncidentRow.id))
    )
    found = tx.exec(query).all()
    stretches = _stretches(tx, [row.id or 0 for row, _ in found], at=at)
    return [
        IncidentFigures(
            site=name,
            kind=row.kind.value,
            words=client_words(row.cause),
            started_at=row.started_at,
            ended_at=row.ended_at,
            is_watched=row.ended_as is not IncidentEnd.UNWATCHED,
            duration=_length(stretches[row.id or 0]),
            within=_length(stretches[row.id or 0], start, min(end, at)),
            stretches=len(stretches[row.id or 0]),
            reference=reference(row.ticket_id),
        )
        for row, name in found
    ]


Stretch = tuple[datetime, datetime]


def _stretches(
    tx: Session, incidents: Sequence[int], *, at: datetime
) -> Mapping[int, Sequence[Stretch]]:
    query = (
        select(IncidentIntervalRow)
        .where(col(IncidentIntervalRow.incident_id).in_(incidents))
        .order_by(col(IncidentIntervalRow.incident_id), col(IncidentIntervalRow.number))
    )
    found: dict[int, list[Stretch]] = {number: [] for number in incidents}
    for row in tx.exec(query).all():
        found[row.incident_id].append((row.started_at, row.ended_at or at))
    return found


def _length(
    stretches: Iterable[Stretch], start: datetime | None = None, end: datetime | None = None
) -> timedelta:
    cut = (
        (since if start is None else max(since, start), until if end is None else min(until, end))
        for since, until in stretches
    )
    return sum((max(until - since, timedelta()) for since, until in cut), timedelta())


def _certificates(tx: Session, client: str, *, at: datetime) -> Sequence[CertificateFigures]:
    """Return the certificates seen last on the client's sites that expire soon, the first first."""
    query = (
        sa.select(
            col(SiteRow.slug),
            col(SiteRow.name),
            col(SightingRow.observation),
            col(SightingRow.last_good),
        )
        .join(SightingRow, col(SightingRow.site) == col(SiteRow.slug))
        .where(col(SiteRow.client) == client, col(SiteRow.removed_at).is_(None))
    )
    ends: dict[tuple[str, str], datetime] = {}
    for slug, name, latest, good in tx.connection().execute(query):
        # A site that does not answer shows no certificate: then the last that it showed counts.
        end = _expiry(latest) or _expiry(good)
        if end is not None:
            ends[slug, name] = min(ends.get((slug, name), end), end)
    soon = sorted((end, name) for (_, name), end in ends.items() if end <= at + DUE_WITHIN)
    return [CertificateFigures(name, end) for end, name in soon]


def _expiry(document: dict[str, Any] | None) -> datetime | None:
    certificate = None if document is None else document.get("certificate")
    if certificate is None:
        return None
    return datetime.fromisoformat(certificate["earliest_not_after"])
