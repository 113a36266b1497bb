"""What pages ask of whoever watches the sites; ``tickets`` itself knows nothing of probes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
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


STATE_WORDS = {
    SiteState.UP: "Up",
    SiteState.SLOW: "Slow",
    SiteState.DOWN: "Down",
    SiteState.UNKNOWN: "Unknown",
    SiteState.MAINTENANCE: "Maintenance",
}

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
    maintenance: int = 0
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


@dataclass(frozen=True, slots=True, kw_only=True)
class UptimeView:
    """How long a site was how within a period; ``share`` is its uptime, from 0 to 1.

    ``share`` is None when the site was never judged, and ``text`` says it for people. The share
    counts up and slow as up; ``unknown``, ``maintenance`` and ``unwatched`` are left out of it.
    """

    share: float | None
    text: str
    up: timedelta
    slow: timedelta
    down: timedelta
    unknown: timedelta
    maintenance: timedelta
    unwatched: timedelta


def uptime_document(uptime: UptimeView) -> dict[str, object]:
    """Return an uptime as JSON documents have it, durations in seconds."""
    return {
        "share": uptime.share,
        "up_seconds": uptime.up.total_seconds(),
        "slow_seconds": uptime.slow.total_seconds(),
        "down_seconds": uptime.down.total_seconds(),
        "unknown_seconds": uptime.unknown.total_seconds(),
        "maintenance_seconds": uptime.maintenance.total_seconds(),
        "unwatched_seconds": uptime.unwatched.total_seconds(),
    }


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time up to now, ``24 h`` or ``30 d``, and the uptime within it."""

    name: str
    uptime: UptimeView


@dataclass(frozen=True, slots=True)
class DayView:
    """The uptime on one local date; None before the site was watched."""

    on: date
    uptime: UptimeView | None


@dataclass(frozen=True, slots=True)
class AnswerTimes:
    """Within how many seconds half, and 95 of 100, of the good answers from ``at`` on came.

    Both are None where there was no good answer.
    """

    at: datetime
    median_seconds: float | None
    slow_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentView:
    """An incident of a site; ``ended_at`` is None while it goes on.

    ``message`` says to staff what was seen, ``words`` complete "The website ..." for clients.
    ``is_in_hand`` tells whether somebody has taken up its ticket.
    """

    state: SiteState
    message: str
    words: str
    is_in_hand: bool
    started_at: datetime
    ended_at: datetime | None
    ticket_reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertView:
    """A time in which alerts about a site fired, for staff alone; None while it goes on.

    ``title`` is that of its ticket, which comes from whoever wrote the rule.
    """

    title: str
    source: str
    started_at: datetime
    ended_at: datetime | None
    ticket_reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteHistory:
    """One site as its own page shows it.

    ``days`` and ``answers`` begin with the oldest, ``incidents`` and ``alerts`` with the newest.
    ``windows`` are the site's maintenance windows in words.
    """

    view: SiteView
    slow_after_seconds: float
    periods: Sequence[Period]
    days: Sequence[DayView]
    answers: Sequence[AnswerTimes]
    incidents: Sequence[IncidentView]
    windows: Sequence[str]
    alerts: Sequence[AlertView] = ()


class Watch(Protocol):
    """Reads how the sites stand; all run inside the read transaction ``tx`` of a page."""

    def summary(self, tx: Session) -> WatchSummary:
        """Count the sites by state."""
        ...

    def list_sites(self, tx: Session) -> Sequence[SiteView]:
        """Return every site that is watched, in any order."""
        ...

    def list_histories(self, tx: Session, client: str) -> Sequence[SiteHistory]:
        """Return how the sites of the client with slug ``client`` stand and stood."""
        ...

    def find_site(self, tx: Session, slug: str) -> SiteHistory | None:
        """Return how a site stands and stood; None if no site with this slug is watched."""
        ...
