"""The figures of a client's monthly statement, as values: what was seen and what was promised.

Instants are aware UTC, durations plain time unless they say support time. Titles and names come
from outside and are hostile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from monitor.rules.month import Month
from monitor.rules.uptime import Uptime, total_uptime
from tickets.rules.allowance import Allowance
from tickets.rules.ticket import Priority


@dataclass(frozen=True, slots=True)
class DayFigures:
    """One local date of a site; ``uptime`` is None where it was not yet, or no more, watched."""

    on: date
    uptime: Uptime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFigures:
    """How one site stood in the month; the parts of ``uptime`` add up to [start, end).

    [start, end) is the part of the month for which the site was there to be watched and of which
    readings are kept, up to what is accounted for at the time of reading. ``is_late`` and
    ``is_early`` tell that it begins after the month and ends before it. ``typical_seconds`` and
    ``slow_seconds`` are within how many seconds half, and 95 of 100, of the good answers came.
    """

    slug: str
    name: str
    url: str
    start: datetime
    end: datetime
    is_late: bool
    is_early: bool
    uptime: Uptime
    days: Sequence[DayFigures]
    typical_seconds: float | None
    slow_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFigures:
    """An incident that lasted within the month; ``ended_at`` is None while it goes on.

    ``duration`` is how long the site was bad, over all ``stretches`` and until the statement was
    made, and ``within`` how much of that lies in the month. ``words`` complete "The website ...".
    """

    site: str
    kind: str
    words: str
    started_at: datetime
    ended_at: datetime | None
    is_watched: bool
    duration: timedelta
    within: timedelta
    stretches: int
    reference: str


class Kept(StrEnum):
    """What became of a promise: ``void`` if its ticket was closed as nothing to answer."""

    KEPT = "kept"
    BROKEN = "broken"
    RUNNING = "running"
    VOID = "void"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseFigures:
    """A promise that began within the month, with its ticket.

    ``took`` is the support time from its start to the answer. ``late_by`` is the support time, and
    ``late_on_clock`` the plain time, by which the answer passed the deadline (until the statement
    was made, while there is none); both are None unless the promise is broken. Support time is None
    where the calendar does not reach.
    """

    reference: str
    title: str
    priority: Priority
    is_reopened: bool
    started_at: datetime
    respond_by: datetime
    answered_at: datetime | None
    kept: Kept
    took: timedelta | None
    late_by: timedelta | None
    late_on_clock: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseFigures:
    """The promises of one priority: how many, how they ended, and how long answers took.

    ``median`` and ``worst`` are support time over the answered ones, None if there are none.
    """

    priority: Priority
    kept: int
    broken: int
    running: int
    void: int
    median: timedelta | None
    worst: timedelta | None


@dataclass(frozen=True, slots=True)
class CertificateFigures:
    """A certificate that expires soon; ``expires_at`` is the earliest in its chain."""

    site: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class AllowanceFigures:
    """How much of the month's allowance was used."""

    allowance: Allowance
    spent: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A client's month; ``is_so_far`` says that the month was running when it was made, at ``at``.

    Nothing in it is counted twice in two months: an incident's time lies where it passed, and a
    promise belongs to the month in which it began.
    """

    client: str
    client_name: str
    month: Month
    zone: ZoneInfo
    at: datetime
    is_so_far: bool
    sites: Sequence[SiteFigures]
    incidents: Sequence[IncidentFigures]
    promises: Sequence[PromiseFigures]
    responses: Sequence[ResponseFigures]
    certificates: Sequence[CertificateFigures]
    allowance: AllowanceFigures | None

    @property
    def uptime(self) -> Uptime:
        """The uptime of all sites together, each by the time for which it was watched."""
        return total_uptime(site.uptime for site in self.sites)

    @property
    def kept(self) -> int:
        """How many promises were kept."""
        return sum(one.kept for one in self.responses)

    @property
    def judged(self) -> int:
        """How many promises were kept or broken."""
        return self.kept + sum(one.broken for one in self.responses)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to state: no site was watched and nothing was asked."""
        return not (self.sites or self.incidents or self.promises)
