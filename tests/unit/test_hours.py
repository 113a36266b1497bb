"""The promise clock: support hours against published vectors, an oracle and their own laws."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.unit.calendars import (
    HOUR,
    MICROSECOND,
    MINUTE,
    NINE_TO_FIVE,
    ROUND_THE_CLOCK,
    Oracle,
    a_calendar,
    at,
    shipped_calendar,
)
from tickets.rules.hours import (
    WEEKDAYS,
    Interval,
    OutOfReach,
    SkippedDay,
    SupportHours,
    check_day,
    parse_interval,
    parse_week,
)

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "data" / "sla_vectors.json").read_text(encoding="utf-8")
)
LONDON: dict[str, Any] = VECTORS["london"]


def without(intervals: Sequence[Interval], pauses: Sequence[Interval]) -> list[Interval]:
    """Return a day's intervals with its breaks cut out."""
    left = list(intervals)
    for pause in pauses:
        cut: list[Interval] = []
        for one in left:
            if one.opens < min(one.closes, pause.opens):
                cut.append(Interval(one.opens, min(one.closes, pause.opens)))
            if max(one.opens, pause.closes) < one.closes:
                cut.append(Interval(max(one.opens, pause.closes), one.closes))
        left = cut
    return left


def texts(pairs: Sequence[Sequence[str]]) -> list[str]:
    return [f"{opens}-{closes}" for opens, closes in pairs]


def calendar_of(row: Mapping[str, Any]) -> SupportHours:
    """Build the calendar that a vector describes."""
    week = parse_week({day: texts(pairs) for day, pairs in row["weekly_hours"].items()})
    overrides: dict[date, Sequence[Interval]] = {
        date.fromisoformat(on): [parse_interval(text) for text in texts(pairs)]
        for on, pairs in row.get("date_overrides", {}).items()
    }
    for text, pairs in row.get("breaks", {}).items():
        on = date.fromisoformat(text)
        day = week.get(WEEKDAYS[on.weekday()], ())
        overrides[on] = without(day, [parse_interval(text) for text in texts(pairs)])
    days_off = {date.fromisoformat(on): "holiday" for on in row["holidays"]}
    for month_day in row.get("yearly_holidays", ()):
        for year in range(2000, 2040):
            days_off[date.fromisoformat(f"{year}-{month_day}")] = "holiday"
    return SupportHours(ZoneInfo(row["timezone"]), week, days_off=days_off, overrides=overrides)


def pauses_of(row: Mapping[str, Any]) -> list[tuple[datetime, datetime]]:
    return [(at(start), at(end)) for start, end in row.get("pauses", ())]


def rows(kind: str) -> list[Any]:
    """Return the vectors of a kind, those for London completed with its calendar."""
    shared = {key: LONDON[key] for key in ("timezone", "weekly_hours", "holidays")}
    own = VECTORS.get(kind, [])
    london = [shared | row for row in LONDON[kind]]
    return [pytest.param(row, id=row["id"]) for row in [*own, *london]]


class TestVectors:
    @pytest.mark.parametrize("row", rows("due") + rows("pauses"))
    def test_due(self, row: Mapping[str, Any]) -> None:
        due = calendar_of(row).add(
            at(row["start"]), timedelta(minutes=row["minutes"]), pauses=pauses_of(row)
        )
        assert due == at(row["expected_due"])

    @pytest.mark.parametrize("row", rows("elapsed"))
    def test_elapsed(self, row: Mapping[str, Any]) -> None:
        counted = calendar_of(row).elapsed(at(row["start"]), at(row["end"]), pauses=pauses_of(row))
        assert counted == timedelta(minutes=row["expected_minutes"])

    def test_every_published_vector_is_here(self) -> None:
        counts = {"due": 102 + 120, "elapsed": 40 + 30, "pauses": 14}
        assert {kind: len(rows(kind)) for kind in counts} == counts

    def test_the_shipped_calendar_is_that_of_the_london_vectors(self) -> None:
        known = {date.fromisoformat(on) for on in LONDON["holidays"]}
        ours = {on for on in shipped_calendar().days_off if on.year in (2024, 2025, 2026, 2027)}
        assert ours == {on for on in known if on.year in (2024, 2025, 2026, 2027)}

    @pytest.mark.parametrize(
        ("year", "minutes"), [(2024, 120_000), (2026, 119_520), (2027, 119_520)]
    )
    def test_a_whole_year(self, year: int, minutes: int) -> None:
        start, end = at(f"{year}-01-02T00:00+00:00"), at(f"{year + 1}-01-02T00:00+00:00")
        assert shipped_calendar().elapsed(start, end) == minutes * MINUTE


class TestEdgesOfWindows:
    def test_what_ends_at_closing_time_is_due_at_closing_time(self) -> None:
        assert a_calendar().add(at("2026-03-03T16:00Z"), HOUR) == at("2026-03-03T17:00Z")

    def test_a_start_at_closing_time_counts_from_the_next_opening(self) -> None:
        assert a_calendar().add(at("2026-03-03T17:00Z"), HOUR) == at("2026-03-04T10:00Z")

    @pytest.mark.parametrize(
        ("start", "opens"),
        [
            ("2026-03-03T10:00Z", "2026-03-03T10:00Z"),
            ("2026-03-03T09:00Z", "2026-03-03T09:00Z"),
            ("2026-03-03T17:00Z", "2026-03-04T09:00Z"),
            ("2026-03-06T17:00Z", "2026-03-09T09:00Z"),
        ],
    )
    def test_nothing_to_count_gives_the_next_open_instant(self, start: str, opens: str) -> None:
        assert a_calendar().add(at(start), timedelta()) == at(opens)
        assert a_calendar().next_open(at(start)) == at(opens)

    @pytest.mark.parametrize(
        ("instant", "is_open"),
        [
            ("2026-03-03T08:59:59.999999Z", False),
            ("2026-03-03T09:00Z", True),
            ("2026-03-03T16:59:59.999999Z", True),
            ("2026-03-03T17:00Z", False),
            ("2026-03-07T12:00Z", False),
        ],
    )
    def test_is_open(self, instant: str, is_open: bool) -> None:
        assert a_calendar().is_open(at(instant)) is is_open

    @pytest.mark.parametrize(
        ("instant", "closes"),
        [
            ("2026-03-03T09:00Z", "2026-03-03T17:00Z"),
            ("2026-03-03T17:00Z", "2026-03-04T17:00Z"),
            ("2026-03-07T12:00Z", "2026-03-09T17:00Z"),
        ],
    )
    def test_next_close(self, instant: str, closes: str) -> None:
        assert a_calendar().next_close(at(instant)) == at(closes)

    def test_a_break_closes(self) -> None:
        calendar = a_calendar(week={"tue": ["09:00-12:00", "13:00-17:00"]})
        assert calendar.next_close(at("2026-03-03T10:00Z")) == at("2026-03-03T12:00Z")
        assert calendar.add(at("2026-03-03T11:30Z"), HOUR) == at("2026-03-03T13:30Z")

    def test_intervals_that_touch_are_one(self) -> None:
        calendar = a_calendar(week={"tue": ["12:00-17:00", "09:00-12:00"]})
        assert calendar.next_close(at("2026-03-03T10:00Z")) == at("2026-03-03T17:00Z")

    def test_a_night_shift_written_on_two_days_closes_in_the_morning(self) -> None:
        calendar = a_calendar(week={"mon": ["22:00-24:00"], "tue": ["00:00-06:00"]})
        assert calendar.next_close(at("2026-03-02T23:00Z")) == at("2026-03-03T06:00Z")
        assert calendar.add(at("2026-03-02T23:00Z"), 3 * HOUR) == at("2026-03-03T02:00Z")

    def test_around_the_clock_support_never_closes(self) -> None:
        assert a_calendar(week=ROUND_THE_CLOCK).next_close(at("2026-03-03T10:00Z")) is None

    def test_around_the_clock_support_closes_before_a_holiday(self) -> None:
        calendar = a_calendar(week=ROUND_THE_CLOCK, days_off={date(2027, 12, 25): "Christmas Day"})
        assert calendar.next_close(at("2026-03-03T10:00Z")) == at("2027-12-25T00:00Z")

    def test_the_last_known_day_closes_too(self) -> None:
        calendar = a_calendar(last=date(2026, 3, 3))
        assert calendar.next_close(at("2026-03-03T10:00Z")) == at("2026-03-03T17:00Z")

    def test_the_day_after_the_last_known_one_is_not_taken_for_a_support_day(self) -> None:
        calendar = a_calendar(week=ROUND_THE_CLOCK, last=date(2026, 3, 3))
        assert calendar.add(at("2026-03-03T23:00Z"), HOUR) == at("2026-03-04T00:00Z")
        assert not calendar.is_open(at("2026-03-04T00:00Z"))

    def test_an_override_outranks_a_holiday_and_the_week(self) -> None:
        saturday = date(2026, 12, 26)
        calendar = a_calendar(
            days_off={saturday: "Boxing Day"}, overrides={saturday: ["10:00-12:00"]}
        )
        assert calendar.add(at("2026-12-26T09:00Z"), HOUR) == at("2026-12-26T11:00Z")

    def test_an_override_may_take_a_days_hours_away(self) -> None:
        calendar = a_calendar(overrides={date(2026, 3, 4): []})
        assert calendar.add(at("2026-03-03T16:30Z"), HOUR) == at("2026-03-05T09:30Z")

    def test_seconds_and_microseconds_are_kept(self) -> None:
        due = a_calendar().add(at("2026-03-03T16:59:59.999999Z"), timedelta(microseconds=2))
        assert due == at("2026-03-04T09:00:00.000001Z")

    def test_nothing_has_passed_at_an_earlier_end(self) -> None:
        calendar = a_calendar()
        assert calendar.elapsed(at("2026-03-04T10:00Z"), at("2026-03-03T10:00Z")) == timedelta()

    def test_instants_come_back_in_utc_whatever_zone_they_came_in(self) -> None:
        due = a_calendar().add(datetime(2026, 3, 4, 1, 0, tzinfo=ZoneInfo("Asia/Tokyo")), HOUR)
        assert due.isoformat() == "2026-03-03T17:00:00+00:00"


class TestChangesOfTheClock:
    @pytest.mark.parametrize(
        ("zone", "on", "interval", "hours"),
        [
            ("Europe/London", date(2026, 3, 29), "00:00-24:00", 23),
            ("Europe/London", date(2026, 10, 25), "00:00-24:00", 25),
            ("Europe/London", date(2026, 3, 29), "01:00-02:00", 0),
            ("Europe/London", date(2026, 3, 29), "00:30-01:30", 0.5),
            ("Europe/London", date(2026, 10, 25), "01:00-02:00", 2),
            ("Europe/London", date(2026, 10, 25), "01:00-01:30", 1),
            ("Australia/Lord_Howe", date(2026, 4, 5), "00:00-24:00", 24.5),
            ("Australia/Lord_Howe", date(2026, 10, 4), "00:00-24:00", 23.5),
            ("America/Santiago", date(2026, 9, 6), "00:00-24:00", 23),
            ("America/Havana", date(2026, 11, 1), "00:00-24:00", 25),
            ("America/St_Johns", date(2006, 10, 28), "00:00-24:00", 25 - 1 / 60),
            ("America/St_Johns", date(2006, 10, 29), "00:00-24:00", 24 + 1 / 60),
            ("Pacific/Apia", date(2011, 12, 30), "00:00-24:00", 0),
            ("Africa/Casablanca", date(2026, 2, 15), "00:00-24:00", 25),
            ("Antarctica/Troll", date(2026, 3, 29), "00:00-24:00", 22),
        ],
    )  # fmt: skip
    def test_repeated_hours_count_twice_and_skipped_ones_not(
        self, zone: str, on: date, interval: str, hours: float
    ) -> None:
        calendar = a_calendar(zone, overrides={on: [interval]}, days_off={})
        segments = calendar.segments(
            at(f"{on}T00:00Z") - 2 * 24 * HOUR, at(f"{on}T00:00Z") + 3 * 24 * HOUR
        )
        that_day = [segment.duration for segment in segments if segment.on == on]
        assert sum(that_day, timedelta()) == timedelta(hours=hours)

    def test_an_hour_over_the_spring_change(self) -> None:
        calendar = a_calendar(week=ROUND_THE_CLOCK)
        due = calendar.add(at("2026-03-29T00:30+00:00"), HOUR)
        assert due.astimezone(calendar.zone).isoformat() == "2026-03-29T02:30:00+01:00"

    def test_a_clock_set_back_over_midnight_returns_to_the_date_before(self) -> None:
        calendar = a_calendar("America/St_Johns", ROUND_THE_CLOCK)
        segments = calendar.segments(at("2006-10-29T02:30:30Z"), at("2006-10-29T02:50Z"))
        assert [(one.on, one.duration) for one in segments] == [
            (date(2006, 10, 29), MINUTE / 2),
            (date(2006, 10, 28), 19 * MINUTE),
        ]

    def test_a_date_that_the_calendar_leaves_out_is_explained(self) -> None:
        calendar = a_calendar("Pacific/Apia")
        explained = calendar.explain(at("2011-12-30T02:00Z"), at("2012-01-01T20:00Z"))
        assert explained.skipped == (
            SkippedDay(date(2011, 12, 30), "a date that the calendar leaves out"),
            SkippedDay(date(2011, 12, 31), "Saturday"),
            SkippedDay(date(2012, 1, 1), "Sunday"),
        )


UNEVEN = {"mon": ["09:00-17:00"], "tue": ["10:00-16:00"], "wed": ["08:00-12:00", "14:00-20:00"]}


class TestPauses:
    def test_nothing_to_count_gives_an_instant_outside_pauses(self) -> None:
        pauses = [(at("2026-03-03T08:30Z"), at("2026-03-03T10:00Z"))]
        due = a_calendar().add(at("2026-03-03T08:00Z"), timedelta(), pauses=pauses)
        assert due == at("2026-03-03T10:00Z")

    def test_they_may_overlap_and_come_in_any_order(self) -> None:
        pauses = [
            (at("2026-03-03T11:00Z"), at("2026-03-03T12:00Z")),
            (at("2026-03-03T09:30Z"), at("2026-03-03T11:30Z")),
            (at("2026-03-03T10:00Z"), at("2026-03-03T10:30Z")),
            (at("2026-03-03T16:00Z"), at("2026-03-03T15:00Z")),
        ]
        start = at("2026-03-03T09:00Z")
        due = a_calendar().add(start, HOUR, pauses=pauses)
        assert due == at("2026-03-03T12:30Z")
        assert a_calendar().elapsed(start, due, pauses=pauses) == HOUR


class TestSupportDays:
    @pytest.mark.parametrize(
        ("start", "days", "due"),
        [
            ("2026-03-03T16:00Z", 2, "2026-03-05T16:00Z"),
            ("2026-03-06T16:00Z", 1, "2026-03-09T16:00Z"),
            # out of hours, and at an opening: whole days from there on
            ("2026-03-03T17:00Z", 2, "2026-03-05T17:00Z"),
            ("2026-03-07T12:00Z", 1, "2026-03-09T17:00Z"),
            ("2026-03-03T09:00Z", 1, "2026-03-03T17:00Z"),
            ("2026-03-03T03:00Z", 1, "2026-03-03T17:00Z"),
            ("2026-03-03T09:00:01Z", 1, "2026-03-04T09:00:01Z"),
            # the same time of day over a change of the clock
            ("2026-10-23T15:30Z", 1, "2026-10-26T16:30Z"),
            ("2026-03-27T16:30Z", 1, "2026-03-30T15:30Z"),
            ("2026-03-07T12:00Z", 0, "2026-03-09T09:00Z"),
        ],
    )
    def test_even_days(self, start: str, days: int, due: str) -> None:
        assert a_calendar().add_days(at(start), days) == at(due)

    @pytest.mark.parametrize(
        ("start", "days", "due", "why"),
        [
            ("2026-03-02T16:30Z", 1, "2026-03-03T16:00Z", "closed by then: the close before"),
            ("2026-03-02T09:30Z", 1, "2026-03-02T17:00Z", "not yet open: the close before"),
            ("2026-03-03T10:30Z", 1, "2026-03-04T10:30Z", "open"),
            ("2026-03-03T13:00Z", 1, "2026-03-04T12:00Z", "in the break: its beginning"),
            ("2026-03-03T14:00Z", 1, "2026-03-04T12:00Z", "at the end of the break: its beginning"),
            ("2026-03-04T13:00Z", 1, "2026-03-09T14:00Z", "raised in the break: from its end"),
            ("2026-03-04T20:00Z", 2, "2026-03-10T16:00Z", "raised at the close: two whole days"),
        ],
    )
    def test_uneven_days(self, start: str, days: int, due: str, why: str) -> None:
        assert a_calendar(week=UNEVEN).add_days(at(start), days) == at(due), why

    @pytest.mark.parametrize(
        ("start", "end", "days", "reached"),
        [
            ("2026-03-04T10:10Z", "2026-03-05T13:10Z", 1, "2026-03-05T10:10Z"),
            ("2026-03-07T12:00Z", "2026-03-10T17:00Z", 2, "2026-03-10T17:00Z"),
            ("2026-03-04T16:30Z", "2026-03-05T13:10Z", 0, "2026-03-04T16:30Z"),
            ("2026-03-05T13:10Z", "2026-03-04T10:10Z", 0, "2026-03-05T13:10Z"),
        ],
    )
    def test_whole_days(self, start: str, end: str, days: int, reached: str) -> None:
        assert a_calendar().whole_days(at(start), at(end)) == (days, at(reached))


class TestExplanation:
    def test_christmas_says_what_counted_and_names_what_did_not(self) -> None:
        explained = shipped_calendar().explain(at("2026-12-23T16:30Z"), at("2027-01-04T09:30Z"))
        assert [(one.on, one.duration, one.total) for one in explained.counted] == [
            (date(2026, 12, 23), HOUR / 2, HOUR / 2),
            (date(2027, 1, 4), HOUR / 2, HOUR),
        ]
        assert [(day.on.isoformat(), day.why) for day in explained.skipped] == [
            ("2026-12-24", "Christmas closure"),
            ("2026-12-25", "Christmas Day"),
            ("2026-12-26", "Boxing Day"),
            ("2026-12-27", "Christmas closure"),
            ("2026-12-28", "Boxing Day (observed)"),
            ("2026-12-29", "Christmas closure"),
            ("2026-12-30", "Christmas closure"),
            ("2026-12-31", "Christmas closure"),
            ("2027-01-01", "New Year's Day"),
            ("2027-01-02", "Saturday"),
            ("2027-01-03", "Sunday"),
        ]

    def test_a_day_on_which_support_had_closed_is_not_skipped(self) -> None:
        explained = a_calendar().explain(at("2026-03-03T18:00Z"), at("2026-03-04T10:00Z"))
        assert explained.skipped == ()
        assert [one.on for one in explained.counted] == [date(2026, 3, 4)]

    def test_a_day_that_begins_as_the_time_ends_is_not_skipped(self) -> None:
        calendar = a_calendar(week={"fri": ["18:00-24:00"]})
        explained = calendar.explain(at("2026-03-06T18:00Z"), at("2026-03-07T00:00Z"))
        assert explained.skipped == ()

    def test_an_override_without_hours_is_said_to_be_closed(self) -> None:
        calendar = a_calendar(overrides={date(2026, 3, 4): []})
        explained = calendar.explain(at("2026-03-03T16:30Z"), at("2026-03-05T09:30Z"))
        assert explained.skipped == (SkippedDay(date(2026, 3, 4), "closed that day"),)

    def test_a_day_tells_its_hours_or_why_it_has_none(self) -> None:
        calendar = shipped_calendar()
        assert [str(one) for one in calendar.day(date(2026, 4, 2)).intervals] == ["09:00-17:00"]
        assert calendar.day(date(2026, 4, 2)).why_closed is None
        assert calendar.day(date(2026, 4, 3)).why_closed == "Good Friday"
        assert calendar.day(date(2026, 4, 4)).why_closed == "Saturday"


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("17:00-09:00", "17:00-09:00 ends before it begins; write hours over midnight on two"),
            ("09:00-09:00", "09:00-09:00 is empty"),
            ("09:00-24:01", "24:01 is no time of day; allowed are 00:00 to 24:00"),
            ("09:60-17:00", "09:60 is no time of day"),
            ("25:00-26:00", "25:00 is no time of day"),
            ("9-17", "'9-17' is no interval; write it as HH:MM-HH:MM"),
            ("", "'' is no interval"),
            ("09:00-17:00-18:00", "is no interval"),
            ("٠٩:00-17:00", "is no interval"),
            ("x" * 500, "'" + "x" * 40 + "…' is no interval"),
        ],
    )
    def test_intervals(self, text: str, says: str) -> None:
        with pytest.raises(ValueError, match=re.escape(says)):
            parse_interval(text)

    @pytest.mark.parametrize(
        ("text", "means"),
        [
            ("09:00-17:00", "09:00-17:00"),
            ("9:00 - 17:30", "09:00-17:30"),
            ("00:00–24:00", "00:00-24:00"),
        ],
    )
    def test_intervals_that_are_understood(self, text: str, means: str) -> None:
        assert str(parse_interval(text)) == means

    def test_overlapping_intervals(self) -> None:
        with pytest.raises(ValueError, match="mon: 09:00-13:00 and 12:00-17:00 overlap"):
            parse_week({"mon": ["12:00-17:00", "09:00-13:00"]})
        with pytest.raises(ValueError, match="overlap"):
            check_day([parse_interval("09:00-17:00")] * 2)

    def test_an_unknown_day(self) -> None:
        with pytest.raises(
            ValueError, match="'monday' is no day of the week; allowed are mon, tue"
        ):
            parse_week({"monday": ["09:00-17:00"]})

    @pytest.mark.parametrize("week", [{}, {"mon": []}])
    def test_a_week_without_hours(self, week: Mapping[str, Sequence[str]]) -> None:
        with pytest.raises(ValueError, match="the week has no support hours"):
            a_calendar(week=week)

    def test_less_than_nothing(self) -> None:
        with pytest.raises(ValueError, match="must not be negative"):
            a_calendar().add(at("2026-03-03T10:00Z"), -HOUR)
        with pytest.raises(ValueError, match="must not be negative"):
            a_calendar().add_days(at("2026-03-03T10:00Z"), -1)

    def test_an_instant_without_a_zone(self) -> None:
        with pytest.raises(ValueError, match="has no zone"):
            a_calendar().is_open(datetime(2026, 3, 3, 10, 0))  # noqa: DTZ001

    @pytest.mark.parametrize("instant", ["1999-12-31T23:00Z", "2040-01-01T01:00Z"])
    def test_instants_beyond_the_calendar(self, instant: str) -> None:
        with pytest.raises(OutOfReach, match="which knows 2000-01-01 to 2039-12-31"):
            a_calendar().next_open(at(instant))
        with pytest.raises(OutOfReach):
            a_calendar().elapsed(at("2026-03-03T10:00Z"), at("2040-06-01T00:00Z"))

    def test_a_deadline_beyond_the_calendar(self) -> None:
        calendar = a_calendar(last=date(2026, 3, 3))
        assert calendar.add(at("2026-03-03T16:00Z"), HOUR) == at("2026-03-03T17:00Z")
        with pytest.raises(OutOfReach, match="knows 2000-01-01 to 2026-03-03"):
            calendar.add(at("2026-03-03T16:00Z"), HOUR + MICROSECOND)
        with pytest.raises(OutOfReach):
            calendar.add_days(at("2026-03-03T16:00Z"), 1)

    def test_a_deadline_more_than_five_years_away(self) -> None:
        calendar = a_calendar(week={"mon": ["09:00-09:01"]})
        with pytest.raises(OutOfReach, match="within five years"):
            calendar.add(at("2026-03-03T16:00Z"), 5 * HOUR)
        with pytest.raises(OutOfReach, match="within five years"):
            calendar.add_days(at("2026-03-03T16:00Z"), 300)

    def test_five_years_are_the_limit_to_the_instant(self) -> None:
        calendar, start = a_calendar(week=ROUND_THE_CLOCK), at("2026-03-03T16:00Z")
        five_years = timedelta(days=5 * 366)
        assert calendar.add(start, five_years) == start + five_years
        with pytest.raises(OutOfReach, match="within five years"):
            calendar.add(start, five_years + MICROSECOND)

    def test_hours_that_never_come(self) -> None:
        mondays = {date(2026, 3, 2) + timedelta(weeks=n): "closed" for n in range(400)}
        calendar = a_calendar(week={"mon": ["09:00-17:00"]}, days_off=mondays)
        for ask in (calendar.next_open, calendar.next_close):
            with pytest.raises(OutOfReach, match="support does not open within five years"):
                ask(at("2026-03-01T00:00Z"))

    def test_a_pause_that_never_ends(self) -> None:
        with pytest.raises(OutOfReach):
            a_calendar().add(
                at("2026-03-03T16:00Z"), 2 * HOUR,
                pauses=[(at("2026-03-03T16:30Z"), at("9000-01-01T00:00Z"))],
            )  # fmt: skip


# Zones and dates at which something odd happens to the clock, and some at which nothing does.
ODD_DAYS = [
    ("Europe/London", date(2026, 3, 29)),
    ("Europe/London", date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/St_Johns", date(2006, 10, 29)),
    ("America/Havana", date(2026, 11, 1)),
    ("America/Santiago", date(2026, 9, 6)),
    ("Africa/Casablanca", date(2026, 2, 15)),
    ("Africa/Casablanca", date(2026, 3, 22)),
    ("Asia/Tehran", date(2022, 3, 22)),
    ("Asia/Kathmandu", date(2026, 5, 5)),
    ("Asia/Tokyo", date(2026, 1, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("Pacific/Chatham", date(2026, 9, 27)),
    ("Antarctica/Troll", date(2026, 3, 29)),
    ("UTC", date(2026, 7, 1)),
]  # fmt: skip

DAYS = [
    (),
    ("09:00-17:00",),
    ("00:00-24:00",),
    ("08:15-12:00", "12:45-18:30"),
    ("22:00-24:00",),
    ("00:00-06:00",),
    ("00:00-00:30", "01:15-02:45", "23:30-24:00"),
]
OPEN_DAYS = DAYS[1:]


@st.composite
def calendars(draw: st.DrawFn) -> tuple[SupportHours, Oracle, datetime]:
    """Draw a calendar, its oracle and an instant near an odd day, on a whole minute."""
    zone, on = draw(st.sampled_from(ODD_DAYS))
    week = {
        day: draw(st.sampled_from(OPEN_DAYS))
        for day in draw(st.sets(st.sampled_from(WEEKDAYS), min_size=2))
    }
    near = st.integers(-4, 4).map(lambda days: on + timedelta(days=days))
    days_off = dict.fromkeys(draw(st.sets(near, max_size=4)), "closed")
    overrides = draw(st.dictionaries(near, st.sampled_from(DAYS), max_size=3))
    calendar = a_calendar(zone, week, days_off=days_off, overrides=overrides)
    parsed = parse_week(week)
    oracle = Oracle(
        zone=ZoneInfo(zone),
        week=[parsed.get(day, ()) for day in WEEKDAYS],
        days_off=frozenset(days_off),
        overrides={
            day: [parse_interval(text) for text in texts] for day, texts in overrides.items()
        },
    )
    minutes = draw(st.integers(-2 * 24 * 60, 2 * 24 * 60))
    return calendar, oracle, at(f"{on}T00:00Z") + minutes * MINUTE


durations = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=10))
positive = st.timedeltas(min_value=MICROSECOND, max_value=timedelta(days=10))
few_minutes = st.integers(0, 12 * 60)
pauses_near = st.lists(st.tuples(st.integers(-600, 3000), st.integers(0, 900)), max_size=3)
laws = settings(max_examples=150, database=None)
walks = settings(laws, max_examples=100)


class TestLaws:
    @laws
    @given(calendars(), durations, durations)
    def test_elapsed_time_adds_up(
        self, drawn: tuple[SupportHours, Oracle, datetime], first: timedelta, then: timedelta
    ) -> None:
        calendar, _, start = drawn
        middle, end = start + first, start + first + then
        parts = calendar.elapsed(start, middle), calendar.elapsed(middle, end)
        assert calendar.elapsed(start, end) == sum(parts, timedelta())
        assert all(
            timedelta() <= part <= plain for part, plain in zip(parts, (first, then), strict=True)
        )

    @laws
    @given(calendars(), positive)
    def test_exactly_the_promised_time_passes_and_not_an_instant_earlier(
        self, drawn: tuple[SupportHours, Oracle, datetime], promised: timedelta
    ) -> None:
        calendar, _, start = drawn
        due = calendar.add(start, promised)
        assert calendar.elapsed(start, due) == promised
        assert calendar.elapsed(start, due - MICROSECOND) == promised - MICROSECOND

    @laws
    @given(calendars(), positive, st.integers(1, 6))
    def test_a_deadline_lies_after_an_opening_and_not_after_its_close(
        self, drawn: tuple[SupportHours, Oracle, datetime], promised: timedelta, days: int
    ) -> None:
        calendar, oracle, start = drawn
        for due in (calendar.add(start, promised), calendar.add_days(start, days)):
            assert due > start
            assert calendar.is_open(due - MICROSECOND)
            on = (due - MICROSECOND).astimezone(calendar.zone).date()
            assert on not in oracle.days_off or on in oracle.overrides

    @laws
    @given(calendars(), durations, durations)
    def test_counting_on_from_a_deadline_is_counting_at_once(
        self, drawn: tuple[SupportHours, Oracle, datetime], first: timedelta, then: timedelta
    ) -> None:
        calendar, _, start = drawn
        assume(then)
        assert calendar.add(calendar.add(start, first), then) == calendar.add(start, first + then)

    @laws
    @given(calendars(), durations, durations)
    def test_a_later_start_is_never_due_earlier(
        self, drawn: tuple[SupportHours, Oracle, datetime], promised: timedelta, later: timedelta
    ) -> None:
        calendar, _, start = drawn
        assert calendar.add(start, promised) <= calendar.add(start + later, promised)
        assert calendar.next_open(start) <= calendar.next_open(start + later)

    @laws
    @given(calendars(), st.integers(0, 6), durations)
    def test_a_later_start_is_never_due_earlier_in_support_days(
        self, drawn: tuple[SupportHours, Oracle, datetime], days: int, later: timedelta
    ) -> None:
        calendar, _, start = drawn
        # In an hour that the clock shows twice both passes are the same time of day.
        local = calendar.next_open(start + later).astimezone(calendar.zone)
        assume(not local.fold)
        assert calendar.add_days(start, days) <= calendar.add_days(start + later, days)

    @laws
    @given(calendars(), durations)
    def test_segments_are_the_time_that_counts(
        self, drawn: tuple[SupportHours, Oracle, datetime], span: timedelta
    ) -> None:
        calendar, _, start = drawn
        segments = calendar.segments(start, start + span)
        assert sum((one.duration for one in segments), timedelta()) == calendar.elapsed(
            start, start + span
        )
        assert all(one.ends_at <= two.starts_at for one, two in pairwise(segments))
        for one in segments:
            assert one.duration > timedelta()
            for instant in (one.starts_at, one.ends_at - MICROSECOND):
                assert calendar.is_open(instant)
                assert instant.astimezone(calendar.zone).date() == one.on
        explained = calendar.explain(start, start + span)
        assert not {one.on for one in explained.counted} & {day.on for day in explained.skipped}

    @walks
    @given(calendars(), few_minutes, pauses_near)
    def test_a_deadline_is_what_walking_minute_by_minute_gives(
        self,
        drawn: tuple[SupportHours, Oracle, datetime],
        minutes: int,
        paused: list[tuple[int, int]],
    ) -> None:
        calendar, oracle, start = drawn
        pauses = [(start + begin * MINUTE, start + (begin + n) * MINUTE) for begin, n in paused]
        due = oracle.add(start, minutes, pauses)
        assert calendar.add(start, minutes * MINUTE, pauses=pauses) == due

    @walks
    @given(calendars(), st.integers(0, 5 * 24 * 60), pauses_near)
    def test_elapsed_time_is_what_walking_minute_by_minute_gives(
        self,
        drawn: tuple[SupportHours, Oracle, datetime],
        minutes: int,
        paused: list[tuple[int, int]],
    ) -> None:
        calendar, oracle, start = drawn
        end = start + minutes * MINUTE
        pauses = [(start + begin * MINUTE, start + (begin + n) * MINUTE) for begin, n in paused]
        assert calendar.elapsed(start, end, pauses=pauses) == oracle.elapsed(start, end, pauses)
        assert calendar.is_open(end) == oracle.counts(end)

    @walks
    @given(calendars())
    def test_the_next_opening_and_close_are_what_walking_gives(
        self, drawn: tuple[SupportHours, Oracle, datetime]
    ) -> None:
        calendar, oracle, start = drawn
        opens = oracle.add(start, 0)
        assert calendar.next_open(start) == opens
        closes = calendar.next_close(start)
        if closes is None:
            assert all(oracle.counts(opens + day * 24 * HOUR) for day in range(30))
        else:
            assert oracle.elapsed(opens, closes) == closes - opens
            assert not oracle.counts(closes)


def test_many_threads_may_read_one_calendar() -> None:
    calendar, start = a_calendar(), at("2026-01-02T00:00Z")
    ends = [start + timedelta(days=n) for n in range(300)]

    def read(_: int) -> list[timedelta]:
        return [calendar.elapsed(start, end) for end in ends]

    with ThreadPoolExecutor(8) as readers:
        answers = list(readers.map(read, range(8)))
    assert answers == [[a_calendar().elapsed(start, end) for end in ends]] * 8


def test_a_calendar_keeps_the_week_it_was_given() -> None:
    week = {day: list(texts) for day, texts in NINE_TO_FIVE.items()}
    days_off = {date(2026, 12, 25): "Christmas Day"}
    calendar = a_calendar(week=week, days_off=days_off)
    week["mon"].clear()
    days_off[date(2026, 3, 3)] = "a change of mind"
    assert calendar.is_open(at("2026-03-02T10:00Z"))
    assert calendar.is_open(at("2026-03-03T10:00Z"))
