"""A month of local dates, and from when to when it lasts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.rules.reading import day_start

_TEXT = re.compile(r"([1-9]\d{3})-(\d{2})", re.ASCII)
_ONE_DAY = timedelta(days=1)
_LONGER_THAN_ANY = timedelta(days=32)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month of the calendar; ``first`` is its first date, and texts read ``2026-03``."""

    first: date

    def __post_init__(self) -> None:
        if self.first.day != 1:
            raise ValueError(f"{self.first} is not the first of a month")

    def __str__(self) -> str:
        return f"{self.first.year:04}-{self.first.month:02}"

    @property
    def next(self) -> Month:
        """The month after this one."""
        return month_of(self.first + _LONGER_THAN_ANY)

    @property
    def previous(self) -> Month:
        """The month before this one."""
        return month_of(self.first - _ONE_DAY)

    @property
    def last(self) -> date:
        """Its last date."""
        return self.next.first - _ONE_DAY

    def start(self, zone: ZoneInfo) -> datetime:
        """Return when it begins in ``zone``: where the day bucket of its first date does (UTC)."""
        return day_start(self.first, zone)

    def end(self, zone: ZoneInfo) -> datetime:
        """Return when it ends in ``zone``, which is when the next one begins (UTC)."""
        return self.next.start(zone)

    def dates(self) -> Iterator[date]:
        """Yield its dates in order."""
        on = self.first
        while on <= self.last:
            yield on
            on += _ONE_DAY


def month_of(on: date) -> Month:
    """Return the month in which the date ``on`` lies."""
    return Month(on.replace(day=1))


def parse_month(text: str) -> Month:
    """Return the month that ``text`` names as ``2026-03``; raises ``ValueError``."""
    found = _TEXT.fullmatch(text)
    if found is None or not 1 <= int(found[2]) <= 12:
        raise ValueError("a month is written YYYY-MM, such as 2026-03")
    return Month(date(int(found[1]), int(found[2]), 1))
