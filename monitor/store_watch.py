"""What the desk and the commands ask of how sites stand and stood (see ``tickets.pages.watch``).

Every reading needs an open (read) transaction. Texts come from sites and are hostile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlmodel import Session, col, select

from monitor.queries import (
    Sighting,
    Standing,
    blind_words,
    is_fresh,
    list_standings,
    worst_of,
)
from monitor.rules.maintenance import maintenance_until, read_windows
from monitor.rules.verdict import Verdict
from monitor.site_history import site_alerts, site_history
from monitor.tables import IncidentRow, ProberRow, SightingRow, SiteRow
from tickets.clock import Clock
from tickets.pages.watch import SiteHistory, SiteState, SiteView, WatchSummary, badness
from tickets.rules.ticket import OPEN_STATUSES, reference
from tickets.rules.words import format_instant
from tickets.tables import TicketRow


class StoreWatch:
    """Tells the desk how the sites stand, from what the probers have stored (see ``Watch``)."""

    def __init__(self, clock: Clock, zone: ZoneInfo) -> None:
        self._clock = clock
        self._zone = zone

    def summary(self, tx: Session) -> WatchSummary:
        """Count the sites by state; reads no observation, as every page asks this."""
        now = self._clock.now()
        query = (
            sa.select(
                col(SiteRow.slug),
                col(SiteRow.interval_seconds),
                col(SiteRow.maintenance),
                col(SightingRow.settled),
                col(SightingRow.observed_at),
            )
            .outerjoin(SightingRow, col(SightingRow.site) == col(SiteRow.slug))
            .where(col(SiteRow.removed_at).is_(None))
        )
        settled: dict[str, list[Verdict | None]] = {}
        maintained: set[str] = set()
        for slug, seconds, windows, verdict, observed_at in tx.connection().execute(query):
            verdicts = settled.setdefault(slug, [])
            if windows and maintenance_until(read_windows(windows), now) is not None:
                maintained.add(slug)
            if is_fresh(observed_at, timedelta(seconds=seconds), now):
                verdicts.append(verdict)
        counts = Counter(
            worst_of(verdicts, is_in_maintenance=slug in maintained)
            for slug, verdicts in settled.items()
        )
        return WatchSummary(
            up=counts[SiteState.UP],
            slow=counts[SiteState.SLOW],
            down=counts[SiteState.DOWN],
            unknown=counts[SiteState.UNKNOWN],
            maintenance=counts[SiteState.MAINTENANCE],
            total=len(settled),
            worst=min(counts, key=badness, default=None),
            warnings=self._warnings(tx, now),
        )

    def _warnings(self, tx: Session, now: datetime) -> Sequence[str]:
        """Return a sentence for each location that does not see or gives no sign of life."""
        warnings: list[str] = []
        for row in tx.exec(select(ProberRow).order_by(col(ProberRow.location))).all():
            if row.ticked_at is not None and row.silent_since is not None:
                since = format_instant(row.ticked_at, self._zone)
                warnings.append(
                    f"The prober at {row.location} has given no sign of life since {since}"
                )
            elif row.blind_since is not None:
                since = format_instant(row.blind_since, self._zone)
                words = blind_words(row, f"since {since}")
                warnings.append(words[0].upper() + words[1:])
        return tuple(warnings)

    def list_sites(self, tx: Session) -> Sequence[SiteView]:
        """Return every site that is watched, in the order in which they were added."""
        now = self._clock.now()
        tickets = _tickets_to_look_at(tx)
        return [
            self._view(standing, tickets.get(standing.slug), now) for standing in list_standings(tx)
        ]

    def list_histories(self, tx: Session, client: str) -> Sequence[SiteHistory]:
        """Return how the sites of one client stand and stood, in the order of their adding."""
        now = self._clock.now()
        tickets = _tickets_to_look_at(tx)
        return [
            site_history(
                tx,
                self._view(standing, tickets.get(standing.slug), now),
                standing.windows,
                now=now,
                zone=self._zone,
            )
            for standing in list_standings(tx, client=client)
        ]

    def find_site(self, tx: Session, slug: str) -> SiteHistory | None:
        """Return how a site stands and stood; None if no site with this slug is watched."""
        now = self._clock.now()
        standing = next((s for s in list_standings(tx, slug=slug)), None)
        if standing is None:
            return None
        view = self._view(standing, _tickets_to_look_at(tx).get(slug), now)
        history = site_history(tx, view, standing.windows, now=now, zone=self._zone)
        return replace(history, alerts=site_alerts(tx, slug))

    def _view(self, standing: Standing, ticket: int | None, now: datetime) -> SiteView:
        fresh = standing.fresh(now)
        state = standing.state(now)
        probed = [s for s in standing.sightings if s.observed_at is not None]
        latest = max(probed, key=_observed_at, default=None)
        shown = next((s for s in fresh if s.settled == state), latest)
        until = standing.maintenance_until(now) if state is SiteState.MAINTENANCE else None
        maintained = f"until {format_instant(until, self._zone)}" if until else ""
        return SiteView(
            slug=standing.slug,
            name=standing.name,
            url=standing.url,
            client=standing.client,
            client_name=standing.client_name,
            state=state,
            since=None if maintained else _since(shown, is_blind=not fresh),
            last_probe_at=latest.observed_at if latest else None,
            message="; ".join(filter(None, (maintained, self._message(shown, is_blind=not fresh)))),
            duration_seconds=_duration(shown) if fresh else None,
            open_ticket_reference=None if ticket is None else reference(ticket),
            interval=standing.interval,
        )

    def _message(self, shown: Sighting | None, *, is_blind: bool) -> str:
        if shown is None or shown.observed_at is None:
            return "not probed yet"
        if is_blind:
            return f"not probed since {format_instant(shown.observed_at, self._zone)}"
        return shown.message


def _observed_at(sighting: Sighting) -> datetime:
    assert sighting.observed_at is not None
    return sighting.observed_at


def _since(shown: Sighting | None, *, is_blind: bool) -> datetime | None:
    if shown is None:
        return None
    return shown.observed_at if is_blind else shown.settled_at


def _duration(shown: Sighting | None) -> float | None:
    observation = shown.observation if shown else None
    return observation.get("duration_seconds") if observation else None


def _tickets_to_look_at(tx: Session) -> Mapping[str, int]:
    """Return for each site its open incident's ticket, or else its newest open ticket."""
    site, newest = col(TicketRow.site), sa.func.max(col(TicketRow.id))
    outstanding = col(TicketRow.status).in_([*OPEN_STATUSES])
    tickets = sa.select(site, newest).where(outstanding, site.is_not(None)).group_by(site)
    incidents = sa.select(col(IncidentRow.site), col(IncidentRow.ticket_id)).where(
        col(IncidentRow.ended_at).is_(None)
    )
    found: dict[str, int] = {}
    for query in (tickets, incidents):
        found.update((slug, number) for slug, number in tx.connection().execute(query))
    return found
