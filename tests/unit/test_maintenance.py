"""Maintenance windows cover what was announced, also on the days on which the clock is changed."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.rules.maintenance import (
    DatedWindow,
    WeeklyWindow,
    first_instant,
    last_instant,
    maintenance_until,
    read_windows,
    windows_document,
)

LONDON = ZoneInfo("Europe/London")
NEW_YORK = ZoneInfo("America/New_York")
SUNDAY, SATURDAY = 6, 5


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def weekly(opens: float, closes: float, *days: int, zone: ZoneInfo = LONDON) -> WeeklyWindow:
    return WeeklyWindow(
        days=frozenset(days),
        opens=timedelta(hours=opens),
        closes=timedelta(hours=closes),
        zone=zone,
    )


@pytest.mark.parametrize(
    ("window", "at", "until"),
    [
        pytest.param(
            weekly(2, 4, SUNDAY), "2026-03-08T01:59:59", None, id="the second before it starts"
        ),
        pytest.param(weekly(2, 4, SUNDAY), "2026-03-08T02:00", "2026-03-08T04:00", id="its start"),
        pytest.param(weekly(2, 4, SUNDAY), "2026-03-08T04:00", None, id="its end is outside"),
        pytest.param(weekly(2, 4, SUNDAY), "2026-03-09T03:00", None, id="another day"),
        pytest.param(
            weekly(2, 4, SUNDAY), "2026-07-05T01:30", "2026-07-05T03:00", id="local, in summer"
        ),
        pytest.param(
            weekly(23, 3, SATURDAY), "2026-03-08T02:59", "2026-03-08T03:00", id="overnight, late"
        ),
        pytest.param(
            weekly(23, 3, SATURDAY), "2026-03-07T23:00", "2026-03-08T03:00", id="overnight, early"
        ),
        pytest.param(weekly(23, 3, SATURDAY), "2026-03-07T02:00", None, id="not the night before"),
        pytest.param(
            weekly(22, 24, SUNDAY), "2026-03-08T23:59", "2026-03-09T00:00", id="to midnight"
        ),
        pytest.param(
            weekly(1, 3, SUNDAY), "2026-03-29T01:00", "2026-03-29T02:00", id="spring: an hour less"
        ),
        pytest.param(
            weekly(1, 2, SUNDAY), "2026-10-25T01:30", "2026-10-25T02:00", id="autumn: shown twice"
        ),
        pytest.param(
            weekly(1, 2, SUNDAY),
            "2026-10-25T00:10",
            "2026-10-25T02:00",
            id="autumn: from first",
        ),
        pytest.param(
            weekly(2.25, 2.75, SUNDAY, zone=NEW_YORK),
            "2026-03-08T07:30",
            "2026-03-08T07:45",
            id="skipped altogether, yet it takes place",
        ),
        pytest.param(
            DatedWindow(start=utc("2026-03-09T22:00"), end=utc("2026-03-10T02:00")),
            "2026-03-10T01:59",
            "2026-03-10T02:00",
            id="dated",
        ),
        pytest.param(
            DatedWindow(start=utc("2026-03-09T22:00"), end=utc("2026-03-10T02:00")),
            "2026-03-10T02:00",
            None,
            id="dated, over",
        ),
    ],
)
def test_a_window_covers_what_was_announced(
    window: DatedWindow | WeeklyWindow, at: str, until: str | None
) -> None:
    assert maintenance_until([window], utc(at)) == (until and utc(until))


def test_windows_that_overlap_end_with_the_last_of_them() -> None:
    windows = [weekly(2, 4, SUNDAY), weekly(3, 5, SUNDAY)]
    assert maintenance_until(windows, utc("2026-03-08T03:30")) == utc("2026-03-08T05:00")
    assert maintenance_until([], utc("2026-03-08T03:30")) is None


def test_windows_come_back_from_the_store_as_they_went() -> None:
    windows = [
        weekly(23, 3, SATURDAY, SUNDAY),
        DatedWindow(start=utc("2026-03-09T22:00"), end=utc("2026-03-10T02:00")),
    ]
    assert read_windows(json.loads(json.dumps(windows_document(windows)))) == windows


def test_local_times_that_the_clock_shows_twice_or_never() -> None:
    twice, never = date(2026, 10, 25), date(2026, 3, 29)
    half_past_one = timedelta(hours=1, minutes=30)
    assert first_instant(twice, half_past_one, LONDON) == utc("2026-10-25T00:30")
    assert last_instant(twice, half_past_one, LONDON) == utc("2026-10-25T01:30")
    assert first_instant(never, half_past_one, LONDON) == utc("2026-03-29T01:30")
