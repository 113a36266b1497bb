"""What the desk asks of whoever watches the sites; ``tickets`` itself knows nothing of probes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from tickets.store import Session


class SiteState(StrEnum):
    """How a site stands, the worst first."""

    DOWN = "down"
    SLOW = "slow"
    UNKNOWN = "unknown"
    MAINTENANCE = "maintenance"
    UP = "up"


_ORDER = {state: place for place, state in enumerate(SiteState)}


def badness(state: SiteState) -> int:
    """Return the place of ``state`` in a list that begins with the worst (0)."""
    return _ORDER[state]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSummary:
    """How many sites stand how; ``worst`` is None while no site is watched.

    ``warnings`` are sentences without a full stop on why this may not be the whole truth.
    """

    up: int = 0
    slow: int = 0
    down: int = 0
    unknown: int = 0
    total: int = 0
    worst: SiteState | None = None
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteView:
    """One site as the desk lists it.

    ``state`` holds since ``since`` (None before the first verdict); ``message`` is the last
    probe's plain words and may quote the site. ``open_ticket_reference`` names the ticket that
    staff should look at, if there is one.
    """

    slug: str
    name: str
    url: str
    client: str
    client_name: str
    state: SiteState
    since: datetime | None
    last_probe_at: datetime | None
    message: str
    duration_seconds: float | None
    open_ticket_reference: str | None
    interval: timedelta


class Watch(Protocol):
    """Reads how the sites stand; both run inside the read transaction ``tx`` of a page."""

    def summary(self, tx: Session) -> WatchSummary:
        """Count the sites by state."""
        ...

    def list_sites(self, tx: Session) -> Sequence[SiteView]:
        """Return every site that is watched, in any order."""
        ...
