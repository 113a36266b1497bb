"""Readings in the store: written once, folded safely, kept as long as was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlmodel import col

from monitor.readings import Document, Readings, store_changes
from monitor.readings.buckets import COLUMNS, Bucket
from monitor.readings.keeping import Retention, keep_readings
from monitor.readings.rows import add_buckets, fold
from monitor.rules.reading import Span, Tile, day_of
from monitor.rules.uptime import Uptime
from monitor.rules.verdict import judge
from monitor.tables import ReadingRow
from monitor.uptimes import horizons, read_site, total_of, uptime_by_site
from tests.builders import a_refusal, a_site, an_observation
from tests.sites import MAIN, watch
from tickets.errors import Unavailable
from tickets.store import Session, Store

LONDON = ZoneInfo("Europe/London")
MIDNIGHT = datetime(2026, 3, 28, tzinfo=UTC)
"""The day before the clock goes forward in London."""

HOUR = timedelta(hours=1)


def bucket(at: datetime, site: str = "one", *, up: float = 300, down: float = 0) -> Bucket:
    values = dict.fromkeys(COLUMNS, 0.0)
    values |= {"up_seconds": up, "down_seconds": down, "up_count": 5.0, "latency_4": 5.0}
    values |= {"slowest_seconds": 0.2 + down / 1000}
    return Bucket(int(at.timestamp()), site, [values[name] for name in COLUMNS])


def buckets(start: datetime, hours: int, *sites: str) -> Sequence[Bucket]:
    """A quarter of each hour is down: its last three buckets."""
    return [
        bucket(start + n * timedelta(minutes=5), site, up=0, down=300)
        if n % 12 >= 9
        else bucket(start + n * timedelta(minutes=5), site)
        for n in range(hours * 12)
        for site in sites or ["one"]
    ]


def add(store: Store, some: Sequence[Bucket], *, location: str = MAIN) -> None:
    store.write(lambda tx: add_buckets(tx, some, location=location, zone=LONDON))


def rows(store: Store, span: Span) -> list[tuple[object, ...]]:
    columns = [getattr(ReadingRow, name) for name in ("starts_at", "site", "location", *COLUMNS)]
    query = sa.select(*columns).where(col(ReadingRow.span) == span).order_by(*columns[:3])
    return [tuple(row) for row in store.read(lambda tx: tx.connection().execute(query).all())]


def uptime(store: Store, start: datetime, end: datetime, site: str = "one") -> Uptime:
    read = partial(read_site, site=site, start=start, end=end, zone=LONDON)
    return total_of(store.read(read), start=start, end=end, seen_until=end)


async def keep(store: Store, now: datetime, retention: Retention = Retention()) -> None:
    await keep_readings(store, zone=LONDON, retention=retention, now=now)


async def test_a_flush_stores_what_was_folded_once(store: Store) -> None:
    site = a_site("one")
    watch(store, [site], at=MIDNIGHT)
    readings = Readings(MAIN)
    readings.buckets.watch(site, seen_at=None, now=MIDNIGHT)
    is_away = False

    async def write(changes: list[Document], some: Sequence[Bucket]) -> None:
        def work(tx: Session) -> None:
            store_changes(tx, changes)
            add_buckets(tx, some, location=MAIN, zone=LONDON)
            if is_away:
                raise Unavailable("the store does not answer")

        await store.awrite(work)

    for minute in range(1, 9):
        at = MIDNIGHT + timedelta(minutes=minute)
        seen = a_refusal(started_at=at) if minute == 4 else an_observation(started_at=at)
        judgement = judge(seen, slow_after=site.slow_after)
        readings.add("one", seen, judgement, ended_at=at)
        if minute == 2:
            is_away = True
            with pytest.raises(Unavailable):
                await readings.flush_all(write)
            is_away = False
        await readings.flush_all(write)
        await readings.flush_all(write)
    end = MIDNIGHT + timedelta(minutes=8)
    assert uptime(store, MIDNIGHT, end) == Uptime(
        up=timedelta(minutes=7), down=timedelta(minutes=1)
    )
    assert len(rows(store, Span.FINE)) == 2


async def test_folding_changes_no_figure(store: Store) -> None:
    add(store, buckets(MIDNIGHT, 50, "one", "two"))
    add(store, buckets(MIDNIGHT, 50), location="paris")
    now = MIDNIGHT + 50 * HOUR
    before = uptime(store, MIDNIGHT, now)
    all_before = store.read(lambda tx: uptime_by_site(tx, start=MIDNIGHT, end=now, zone=LONDON))
    await keep(store, now + timedelta(minutes=6), Retention(fine=timedelta(days=30)))
    assert uptime(store, MIDNIGHT, now) == before
    assert all_before["one"] == before
    after = store.read(lambda tx: uptime_by_site(tx, start=MIDNIGHT, end=now, zone=LONDON))
    assert after == all_before
    # 24 hours of Saturday and 23 of Sunday, the day of the change, then Monday's first three.
    assert len({row[0] for row in rows(store, Span.DAY)}) == 2
    assert store.read(lambda tx: horizons(tx, LONDON)).days_until == MIDNIGHT + 47 * HOUR


async def test_folding_again_changes_nothing(store: Store) -> None:
    add(store, buckets(MIDNIGHT, 50))
    now = MIDNIGHT + 50 * HOUR + timedelta(minutes=6)
    await keep(store, now, Retention(fine=timedelta(days=30)))
    hours, days = rows(store, Span.HOUR), rows(store, Span.DAY)
    await keep(store, now, Retention(fine=timedelta(days=30)))
    assert (rows(store, Span.HOUR), rows(store, Span.DAY)) == (hours, days)


async def test_a_fold_cut_short_is_made_up_for(store: Store) -> None:
    add(store, buckets(MIDNIGHT, 26))

    def cut_short(tx: Session) -> None:
        fold(tx, Tile(span=Span.HOUR, start=MIDNIGHT, end=MIDNIGHT + HOUR))
        raise Unavailable("the power failed before the commit")

    with pytest.raises(Unavailable):
        store.write(cut_short)
    assert rows(store, Span.HOUR) == []
    # Another run ended between two transactions: hours are folded in part, the day is not.
    for n in range(3):
        start = MIDNIGHT + n * HOUR
        store.write(partial(fold, tile=Tile(span=Span.HOUR, start=start, end=start + HOUR)))
    await keep(store, MIDNIGHT + 26 * HOUR + timedelta(minutes=6))
    assert len(rows(store, Span.HOUR)) == 26
    day = uptime(store, MIDNIGHT, MIDNIGHT + 24 * HOUR)
    assert day == Uptime(up=timedelta(hours=18), down=timedelta(hours=6))


async def test_an_hour_that_still_runs_is_not_folded(store: Store) -> None:
    add(store, buckets(MIDNIGHT, 2))
    await keep(store, MIDNIGHT + 2 * HOUR + timedelta(minutes=4))
    assert len(rows(store, Span.HOUR)) == 1


async def test_a_late_bucket_is_folded_into_its_hour_and_day_at_once(store: Store) -> None:
    add(store, [one for one in buckets(MIDNIGHT, 26, "one", "two") if one.starts_at % 7200])
    await keep(store, MIDNIGHT + 26 * HOUR + timedelta(minutes=6))
    short = uptime(store, MIDNIGHT, MIDNIGHT + 24 * HOUR)
    assert short.unwatched == timedelta(hours=1)
    add(store, [one for one in buckets(MIDNIGHT, 26) if not one.starts_at % 7200])
    whole = uptime(store, MIDNIGHT, MIDNIGHT + 24 * HOUR)
    assert whole == Uptime(up=timedelta(hours=18), down=timedelta(hours=6))
    assert uptime(store, MIDNIGHT, MIDNIGHT + 24 * HOUR, "two") == short


async def test_the_slowest_answer_of_a_bucket_is_kept(store: Store) -> None:
    for slowest in (0.0, 40.0, 20.0):
        add(store, [bucket(MIDNIGHT, down=slowest)])
    await keep(store, MIDNIGHT + HOUR + timedelta(minutes=6))
    for span in (Span.FINE, Span.HOUR):
        (values,) = [row[3:] for row in rows(store, span)]
        assert values[COLUMNS.index("slowest_seconds")] == pytest.approx(0.24)
        assert values[COLUMNS.index("up_count")] == 15


async def test_readings_are_kept_as_long_as_was_asked_for(store: Store) -> None:
    retention = Retention(fine=48 * HOUR, hourly=96 * HOUR, daily=120 * HOUR)
    start = day_of(MIDNIGHT, LONDON).start - timedelta(days=7)
    add(store, buckets(start, 24 * 7))
    now = MIDNIGHT + timedelta(minutes=6)
    await keep(store, now, retention)
    assert rows(store, Span.FINE)[0][0] == datetime(2026, 3, 26, 0, 10, tzinfo=UTC)
    assert rows(store, Span.HOUR)[0][0] == datetime(2026, 3, 24, 1, tzinfo=UTC)
    assert rows(store, Span.DAY)[0][0] == datetime(2026, 3, 24, tzinfo=UTC)
    week = uptime(store, MIDNIGHT - timedelta(days=4), MIDNIGHT)
    assert week.share == 0.75
    assert week.unwatched == timedelta()


async def test_what_is_not_folded_yet_is_not_deleted_however_old(store: Store) -> None:
    add(store, buckets(MIDNIGHT, 3))
    much_later = MIDNIGHT + timedelta(days=9)
    await keep(store, much_later)
    three_hours = uptime(store, MIDNIGHT, MIDNIGHT + 3 * HOUR)
    assert three_hours.up == timedelta(hours=2, minutes=15)
    add(store, buckets(much_later - 2 * HOUR, 2))
    for _ in range(3):
        await keep(store, much_later + timedelta(minutes=6))
        assert uptime(store, MIDNIGHT, MIDNIGHT + 3 * HOUR) == three_hours


def test_a_site_without_readings_has_no_uptime(store: Store) -> None:
    nothing = uptime(store, MIDNIGHT, MIDNIGHT + HOUR)
    assert nothing == Uptime(unwatched=HOUR)
    assert nothing.share is None


def test_locations_count_alike(store: Store) -> None:
    add(store, [bucket(MIDNIGHT)], location="london")
    add(store, [bucket(MIDNIGHT, up=100, down=200)], location="paris")
    seen = uptime(store, MIDNIGHT, MIDNIGHT + timedelta(minutes=5))
    assert seen == Uptime(up=timedelta(seconds=200), down=timedelta(seconds=100))


def test_a_location_counts_for_as_long_as_it_watched(store: Store) -> None:
    add(store, [bucket(MIDNIGHT, up=300)], location="london")
    add(store, [bucket(MIDNIGHT, up=0, down=100)], location="paris")
    seen = uptime(store, MIDNIGHT, MIDNIGHT + timedelta(minutes=5))
    assert seen == Uptime(up=timedelta(seconds=225), down=timedelta(seconds=75))


def test_a_site_that_is_not_watched_is_not_written(store: Store) -> None:
    readings = Readings(MAIN)
    site = replace(a_site("ghost"))
    seen = an_observation(started_at=MIDNIGHT)
    readings.add("ghost", seen, judge(seen, slow_after=site.slow_after), ended_at=MIDNIGHT)
    assert readings.buckets.take() == []
