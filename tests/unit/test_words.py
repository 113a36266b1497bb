"""Instants, durations and promises as people read them."""

from __future__ import annotations

import locale
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.unit.calendars import HOUR, MINUTE, ROUND_THE_CLOCK, a_calendar, at, shipped_calendar
from tickets.rules.hours import SupportHours
from tickets.rules.interval import WEEKDAYS, parse_interval
from tickets.rules.promise import CountedIn, MetBy, ResponseTarget
from tickets.rules.words import (
    describe_support,
    describe_target,
    describe_time_left,
    describe_week,
    format_clock,
    format_duration,
    format_hours,
    format_instant,
    format_short,
)

LONDON = ZoneInfo("Europe/London")
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("instant", "zone", "reads"),
    [
        ("2026-03-09T09:30Z", "Europe/London", "Mon 9 Mar 2026 09:30 GMT"),
        ("2026-04-07T08:30Z", "Europe/London", "Tue 7 Apr 2026 09:30 BST"),
        ("2026-10-25T01:30Z", "Europe/London", "Sun 25 Oct 2026 01:30 GMT"),
        ("2026-10-25T00:30Z", "Europe/London", "Sun 25 Oct 2026 01:30 BST"),
        ("2026-03-09T09:30Z", "America/St_Johns", "Mon 9 Mar 2026 07:00 NDT"),
        ("2026-03-09T23:30Z", "Asia/Tokyo", "Tue 10 Mar 2026 08:30 JST"),
        ("2026-03-09T09:30Z", "America/Sao_Paulo", "Mon 9 Mar 2026 06:30 UTC-3"),
        ("2026-03-09T09:30Z", "Asia/Kathmandu", "Mon 9 Mar 2026 15:15 UTC+5:45"),
        ("2026-03-09T09:30Z", "UTC", "Mon 9 Mar 2026 09:30 UTC"),
        # never later than it is
        ("2026-03-09T09:30:59.999999Z", "Europe/London", "Mon 9 Mar 2026 09:30 GMT"),
    ],
)
def test_an_instant_in_full(instant: str, zone: str, reads: str) -> None:
    assert format_instant(at(instant), ZoneInfo(zone)) == reads


@pytest.fixture
def german_host() -> Iterator[None]:
    """Set another language on the host, where it has one."""
    before = locale.setlocale(locale.LC_TIME)
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "C.UTF-8"):
        try:
            locale.setlocale(locale.LC_TIME, name)
            break
        except locale.Error:
            continue
    yield
    locale.setlocale(locale.LC_TIME, before)


def test_names_are_ours_and_not_the_hosts(german_host: None) -> None:
    first = datetime(2026, 1, 1, 12, tzinfo=UTC)
    read = [format_instant(first + n * 31 * DAY, LONDON) for n in range(12)]
    assert [line.split()[2] for line in read] == [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]  # fmt: skip
    week = [format_instant(first + n * DAY, LONDON).split()[0] for n in range(7)]
    assert week == ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]


@pytest.mark.parametrize(
    ("instant", "now", "reads"),
    [
        ("2026-03-09T10:05Z", "2026-03-09T09:47Z", "10:05"),
        ("2026-03-09T00:00Z", "2026-03-09T23:59Z", "00:00"),
        ("2026-03-12T13:10Z", "2026-03-11T10:10Z", "Thu 13:10"),
        ("2026-03-15T13:10Z", "2026-03-09T10:10Z", "Sun 13:10"),
        ("2026-03-16T13:10Z", "2026-03-09T10:10Z", "Mon 16 Mar 13:10"),
        ("2026-03-05T13:10Z", "2026-03-09T10:10Z", "Thu 5 Mar 13:10"),
        ("2027-01-04T09:30Z", "2026-12-23T16:30Z", "Mon 4 Jan 2027 09:30"),
        ("2027-01-01T09:30Z", "2026-12-31T16:30Z", "Fri 09:30"),
        # the date is that of the zone: 23:30 UTC is tomorrow in summer
        ("2026-07-01T23:30Z", "2026-07-01T20:00Z", "Thu 00:30"),
    ],
)
def test_an_instant_in_short(instant: str, now: str, reads: str) -> None:
    assert format_short(at(instant), now=at(now), zone=LONDON) == reads


def test_a_time_of_day() -> None:
    assert format_clock(at("2026-07-01T08:05Z"), LONDON) == "09:05"


@pytest.mark.parametrize(
    ("duration", "reads"),
    [
        (timedelta(), "0 s"),
        (-HOUR, "0 s"),
        (0.9 * SECOND, "0 s"),
        (45 * SECOND, "45 s"),
        (MINUTE, "1 min"),
        (4 * MINUTE + 10 * SECOND, "4 min 10 s"),
        (HOUR - SECOND, "59 min 59 s"),
        (2 * HOUR + 5 * MINUTE + 59 * SECOND, "2 h 5 min"),
        (DAY, "1 d"),
        (3 * DAY + 4 * HOUR + 59 * MINUTE, "3 d 4 h"),
    ],
)
def test_a_duration(duration: timedelta, reads: str) -> None:
    assert format_duration(duration) == reads


@pytest.mark.parametrize(
    ("duration", "reads"),
    [
        (timedelta(), "0 s"),
        (30 * MINUTE, "30 min"),
        (HOUR, "1 h"),
        (26 * HOUR + 5 * MINUTE, "26 h 5 min"),
        (26 * HOUR + 59 * SECOND, "26 h"),
    ],
)
def test_support_time_has_no_days(duration: timedelta, reads: str) -> None:
    assert format_hours(duration) == reads


@pytest.mark.parametrize(
    ("within", "counted_in", "reads"),
    [
        (HOUR, CountedIn.SUPPORT_HOURS, "1 h in support hours"),
        (48 * HOUR, CountedIn.SUPPORT_HOURS, "48 h in support hours"),
        (90 * MINUTE, CountedIn.SUPPORT_HOURS, "1 h 30 min in support hours"),
        (48 * HOUR, CountedIn.SUPPORT_DAYS, "2 support days"),
        (24 * HOUR, CountedIn.SUPPORT_DAYS, "1 support day"),
        (48 * HOUR, CountedIn.CLOCK_THEN_ROLL, "48 h by the clock, or when support next opens"),
    ],
)
def test_a_target(within: timedelta, counted_in: CountedIn, reads: str) -> None:
    target = ResponseTarget(within=within, counted_in=counted_in, met_by=MetBy.REPLY)
    assert describe_target(target) == reads


@pytest.mark.parametrize(
    ("now", "respond_by", "reads"),
    [
        ("2026-03-09T09:47Z", "2026-03-09T10:05Z", "18 min"),
        ("2026-03-09T09:00Z", "2026-03-09T10:05Z", "1 h 5 min"),
        ("2026-03-09T09:00Z", "2026-03-09T12:00Z", "3 h"),
        ("2026-03-11T10:10Z", "2026-03-12T13:10Z", "1 d 3 h"),
        ("2026-03-11T10:10Z", "2026-03-12T10:40Z", "1 d"),
        ("2026-03-11T16:30Z", "2026-03-12T13:10Z", "4 h 40 min"),
        # out of hours nothing runs out
        ("2026-03-06T17:00Z", "2026-03-09T09:30Z", "30 min"),
        ("2026-03-07T12:00Z", "2026-03-10T17:00Z", "2 d"),
        ("2026-12-24T08:00Z", "2027-01-04T09:30Z", "30 min"),
        # to the last minute, and beyond
        ("2026-03-09T10:04:01Z", "2026-03-09T10:05Z", "under 1 min"),
        ("2026-03-09T10:05Z", "2026-03-09T10:05Z", "under 1 min"),
        ("2026-03-09T10:05:30Z", "2026-03-09T10:05Z", "over"),
        ("2026-03-09T10:17Z", "2026-03-09T10:05Z", "12 min over"),
        ("2026-03-09T22:00Z", "2026-03-09T17:00Z", "over"),
        ("2026-03-11T10:10Z", "2026-03-09T10:10Z", "2 d over"),
        ("2027-03-09T10:10Z", "2026-03-09T10:10Z", "249 d over"),
    ],
)
def test_the_time_left(now: str, respond_by: str, reads: str) -> None:
    left = describe_time_left(shipped_calendar(), now=at(now), respond_by=at(respond_by))
    assert left == reads


def test_a_day_left_is_a_day_of_that_calendar() -> None:
    calendar = a_calendar(week=ROUND_THE_CLOCK)
    start = at("2026-03-09T10:00Z")
    assert describe_time_left(calendar, now=start, respond_by=start + 27 * HOUR) == "1 d 3 h"
    short = a_calendar(week={"mon": ["09:00-13:00"], "tue": ["09:00-13:00"]})
    tuesday = at("2026-03-10T11:00Z")
    assert describe_time_left(short, now=start, respond_by=tuesday) == "1 d 1 h"


@pytest.mark.parametrize(
    ("now", "reads"),
    [
        ("2026-03-09T10:00Z", "open until 17:00"),
        ("2026-03-09T17:00Z", "closed until Tue 09:00"),
        ("2026-03-09T08:00Z", "closed until 09:00"),
        ("2026-12-23T18:00Z", "closed until Mon 4 Jan 2027 09:00"),
    ],
)
def test_whether_support_is_open(now: str, reads: str) -> None:
    assert describe_support(shipped_calendar(), now=at(now)) == reads


def test_support_around_the_clock() -> None:
    calendar = a_calendar(week=ROUND_THE_CLOCK)
    assert describe_support(calendar, now=at("2026-03-09T10:00Z")) == "open around the clock"


def test_a_week_is_described_in_runs_of_days_with_the_same_hours() -> None:
    nine, ten = parse_interval("09:00-17:00"), parse_interval("10:00-12:00")
    week = dict.fromkeys(("mon", "tue", "wed", "thu"), (nine,)) | {
        "fri": (ten, parse_interval("13:00-17:00")),
        "sun": (ten,),
    }
    hours = SupportHours(LONDON, week)
    assert describe_week(hours) == (
        "Mon to Thu 09:00-17:00, Fri 10:00-12:00 and 13:00-17:00, Sun 10:00-12:00 (London)"
    )
    always = SupportHours(LONDON, {day: (parse_interval("00:00-24:00"),) for day in WEEKDAYS})
    assert describe_week(always) == "around the clock"
