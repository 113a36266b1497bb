"""Two versions of a calendar compared, and what a comparison is stored as."""

from __future__ import annotations

import json
from datetime import date

import pytest

from tickets.holidays import build_support_hours
from tickets.rules.calendar import (
    CalendarDays,
    DayChange,
    WeekChange,
    compare,
    days_of,
    list_runs,
    read_change,
)
from tickets.settings.support import ClosureSettings, SupportSettings

WEEK = {"mon": ("09:00-17:00",), "tue": ("09:00-17:00",)}
MAY_DAY = date(2026, 5, 4)


def days(
    named: dict[date, str] | None = None,
    *,
    week: dict[str, tuple[str, ...]] = WEEK,
    years: tuple[int, int] = (2024, 2032),
) -> CalendarDays:
    first, last = date(years[0], 1, 1), date(years[1], 12, 31)
    return CalendarDays(first=first, last=last, week=week, days=named or {})


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        ({}, {MAY_DAY: "May Day"}, "added"),
        ({MAY_DAY: "May Day"}, {}, "removed"),
        ({MAY_DAY: "May Day"}, {MAY_DAY: "Early May bank holiday"}, "renamed"),
    ],
)
def test_a_day_is_added_removed_or_renamed(
    before: dict[date, str], after: dict[date, str], word: str
) -> None:
    change = compare(days(before), days(after))
    assert [(day.on, day.word) for day in change.days] == [(MAY_DAY, word)]
    assert days(before).digest != days(after).digest


def test_equal_calendars_differ_in_nothing() -> None:
    assert not compare(days({MAY_DAY: "May Day"}), days({MAY_DAY: "May Day"}))


def test_years_that_only_one_of_them_knows_are_no_change() -> None:
    later = {date(2033, 5, 2): "May Day"}
    assert not compare(days(), days(later, years=(2025, 2033)))


def test_hours_of_the_week() -> None:
    change = compare(days(), days(week={"mon": ("10:00-12:00",), "sat": ("10:00-12:00",)}))
    assert change.week == (
        WeekChange(day="mon", before=("09:00-17:00",), after=("10:00-12:00",)),
        WeekChange(day="tue", before=("09:00-17:00",), after=()),
        WeekChange(day="sat", before=(), after=("10:00-12:00",)),
    )


def test_a_change_is_read_as_it_was_written() -> None:
    change = compare(
        days({MAY_DAY: "May Day"}), days({date(2026, 5, 5): "x"}, week={"fri": ("09:00-12:00",)})
    )
    assert read_change(json.loads(json.dumps(change.document()))) == change
    assert not read_change({})


def test_dates_in_a_row_that_change_alike_are_one_run() -> None:
    closed = ClosureSettings.model_validate(
        {"name": "Summer", "from": "2026-08-03", "to": "2026-08-07"}
    )
    before, after = (
        days_of(
            build_support_hours(
                SupportSettings(closures=closures), "Europe/London", first_year=2026, last_year=2026
            )
        )
        for closures in ((), (closed,))
    )
    [(first, last)] = list_runs(compare(before, after).days)
    assert (first.on, last.on, first.after) == (
        date(2026, 8, 3),
        date(2026, 8, 7),
        "Summer closure",
    )


def test_other_names_or_gaps_end_a_run() -> None:
    found = [
        DayChange(on=date(2026, 8, day), before=None, after=name)
        for day, name in ((3, "a"), (4, "b"), (6, "b"))
    ]
    assert len(list_runs(found)) == 3
