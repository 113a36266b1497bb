"""What the desk and the commands ask of the readings: uptime and response times over periods.

Every function needs an open transaction and only reads. Of several locations of one site each
counts for as long as it watched within a time bucket, and the bucket for as long as the one that
watched longest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import groupby
from operator import add
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlmodel import Session, col

from monitor.rules.reading import EDGES, HOUR, Span, Tile, day_of, tiles
from monitor.rules.uptime import Uptime, total_uptime
from monitor.tables import ReadingRow

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Before every reading."""

AT_ONCE = 500
"""Buckets that one query names."""

_VERDICTS = ("up", "slow", "down", "unknown", "maintenance")
_PLACES = range(len(EDGES) + 1)


@dataclass(frozen=True, slots=True)
class Horizons:
    """Up to when there are hours and days; what is newer is still fine."""

    hours_until: datetime
    days_until: datetime


FINE_ONLY = Horizons(hours_until=NEVER, days_until=NEVER)
"""Reads fine buckets alone; they reach two days back."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One time bucket of a site over all its locations; ``latency`` is the histogram's counts."""

    tile: Tile
    uptime: Uptime
    latency: Sequence[int]


def horizons(tx: Session, zone: ZoneInfo) -> Horizons:
    """Return up to when the readings are folded into hours, and into days of ``zone``."""
    newest = {
        span: tx.connection()
        .execute(
            sa.select(sa.func.max(col(ReadingRow.starts_at))).where(col(ReadingRow.span) == span)
        )
        .scalar()
        for span in (Span.HOUR, Span.DAY)
    }
    hour, day = newest[Span.HOUR], newest[Span.DAY]
    return Horizons(
        hours_until=NEVER if hour is None else hour + HOUR,
        days_until=NEVER if day is None else day_of(day, zone).end,
    )


def first_reading_at(tx: Session) -> datetime | None:
    """Return when the oldest reading that is kept begins; None if there is none."""
    oldest = [
        tx.connection()
        .execute(
            sa.select(sa.func.min(col(ReadingRow.starts_at))).where(col(ReadingRow.span) == span)
        )
        .scalar()
        for span in Span
    ]
    return min((at for at in oldest if at is not None), default=None)


def read_site(
    tx: Session,
    site: str,
    *,
    start: datetime,
    end: datetime,
    zone: ZoneInfo,
    known: Horizons | None = None,
) -> Sequence[Reading]:
    """Return the site's readings from ``start`` to ``end``, in order; nothing where it has none."""
    known = known or horizons(tx, zone)
    cut = tiles(start, end, days_until=known.days_until, hours_until=known.hours_until, zone=zone)
    found: list[Reading] = []
    for span, some in groupby(cut, key=lambda tile: tile.span):
        wanted = {tile.start: tile for tile in some}
        starts = list(wanted)
        for first in range(0, len(starts), AT_ONCE):
            rows = _rows(tx, site, span, starts[first : first + AT_ONCE])
            found.extend(_reading(wanted[at], facts) for at, facts in rows)
    return found


def total_of(
    readings: Iterable[Reading], *, start: datetime, end: datetime, seen_until: datetime
) -> Uptime:
    """Return the uptime over [start, end) from the readings of that period.

    What they do not account for up to ``seen_until`` was not watched; what is later is still to be
    written and counts for nothing yet.
    """
    total = total_uptime(reading.uptime for reading in readings)
    return total.within(max(timedelta(), min(end, seen_until) - start))


def uptime_by_site(
    tx: Session, *, start: datetime, end: datetime, zone: ZoneInfo
) -> Mapping[str, Uptime]:
    """Return the uptime of every site that has readings within [start, end), none unwatched."""
    known = horizons(tx, zone)
    cut = tiles(start, end, days_until=known.days_until, hours_until=known.hours_until, zone=zone)
    found: dict[str, Uptime] = {}
    for span, some in groupby(cut, key=lambda tile: tile.span):
        run = list(some)
        for site, *seconds in tx.connection().execute(_sums(span, run[0].start, run[-1].start)):
            found[site] = found.get(site, Uptime()) + _uptime(seconds)
    return found


def _sums(span: Span, first: datetime, last: datetime) -> sa.Select[*tuple[Any, ...]]:
    columns: list[Any] = [
        col(ReadingRow.site),
        *(_mean(name).label(name) for name in _VERDICTS),
    ]
    means = (
        sa.select(*columns)
        .where(col(ReadingRow.span) == span, col(ReadingRow.starts_at).between(first, last))
        .group_by(col(ReadingRow.starts_at), col(ReadingRow.site))
        .subquery()
    )
    sums: list[sa.ColumnElement[Any]] = [sa.func.sum(means.c[name]) for name in _VERDICTS]
    return sa.select(means.c.site, *sums).group_by(means.c.site)


def _rows(
    tx: Session, site: str, span: Span, starts: Sequence[datetime]
) -> Iterable[tuple[datetime, Sequence[float]]]:
    columns: list[sa.ColumnElement[Any]] = [
        *(_mean(name) for name in _VERDICTS),
        *(sa.func.sum(getattr(ReadingRow, f"latency_{place}")) for place in _PLACES),
    ]
    query = (
        sa.select(col(ReadingRow.starts_at), *columns)
        .where(
            col(ReadingRow.span) == span,
            col(ReadingRow.starts_at).in_(starts),
            col(ReadingRow.site) == site,
        )
        .group_by(col(ReadingRow.starts_at))
        .order_by(col(ReadingRow.starts_at))
    )
    for at, *facts in tx.connection().execute(query):
        yield at, facts


def _mean(name: str) -> sa.ColumnElement[Any]:
    """Return the seconds of a verdict over the locations of one site and time bucket."""
    seen = reduce(add, map(_seconds, _VERDICTS))
    longest, together = sa.func.max(seen), sa.func.nullif(sa.func.sum(seen), 0)
    return sa.func.coalesce(sa.func.sum(_seconds(name)) * longest / together, 0)


def _seconds(name: str) -> sa.ColumnElement[Any]:
    return getattr(ReadingRow, f"{name}_seconds")


def _reading(tile: Tile, facts: Sequence[float]) -> Reading:
    seconds, latency = facts[: len(_VERDICTS)], facts[len(_VERDICTS) :]
    return Reading(tile, _uptime(seconds), [int(count) for count in latency])


def _uptime(seconds: Sequence[float]) -> Uptime:
    return Uptime(
        **{name: timedelta(seconds=value) for name, value in zip(_VERDICTS, seconds, strict=True)}
    )
