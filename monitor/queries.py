"""What the desk, the metrics and the readiness page read of the monitor's tables; nothing writes.

Counts that only the metrics page asks for stand in ``figures``.

Every function needs an open (read) transaction. Texts come from sites and are hostile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from monitor.rules.maintenance import Window, maintenance_until, read_windows
from monitor.rules.observation import Cause
from monitor.rules.sight import REASONS
from monitor.rules.verdict import Verdict
from monitor.tables import ProberRow, SightingRow, SiteRow
from tickets.outbox_tables import UNSETTLED
from tickets.pages.watch import SiteState, badness
from tickets.rules.words import format_duration
from tickets.tables import MessageRow

STALE_AFTER = 3
"""Intervals after which the last probe of a site no longer says how it stands."""

STALE_AT_LEAST = timedelta(seconds=15)
"""How old a probe may be in any case: observations reach the store a few seconds late."""

TICK_WITHIN = timedelta(seconds=5)
"""How old the newest tick may be while the service is ready."""

MESSAGE_WITHIN = timedelta(minutes=5)
"""How long a message may be due while the service is ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What one location last saw of a site; ``observation`` is a document of ``readings``."""

    location: str
    settled: Verdict | None
    settled_at: datetime | None
    message: str
    observed_at: datetime | None
    succeeded_at: datetime | None
    failures_in_row: int
    up_count: int
    slow_count: int
    down_count: int
    unknown_count: int
    missed_count: int
    observation: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A site that is watched, with what each location saw of it, in the order of their names."""

    slug: str
    client: str
    client_name: str
    name: str
    url: str
    interval: timedelta
    timeout_seconds: float
    slow_after_seconds: float
    windows: Sequence[Window]
    sightings: Sequence[Sighting]

    def fresh(self, now: datetime) -> Sequence[Sighting]:
        """Return the sightings whose last probe still counts at ``now``."""
        return [s for s in self.sightings if is_fresh(s.observed_at, self.interval, now)]

    def state(self, now: datetime) -> SiteState:
        """Return how the site stands at ``now``: the worst that a location has settled on.

        ``unknown`` while no location that still probes has settled on anything; ``maintenance``
        within a window, unless an incident goes on that opened before it.
        """
        settled = [s.settled for s in self.fresh(now)]
        return worst_of(settled, is_in_maintenance=self.maintenance_until(now) is not None)

    def maintenance_until(self, now: datetime) -> datetime | None:
        """Return when the maintenance window ends in which ``now`` lies; None outside of one."""
        return maintenance_until(self.windows, now)


def is_fresh(observed_at: datetime | None, interval: timedelta, now: datetime) -> bool:
    """Tell whether a probe that ended at ``observed_at`` still says how its site stands."""
    return observed_at is not None and now - observed_at <= fresh_for(interval)


def fresh_for(interval: timedelta) -> timedelta:
    """Return how long a probe says how its site stands, if it is probed once per ``interval``."""
    return max(STALE_AFTER * interval, STALE_AT_LEAST)


def worst_of(settled: Sequence[Verdict | None], *, is_in_maintenance: bool = False) -> SiteState:
    """Return the worst of the verdicts that are settled, ``unknown`` if none is.

    What is neither down nor slow is in maintenance while a window lasts.
    """
    states = [SiteState(verdict) for verdict in settled if verdict is not None]
    worst = min(states, key=badness, default=SiteState.UNKNOWN)
    if is_in_maintenance and worst not in {SiteState.DOWN, SiteState.SLOW}:
        return SiteState.MAINTENANCE
    return worst


_SIGHTING = tuple(field.name for field in fields(Sighting))
_SITE = tuple(
    f.name for f in fields(Standing) if f.name not in {"interval", "windows", "sightings"}
)


def list_standings(
    tx: Session, *, slug: str | None = None, client: str | None = None
) -> Sequence[Standing]:
    """Return every site that is watched, in the order in which they were added.

    With ``slug`` only that site, with ``client`` only the sites of the client with that slug.
    """
    seen: dict[str, list[Sighting]] = {}
    columns = [getattr(SightingRow, name) for name in _SIGHTING]
    site_of = col(SightingRow.site)
    sightings = (
        sa.select(site_of, *columns)
        .join(SiteRow, col(SiteRow.slug) == site_of)
        .where(col(SiteRow.removed_at).is_(None))
        .order_by(site_of, col(SightingRow.location))
    )
    if slug is not None:
        sightings = sightings.where(site_of == slug)
    if client is not None:
        sightings = sightings.where(col(SiteRow.client) == client)
    for site, *facts in tx.connection().execute(sightings):
        seen.setdefault(site, []).append(Sighting(**dict(zip(_SIGHTING, facts, strict=True))))
    sites = (
        sa.select(
            *(getattr(SiteRow, name) for name in _SITE),
            col(SiteRow.maintenance),
            col(SiteRow.interval_seconds),
        )
        .where(col(SiteRow.removed_at).is_(None))
        .order_by(col(SiteRow.added_at), col(SiteRow.slug))
    )
    if slug is not None:
        sites = sites.where(col(SiteRow.slug) == slug)
    if client is not None:
        sites = sites.where(col(SiteRow.client) == client)
    return [
        Standing(
            **dict(zip(_SITE, facts, strict=True)),
            interval=timedelta(seconds=seconds),
            windows=read_windows(windows or ()),
            sightings=seen.get(facts[0], ()),
        )
        for *facts, windows, seconds in tx.connection().execute(sites)
    ]


def readiness(tx: Session, now: datetime) -> Sequence[str]:
    """Return why the service is not ready at ``now``, each reason a sentence; empty if it is."""
    reasons: list[str] = []
    newest = sa.select(sa.func.max(col(ProberRow.ticked_at)))
    ticked_at = tx.connection().execute(newest).scalar()
    if ticked_at is None:
        reasons.append("no prober has ticked yet")
    elif now - ticked_at > TICK_WITHIN:
        reasons.append(f"the last tick is {_age(ticked_at, now)} old; allowed are 5 seconds")
    blind = select(ProberRow).where(col(ProberRow.blind_since).is_not(None))
    reasons.extend(
        blind_words(row, f"for {_age(row.blind_since or now, now)}") for row in tx.exec(blind)
    )
    oldest = sa.select(sa.func.min(col(MessageRow.not_before))).where(
        UNSETTLED, col(MessageRow.carrier_id).is_(None)
    )
    due = tx.connection().execute(oldest).scalar()
    if due is not None and now - due > MESSAGE_WITHIN:
        reasons.append(
            f"a message in the outbox has been due for {_age(due, now)}; allowed are 5 minutes"
        )
    return reasons


def blind_words(row: ProberRow, how_long: str) -> str:
    """Return for how long and why the prober of a location does not see."""
    why = REASONS.get(row.blind_cause or Cause.OWN_NETWORK, "")
    return f"the prober at {row.location} has been blind {how_long}: {why}"


def _age(since: datetime, now: datetime) -> str:
    return format_duration(now - since)
