"""Time buckets: where they begin, how a period is cut into them, and what their histogram tells.

Fine buckets are five minutes long and, like hours, begin where the UTC clock says so. A day begins
with the first full UTC hour of the local date: at local midnight wherever the zone's offset is a
whole number of hours.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

FINE = timedelta(minutes=5)
FINE_SECONDS = 300
HOUR = timedelta(hours=1)
HOUR_SECONDS = 3600
_DAY = timedelta(days=1)

EDGES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
"""Upper edges, in seconds, of the histogram of how long good answers took; one more holds the rest.

They are columns of the table, so they never change; another histogram would be new columns.
"""


class Span(StrEnum):
    """How long a time bucket is."""

    FINE = "fine"
    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One time bucket of a period: [start, end), aware UTC."""

    span: Span
    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """How long the bucket is."""
        return self.end - self.start


def floor_to(at: datetime, step: timedelta) -> datetime:
    """Return the last instant not after ``at`` at which a bucket of ``step`` begins (UTC)."""
    seconds = round(step.total_seconds())
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)


def day_start(on: date, zone: ZoneInfo) -> datetime:
    """Return the UTC instant at which the day bucket of the local date ``on`` begins."""
    midnight = datetime.combine(on, time(), tzinfo=zone).astimezone(UTC)
    floored = floor_to(midnight, HOUR)
    return floored if floored == midnight else floored + HOUR


def day_of(at: datetime, zone: ZoneInfo) -> Tile:
    """Return the day bucket in which ``at`` lies."""
    on = at.astimezone(zone).date()
    if day_start(on, zone) > at:
        on -= _DAY
    return Tile(span=Span.DAY, start=day_start(on, zone), end=day_start(on + _DAY, zone))


def pieces(since: float, until: float) -> Iterator[tuple[int, float]]:
    """Cut (since, until] at the edges of fine buckets; seconds since 1970.

    Yields each bucket's begin and how many seconds of it are meant.
    """
    start = int(since // FINE_SECONDS) * FINE_SECONDS
    while since < until:
        end = min(until, start + FINE_SECONDS)
        yield start, end - since
        since, start = end, start + FINE_SECONDS


def tiles(
    start: datetime,
    end: datetime,
    *,
    days_until: datetime,
    hours_until: datetime,
    zone: ZoneInfo,
) -> Iterator[Tile]:
    """Cut [start, end) into the largest buckets there are, in order.

    Days exist up to ``days_until`` and hours up to ``hours_until``; what is newer is fine. The
    period is widened to whole fine buckets.
    """
    start = floor_to(start, FINE)
    day = day_of(start, zone)
    while start < end:
        if start >= day.end:
            day = day_of(start, zone)
        if day.start == start and day.end <= min(end, days_until):
            tile = day
        elif start + HOUR <= min(end, hours_until) and floor_to(start, HOUR) == start:
            tile = Tile(span=Span.HOUR, start=start, end=start + HOUR)
        else:
            tile = Tile(span=Span.FINE, start=start, end=start + FINE)
        yield tile
        start = tile.end


def place_of(seconds: float) -> int:
    """Return the place in the histogram of an answer that took ``seconds``."""
    return bisect_left(EDGES, seconds)


def quantile(counts: Sequence[int], share: float) -> float | None:
    """Return the seconds within which ``share`` of the answers came, read from a histogram.

    Even spread within a step is assumed; beyond the last edge the edge itself is returned. None
    when there are no answers.
    """
    wanted = share * sum(counts)
    if not wanted:
        return None
    below = 0.0
    for edge, count in zip(EDGES, counts, strict=False):
        if count and wanted <= count:
            return below + (edge - below) * wanted / count
        wanted -= count
        below = edge
    return EDGES[-1]
