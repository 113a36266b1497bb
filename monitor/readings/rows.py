"""Time buckets in the store: added to, folded into hours and days, deleted when too old.

Every function needs the open write transaction of its caller. Folding replaces what was folded
before, so that it may be done again at any time; a fine bucket that arrives when its hour is folded
already has that hour and its day folded anew in the same transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col

from monitor.readings.buckets import COLUMNS, Bucket, columns_of
from monitor.rules.reading import HOUR, HOUR_SECONDS, Span, Tile, day_of
from monitor.tables import ReadingRow
from monitor.uptimes import horizons

DELETED_AT_ONCE = 2000
"""Rows of one transaction that deletes: the others who write must not wait for long."""

ADDED_AT_ONCE = 1000
"""Rows that are made ready at a time: those of a minute would take tens of megabytes."""

MOST_NAMED = 500
"""Sites that a fold is narrowed to; when it is about more, all are folded."""

_TABLE = SQLModel.metadata.tables["reading"]
_KEY = ("span", "starts_at", "site", "location")
_SMALLER = {Span.HOUR: Span.FINE, Span.DAY: Span.HOUR}


def add_buckets(tx: Session, buckets: Sequence[Bucket], *, location: str, zone: ZoneInfo) -> None:
    """Add to the fine buckets of ``location``; ``zone`` is the one whose days are folded."""
    addition = _addition(tx)
    for first in range(0, len(buckets), ADDED_AT_ONCE):
        rows = [_row(one, location) for one in buckets[first : first + ADDED_AT_ONCE]]
        tx.connection().execute(addition, rows)
    _fold_late(tx, buckets, zone)


def _row(bucket: Bucket, location: str) -> dict[str, Any]:
    return {
        "span": Span.FINE,
        "starts_at": datetime.fromtimestamp(bucket.starts_at, UTC),
        "site": bucket.site,
        "location": location,
        **dict(columns_of(bucket)),
    }


def fold(tx: Session, tile: Tile, *, sites: Collection[str] = ()) -> None:
    """Make the hour or day ``tile`` of its smaller buckets, for ``sites`` or for all."""
    smaller = [
        col(ReadingRow.span) == _SMALLER[tile.span],
        col(ReadingRow.starts_at) >= tile.start,
        col(ReadingRow.starts_at) < tile.end,
    ]
    if sites and len(sites) <= MOST_NAMED:
        smaller.append(col(ReadingRow.site).in_(sorted(sites)))
    summed = [
        sa.func.max(_TABLE.c[name]) if name == "slowest_seconds" else sa.func.sum(_TABLE.c[name])
        for name in COLUMNS
    ]
    folded = (
        sa.select(
            sa.literal(tile.span, _TABLE.c.span.type),
            sa.literal(tile.start, _TABLE.c.starts_at.type),
            _TABLE.c.site,
            _TABLE.c.location,
            *summed,
        )
        .where(*smaller)
        .group_by(_TABLE.c.site, _TABLE.c.location)
    )
    insert = _insert(tx).from_select([*_KEY, *COLUMNS], folded)
    tx.connection().execute(
        insert.on_conflict_do_update(
            index_elements=_KEY, set_={name: insert.excluded[name] for name in COLUMNS}
        )
    )


def delete_before(tx: Session, span: Span, limit: datetime) -> bool:
    """Delete the oldest buckets that begin before ``limit``, some at a time; tell if there were."""
    starts_at, site = col(ReadingRow.starts_at), col(ReadingRow.site)
    old = sa.and_(col(ReadingRow.span) == span, starts_at < limit)
    by_age = sa.select(starts_at, site).where(old).order_by(starts_at, site).limit(1)
    first = tx.connection().execute(by_age).first()
    if first is None:
        return False
    beyond = tx.connection().execute(by_age.offset(DELETED_AT_ONCE)).first()
    if beyond is not None and beyond[0] > first[0]:
        old = sa.and_(old, starts_at < beyond[0])
    elif beyond is not None:
        old = sa.and_(old, starts_at == first[0], site <= beyond[1])
    tx.connection().execute(sa.delete(ReadingRow).where(old))
    return True


def _fold_late(tx: Session, buckets: Iterable[Bucket], zone: ZoneInfo) -> None:
    """Fold anew the hours and days that were folded before these buckets came."""
    known = horizons(tx, zone)
    sites: dict[int, set[str]] = defaultdict(set)
    for bucket in buckets:
        sites[bucket.starts_at - bucket.starts_at % HOUR_SECONDS].add(bucket.site)
    days: dict[Tile, set[str]] = defaultdict(set)
    for at, some in sites.items():
        start = datetime.fromtimestamp(at, UTC)
        hour = Tile(span=Span.HOUR, start=start, end=start + HOUR)
        if hour.end <= known.hours_until:
            fold(tx, hour, sites=some)
            day = day_of(start, zone)
            if day.end <= known.days_until:
                days[day] |= some
    for day, some in days.items():
        fold(tx, day, sites=some)


def _insert(tx: Session) -> Any:
    is_sqlite = tx.connection().dialect.name == "sqlite"
    return (sqlite if is_sqlite else postgresql).insert(_TABLE)


def _addition(tx: Session) -> Any:
    insert = _insert(tx)
    new = insert.excluded
    slowest = sa.case(
        (new.slowest_seconds > _TABLE.c.slowest_seconds, new.slowest_seconds),
        else_=_TABLE.c.slowest_seconds,
    )
    added = {name: _TABLE.c[name] + new[name] for name in COLUMNS}
    return insert.on_conflict_do_update(
        index_elements=_KEY, set_={**added, "slowest_seconds": slowest}
    )
