"""The job that keeps the readings: folds them into hours and days, deletes what is too old.

Each fold and each deletion is a short transaction of its own off the event loop. A run that is cut
short, or that another process repeats, leaves nothing wrong: the next one goes on where it ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlmodel import Session, col

from monitor.readings.rows import delete_before, fold
from monitor.rules.reading import HOUR, Span, Tile, day_of, floor_to
from monitor.tables import ReadingRow
from monitor.uptimes import Horizons, horizons
from tickets.store import Store

GRACE = timedelta(minutes=5)
"""How long after its end an hour is folded: by then its last buckets are usually written."""

MOST_DELETIONS = 200
"""Transactions of one run that delete; a long backlog is left to the next runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long readings are kept, by the length of their time buckets."""

    fine: timedelta = timedelta(days=2)
    hourly: timedelta = timedelta(days=35)
    daily: timedelta = timedelta(days=800)


async def keep_readings(
    store: Store, *, zone: ZoneInfo, retention: Retention, now: datetime
) -> None:
    """Fold what is complete at ``now`` and delete what is too old; opens its own transactions.

    Raises ``Unavailable`` when the store does not answer.
    """
    # The newest hour and day are folded again, in case a flush overtook the last fold.
    for hour in await store.aread(partial(_hours_due, now=now, retention=retention, zone=zone)):
        await store.awrite(partial(fold, tile=hour))
    for day in await store.aread(partial(_days_due, now=now, retention=retention, zone=zone)):
        await store.awrite(partial(fold, tile=day))
    known = await store.aread(lambda tx: horizons(tx, zone))
    await _delete_old(store, known, retention=retention, now=now)


async def _delete_old(
    store: Store, known: Horizons, *, retention: Retention, now: datetime
) -> None:
    limits = {
        # What is not folded yet stays, however old it is.
        Span.FINE: min(now - retention.fine, known.hours_until),
        Span.HOUR: min(now - retention.hourly, known.days_until),
        Span.DAY: now - retention.daily,
    }
    left = MOST_DELETIONS
    for span, limit in limits.items():
        while left and await store.awrite(partial(delete_before, span=span, limit=limit)):
            left -= 1


def _hours_due(tx: Session, *, now: datetime, retention: Retention, zone: ZoneInfo) -> list[Tile]:
    known, end = horizons(tx, zone).hours_until, floor_to(now - GRACE, HOUR)
    hours: list[Tile] = []
    at = _first(tx, Span.FINE, known=known, again=known - HOUR, intact=now - retention.fine)
    while at is not None and (start := floor_to(at, HOUR)) < end:
        at = start + HOUR
        hours.append(Tile(span=Span.HOUR, start=start, end=at))
    return hours


def _days_due(tx: Session, *, now: datetime, retention: Retention, zone: ZoneInfo) -> list[Tile]:
    known = horizons(tx, zone)
    newest = day_of(known.days_until - HOUR, zone).start
    days: list[Tile] = []
    at = _first(tx, Span.HOUR, known=known.days_until, again=newest, intact=now - retention.hourly)
    while at is not None and (day := day_of(at, zone)).end <= known.hours_until:
        at = day.end
        days.append(day)
    return days


def _first(
    tx: Session, span: Span, *, known: datetime, again: datetime, intact: datetime
) -> datetime | None:
    """Return where folding of the buckets of ``span`` begins; None if there are none to fold.

    What is folded up to ``known`` is folded ``again`` only if none of it was deleted meanwhile.
    """
    if again >= intact:
        return again
    at = col(ReadingRow.starts_at)
    oldest = sa.select(sa.func.min(at)).where(col(ReadingRow.span) == span, at >= known)
    return tx.connection().execute(oldest).scalar()
