"""Public holidays, closures, and the calendar that they make with the settings."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from tests.unit.calendars import HOUR, at, shipped_calendar
from tickets.holidays import build_support_hours, calendar_years, public_holidays
from tickets.rules.closure import parse_closure
from tickets.rules.hours import OutOfReach, SupportHours
from tickets.settings.support import SupportSettings


def a_calendar(
    first_year: int = 2026, last_year: int = 2027, zone: str = "Europe/London", **support: Any
) -> SupportHours:
    """Build a calendar without holidays and closures unless ``support`` has some."""
    bare: dict[str, Any] = {"holidays": {"country": "none"}, "closures": []}
    settings = SupportSettings.model_validate(bare | support)
    return build_support_hours(settings, zone, first_year=first_year, last_year=last_year)


class TestPublicHolidays:
    def test_england_in_2026(self) -> None:
        assert public_holidays("GB", "ENG", [2026]) == {
            date(2026, 1, 1): "New Year's Day",
            date(2026, 4, 3): "Good Friday",
            date(2026, 4, 6): "Easter Monday",
            date(2026, 5, 4): "May Day",
            date(2026, 5, 25): "Spring Bank Holiday",
            date(2026, 8, 31): "Late Summer Bank Holiday",
            date(2026, 12, 25): "Christmas Day",
            date(2026, 12, 26): "Boxing Day",
            date(2026, 12, 28): "Boxing Day (observed)",
        }

    def test_substitute_days(self) -> None:
        found = public_holidays("GB", "ENG", [2027, 2028])
        assert {date(2027, 12, 27), date(2027, 12, 28), date(2028, 1, 3)} <= found.keys()

    def test_only_the_years_asked_for(self) -> None:
        assert {on.year for on in public_holidays("GB", "ENG", range(2024, 2027))} == {
            2024,
            2025,
            2026,
        }

    def test_scotland_is_not_england(self) -> None:
        assert date(2026, 11, 30) in public_holidays("GB", "SCT", [2026])
        assert date(2026, 4, 6) not in public_holidays("GB", "SCT", [2026])

    def test_names_are_english_where_there_are_english_ones(self) -> None:
        assert public_holidays("DE", "BY", [2026])[date(2026, 10, 3)] == "German Unity Day"

    @pytest.mark.parametrize("code", ["gb", "GBR", " GB "])
    def test_codes_are_understood_as_people_write_them(self, code: str) -> None:
        assert len(public_holidays(code, "ENG", [2026])) == 9

    @pytest.mark.parametrize(
        ("country", "subdivision", "says"),
        [
            ("ZZ", None, "'ZZ' is no country with known holidays; allowed are codes such as GB"),
            ("GBX", None, "'GBX' is no country with known holidays; did you mean GB?"),
            ("Untied Kingdom", None, "did you mean GB (United Kingdom)?"),
            ("GB", "ENGL", "'ENGL' is no subdivision of GB; allowed are ENG, NIR, SCT, WLS"),
            ("AD", "X", "'X' is no subdivision of AD"),
            ("GB", None, "holidays of GB need a subdivision, one of ENG, NIR, SCT, WLS"),
        ],
    )
    def test_what_is_not_known_is_refused(
        self, country: str, subdivision: str | None, says: str
    ) -> None:
        with pytest.raises(ValueError, match=re.escape(says)):
            public_holidays(country, subdivision, [2026])

    def test_years_without_data_are_refused_and_not_taken_for_free_of_holidays(self) -> None:
        with pytest.raises(ValueError, match="known from 1872 to 2100, not for 2150"):
            public_holidays("GB", "ENG", [2026, 2150])


class TestClosures:
    @pytest.mark.parametrize(
        ("start", "end", "first", "last", "count"),
        [
            ("12-24", "01-01", date(2026, 1, 1), date(2027, 12, 31), 1 + 9 + 8),
            ("08-03", "08-07", date(2026, 8, 3), date(2027, 8, 7), 10),
            ("2026-08-03", "2026-08-07", date(2026, 8, 3), date(2026, 8, 7), 5),
            ("2026-12-30", "2027-01-02", date(2026, 12, 30), date(2027, 1, 2), 4),
            ("2025-12-30", "2026-01-02", date(2026, 1, 1), date(2026, 1, 2), 2),
            ("08-03", "08-03", date(2026, 8, 3), date(2027, 8, 3), 2),
            ("02-29", "03-01", date(2026, 3, 1), date(2027, 3, 1), 2),
            ("02-27", "02-29", date(2026, 2, 27), date(2027, 2, 28), 4),
        ],
    )
    def test_dates(self, start: str, end: str, first: date, last: date, count: int) -> None:
        found = list(parse_closure("Away", start, end).dates(2026, 2027))
        assert (found[0], found[-1], len(found)) == (first, last, count)

    def test_a_leap_year_has_its_leap_day(self) -> None:
        assert list(parse_closure("Away", "02-29", "02-29").dates(2028, 2028)) == [
            date(2028, 2, 29)
        ]

    @pytest.mark.parametrize(
        ("start", "end", "says"),
        [
            ("12-24", "2027-01-01", "write both as MM-DD (every year) or both as YYYY-MM-DD"),
            ("2026-12-24", "2026-12-23", "'Away' ends on 2026-12-23, before it begins on"),
            ("02-30", "03-01", "02-30 is no date in the calendar"),
            ("2026-13-01", "2026-13-02", "2026-13-01 is no date in the calendar"),
            ("Christmas", "01-01", "'Christmas' is no date; write MM-DD for every year"),
            ("20261224", "20261225", "'20261224' is no date"),
        ],
    )
    def test_what_is_no_closure_is_refused(self, start: str, end: str, says: str) -> None:
        with pytest.raises(ValueError, match=re.escape(says)):
            parse_closure("Away", start, end)

    @pytest.mark.parametrize(
        ("name", "why"),
        [("Christmas", "Christmas closure"), ("Office closed", "Office closed")],
    )
    def test_it_says_that_it_is_one(self, name: str, why: str) -> None:
        assert parse_closure(name, "12-24", "12-31").why == why


class TestCalendar:
    def test_a_holidays_name_comes_before_a_closures(self) -> None:
        days_off = shipped_calendar().days_off
        assert days_off[date(2026, 12, 24)] == "Christmas closure"
        assert days_off[date(2026, 12, 25)] == "Christmas Day"
        assert days_off[date(2027, 1, 1)] == "New Year's Day"

    def test_the_first_of_two_closures_names_a_date(self) -> None:
        calendar = a_calendar(
            closures=[
                {"name": "Move", "from": "2026-08-03", "to": "2026-08-04"},
                {"name": "Summer", "from": "08-01", "to": "08-07"},
            ]
        )
        assert calendar.day(date(2026, 8, 3)).why_closed == "Move closure"
        assert calendar.day(date(2026, 8, 5)).why_closed == "Summer closure"

    def test_holidays_are_added_and_removed(self) -> None:
        calendar = a_calendar(
            holidays={
                "country": "GB",
                "subdivision": "ENG",
                "add": [{"date": "2026-06-15", "name": "Jubilee"}],
                "remove": ["2026-05-04"],
            }
        )
        assert calendar.day(date(2026, 6, 15)).why_closed == "Jubilee"
        assert calendar.is_open(at("2026-05-04T10:00Z"))
        assert not calendar.is_open(at("2026-05-25T10:00Z"))

    def test_removing_what_is_no_holiday_is_refused(self) -> None:
        with pytest.raises(
            ValueError, match="2026-05-05 cannot be removed: it is no public holiday"
        ):
            a_calendar(holidays={"country": "GB", "remove": ["2026-05-05"]})

    def test_lines_about_years_that_are_not_asked_for_do_no_harm(self) -> None:
        calendar = a_calendar(
            holidays={
                "country": "GB",
                "add": [{"date": "2022-06-03", "name": "Jubilee"}],
                "remove": ["2022-05-05"],
            }
        )
        assert all(on.year in (2026, 2027) for on in calendar.days_off)

    def test_without_a_country_only_the_week_counts(self) -> None:
        assert a_calendar().is_open(at("2026-12-25T10:00Z"))

    def test_a_subdivision_needs_its_country(self) -> None:
        with pytest.raises(ValueError, match="'ENG' is given without a country"):
            a_calendar(holidays={"country": "none", "subdivision": "ENG"})

    def test_the_zone_is_that_of_the_agency(self) -> None:
        calendar = a_calendar(zone="America/New_York")
        assert calendar.next_open(at("2026-03-03T10:00Z")) == at("2026-03-03T14:00Z")

    def test_an_unknown_zone_is_refused(self) -> None:
        with pytest.raises(ValueError, match="'Europe/Londn' is no time zone"):
            a_calendar(zone="Europe/Londn")

    @pytest.mark.parametrize("instant", ["2025-12-31T10:00Z", "2028-01-01T10:00Z"])
    def test_years_without_known_holidays_are_never_guessed(self, instant: str) -> None:
        with pytest.raises(OutOfReach, match="which knows 2026-01-01 to 2027-12-31"):
            a_calendar().add(at(instant), HOUR)

    def test_a_deadline_does_not_run_past_the_known_years(self) -> None:
        with pytest.raises(OutOfReach):
            a_calendar(last_year=2026).add(at("2026-12-31T16:30Z"), HOUR)

    def test_the_years_around_today(self) -> None:
        assert calendar_years(date(2026, 3, 9)) == (2024, 2032)

    def test_overlapping_hours_never_reach_the_calendar(self) -> None:
        with pytest.raises(ValidationError, match=r"09:00-13:00 and 12:00-17:00 overlap"):
            a_calendar(hours={"mon": ["09:00-13:00", "12:00-17:00"]})
