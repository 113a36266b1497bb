"""Every site and sighting as plain rows for the metrics page: quickly compared, read in one go.

Needs an open (read) transaction. Observations and maintenance windows stay JSON text, which is
parsed only for what has changed since the last page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from monitor.queries import Sighting, Standing
from monitor.rules.maintenance import read_windows
from monitor.tables import SightingRow, SiteRow

_SIGHTING = tuple(field.name for field in fields(Sighting) if field.name != "observation")
_SITE = tuple(
    f.name for f in fields(Standing) if f.name not in {"interval", "windows", "sightings"}
)
_LOCATION = _SIGHTING.index("location")
_OBSERVED_AT = _SIGHTING.index("observed_at")

Facts = tuple[Any, ...]
"""Columns as they are in the store; equal facts make equal lines."""


@dataclass(frozen=True, slots=True)
class SeenFacts:
    """What one location last saw: ``facts`` without the observation, which is its JSON text."""

    facts: Facts
    observation: str | None

    @property
    def location(self) -> str:
        """Where it was seen from."""
        return self.facts[_LOCATION]

    @property
    def observed_at(self) -> datetime | None:
        """When the last observation ended."""
        return self.facts[_OBSERVED_AT]

    def sighting(self) -> Sighting:
        """Return it with its observation parsed."""
        observation = None if self.observation is None else json.loads(self.observation)
        return Sighting(**dict(zip(_SIGHTING, self.facts, strict=True)), observation=observation)


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """A site that is watched, with what each location saw of it, in the order of their names."""

    facts: Facts
    interval_seconds: float
    windows: str | None
    seen: Sequence[SeenFacts]

    @property
    def slug(self) -> str:
        """The site's identity."""
        return self.facts[_SLUG]

    @property
    def client(self) -> str:
        """The slug of its client."""
        return self.facts[_CLIENT]

    @property
    def url(self) -> str:
        """Its address."""
        return self.facts[_URL]

    def standing(self) -> Standing:
        """Return it as the desk knows it, every document parsed."""
        return Standing(
            **dict(zip(_SITE, self.facts, strict=True)),
            interval=timedelta(seconds=self.interval_seconds),
            windows=read_windows(json.loads(self.windows or "null") or ()),
            sightings=[seen.sighting() for seen in self.seen],
        )


_SLUG, _CLIENT, _URL = (_SITE.index(name) for name in ("slug", "client", "url"))


def list_site_facts(tx: Session) -> Sequence[SiteFacts]:
    """Return every site that is watched, in the order in which they were added."""
    execute = tx.connection().execute
    site_of = col(SightingRow.site)
    sightings = (
        sa.select(
            site_of,
            sa.cast(col(SightingRow.observation), sa.Text),
            *(getattr(SightingRow, name) for name in _SIGHTING),
        )
        .join(SiteRow, col(SiteRow.slug) == site_of)
        .where(col(SiteRow.removed_at).is_(None))
        .order_by(site_of, col(SightingRow.location))
    )
    seen: dict[str, list[SeenFacts]] = {}
    for site, observation, *facts in execute(sightings):
        seen.setdefault(site, []).append(SeenFacts(tuple(facts), observation))
    sites = (
        sa.select(
            col(SiteRow.interval_seconds),
            sa.cast(col(SiteRow.maintenance), sa.Text),
            *(getattr(SiteRow, name) for name in _SITE),
        )
        .where(col(SiteRow.removed_at).is_(None))
        .order_by(col(SiteRow.added_at), col(SiteRow.slug))
    )
    return [
        SiteFacts(tuple(facts), interval, windows, seen.get(facts[_SLUG], ()))
        for interval, windows, *facts in execute(sites)
    ]


def count_by_client(sites: Sequence[SiteFacts]) -> Mapping[str, int]:
    """Count the sites of each client, in the order of the clients' slugs."""
    counts: dict[str, int] = {}
    for site in sites:
        counts[site.client] = counts.get(site.client, 0) + 1
    return dict(sorted(counts.items()))
