"""Periods are cut into time buckets without a gap or an overlap, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.rules.reading import (
    EDGES,
    FINE,
    Span,
    day_of,
    day_start,
    floor_to,
    pieces,
    place_of,
    quantile,
    tiles,
)

LONDON = ZoneInfo("Europe/London")
ZONES = [LONDON, ZoneInfo("Asia/Kathmandu"), ZoneInfo("America/New_York"), ZoneInfo("Africa/Cairo")]

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
instants = st.timedeltas(timedelta(), timedelta(days=330)).map(lambda since: JANUARY + since)


@pytest.mark.parametrize(
    ("on", "hours"), [((2026, 3, 28), 24), ((2026, 3, 29), 23), ((2026, 10, 25), 25)]
)
def test_a_day_is_as_long_as_the_clock_makes_it(on: tuple[int, int, int], hours: int) -> None:
    day = day_of(day_start(date(*on), LONDON), LONDON)
    assert day.length == timedelta(hours=hours)


@given(instants, st.sampled_from(ZONES))
def test_every_instant_lies_in_its_day(at: datetime, zone: ZoneInfo) -> None:
    day = day_of(at, zone)
    assert day.start <= at < day.end
    assert day.start == floor_to(day.start, timedelta(hours=1))


@given(
    instants,
    st.timedeltas(timedelta(), timedelta(days=9)),
    st.timedeltas(timedelta(), timedelta(days=9)),
    st.sampled_from(ZONES),
)
def test_tiles_cover_a_period_once(
    start: datetime, length: timedelta, folded: timedelta, zone: ZoneInfo
) -> None:
    end, hours_until = start + length, floor_to(start + folded, timedelta(hours=1))
    found = list(
        tiles(
            start,
            end,
            days_until=day_of(hours_until, zone).start,
            hours_until=hours_until,
            zone=zone,
        )
    )
    assert all(before.end == after.start for before, after in pairwise(found))
    if found:
        assert found[0].start == floor_to(start, FINE)
        assert end <= found[-1].end < end + FINE
    assert all(tile.end <= hours_until for tile in found if tile.span is not Span.FINE)


@given(
    st.floats(min_value=1_700_000_000, max_value=1_700_100_000),
    st.floats(min_value=0, max_value=100_000),
)
def test_pieces_add_up_and_fit_their_buckets(since: float, length: float) -> None:
    found = list(pieces(since, since + length))
    assert sum(seconds for _, seconds in found) == pytest.approx(length, abs=1e-3)
    assert all(0 < seconds <= 300 for _, seconds in found)
    assert all(start % 300 == 0 for start, _ in found)


@pytest.mark.parametrize(
    ("seconds", "place"), [(0.0, 0), (0.05, 0), (0.051, 1), (30.0, 14), (31.0, 15)]
)
def test_an_answer_on_an_edge_belongs_below_it(seconds: float, place: int) -> None:
    assert place_of(seconds) == place


def test_quantiles_are_read_between_the_edges() -> None:
    counts = [0] * (len(EDGES) + 1)
    assert quantile(counts, 0.5) is None
    counts[4] = 10  # between 0.2 and 0.3 s
    assert quantile(counts, 0.5) == pytest.approx(0.25)
    counts[-1] = 90
    assert quantile(counts, 0.95) == EDGES[-1]
