"""Makes the site rows equal to the configuration: what was added, changed, removed.

Needs the open write transaction of its caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from monitor.ledger import finish, open_incident
from monitor.rules.maintenance import windows_document
from monitor.rules.site import Site
from monitor.tables import IncidentEnd, SightingRow, SiteRow
from tickets.incidents import unwatch


def sync_sites(
    tx: Session, sites: Sequence[tuple[Site, str]], *, location: str, at: datetime
) -> None:
    """Make the site rows equal to the configuration's ``sites``, each with its client's name.

    A site that is gone keeps its history; its open incident ends as no longer watched, and its
    ticket stays and says so.
    """
    rows = {row.slug: row for row in tx.exec(select(SiteRow)).all()}
    for site, client_name in sites:
        row = rows.pop(site.slug, None) or SiteRow(slug=site.slug, added_at=at)  # pyright: ignore[reportCallIssue] (the rest is set below)
        row.client, row.client_name = site.client, client_name
        row.name, row.url = site.name, site.url
        row.interval_seconds = site.interval.total_seconds()
        row.timeout_seconds = site.timeout.total_seconds()
        row.slow_after_seconds = site.slow_after.total_seconds()
        row.removed_at = None
        row.maintenance = windows_document(site.maintenance) or None
        tx.add(row)
    tx.flush()
    known = set(
        tx.exec(select(SightingRow.site).where(col(SightingRow.location) == location)).all()
    )
    for site, _ in sites:
        if site.slug not in known:
            tx.add(SightingRow(site=site.slug, location=location))
    for gone in rows.values():
        if gone.removed_at is None:
            _remove(tx, gone, at)


def _remove(tx: Session, site: SiteRow, at: datetime) -> None:
    site.removed_at = at
    incident = open_incident(tx, site.slug)
    if incident is not None:
        finish(tx, incident, ended_at=at, ended_as=IncidentEnd.UNWATCHED)
        unwatch(tx, incident.ticket_id, at=at)
    for sighting in tx.exec(select(SightingRow).where(col(SightingRow.site) == site.slug)).all():
        # Should the site come back, it starts afresh: what it was long ago proves nothing.
        sighting.settled, sighting.settled_at = None, None
