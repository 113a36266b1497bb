"""Closures: named dates on which the agency is closed, every year or once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

_LEAP_YEAR = 2000
_ONE_DAY = timedelta(days=1)
_MONTH_DAY = re.compile(r"(\d{2})-(\d{2})", re.ASCII)
_FULL_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """Local dates from ``start`` to ``end`` without support hours, both ends included.

    A yearly one keeps its month and day in a leap year and may run over New Year; 29 February
    means 1 March as a start and 28 February as an end where there is none.
    """

    name: str
    start: date
    end: date
    is_yearly: bool

    @property
    def why(self) -> str:
        """What is said of its dates: ``Christmas closure``."""
        return self.name if "clos" in self.name.casefold() else f"{self.name} closure"

    def dates(self, first_year: int, last_year: int) -> Iterator[date]:
        """Yield its dates within the years given, in order."""
        first, last = date(first_year, 1, 1), date(last_year, 12, 31)
        for start, end in self._ranges(first_year, last_year):
            on = max(start, first)
            while on <= min(end, last):
                yield on
                on += _ONE_DAY

    def _ranges(self, first_year: int, last_year: int) -> Iterator[tuple[date, date]]:
        if not self.is_yearly:
            yield self.start, self.end
            return
        over_new_year = self.end < self.start
        for year in range(first_year - over_new_year, last_year + 1):
            end_year = year + over_new_year
            yield (
                _in_year(self.start, year, leap_day=date(year, 3, 1)),
                _in_year(self.end, end_year, leap_day=date(end_year, 2, 28)),
            )


def parse_closure(name: str, start: str, end: str) -> Closure:
    """Return the closure from ``start`` to ``end``, both ``MM-DD`` or both ``YYYY-MM-DD``.

    Raises ``ValueError`` if one is no date, the two differ in form, or a dated one ends before it
    begins; a yearly one that does runs over New Year.
    """
    start_on, start_is_yearly = _parse_date(name, start)
    end_on, end_is_yearly = _parse_date(name, end)
    if start_is_yearly != end_is_yearly:
        raise ValueError(
            f"closure {name!r} runs from {start} to {end}; write both as MM-DD (every year) "
            "or both as YYYY-MM-DD"
        )
    if not start_is_yearly and end_on < start_on:
        raise ValueError(f"closure {name!r} ends on {end}, before it begins on {start}")
    return Closure(name=name, start=start_on, end=end_on, is_yearly=start_is_yearly)


def _parse_date(name: str, text: str) -> tuple[date, bool]:
    """Return a date of a closure, and whether it comes every year."""
    try:
        if yearly := _MONTH_DAY.fullmatch(text):
            return date(_LEAP_YEAR, int(yearly[1]), int(yearly[2])), True
        if _FULL_DATE.fullmatch(text):
            return date.fromisoformat(text), False
    except ValueError as error:
        raise ValueError(f"closure {name!r}: {text} is no date in the calendar") from error
    raise ValueError(
        f"closure {name!r}: {text!r} is no date; "
        "write MM-DD for every year or YYYY-MM-DD for one year"
    )


def _in_year(month_day: date, year: int, *, leap_day: date) -> date:
    try:
        return month_day.replace(year=year)
    except ValueError:  # 29 February
        return leap_day


def name_days_off(days_off: Mapping[date, str], first: date, last: date) -> str:
    """Return why the local dates from ``first`` to ``last`` are days off: ``Christmas closure``.

    Holidays within a closure go without saying; several names are listed. Empty if none is off.
    """
    names = dict.fromkeys(
        days_off[on]
        for on in (first + ahead * _ONE_DAY for ahead in range((last - first).days + 1))
        if on in days_off
    )
    closures = [name for name in names if "clos" in name.casefold()]
    return ", ".join(closures or names)
