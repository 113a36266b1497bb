"""Support hours as they are written down: intervals of a local day, seven days to a week.

Everything here is wall-clock time without a date; ``hours`` puts it on the calendar.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import TypeVar

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""Keys of a week, Monday first, as ``date.weekday`` counts."""

WEEKDAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

DayKey = TypeVar("DayKey", bound=str)

_DAY = timedelta(days=1)
_INTERVAL = re.compile(r"\s*(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})\s*", re.ASCII)
_LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """Part of a local day, [opens, closes), as time on the wall clock since its midnight.

    ``closes`` may be 24 h. Raises ``ValueError`` unless 0 <= opens < closes <= 24 h; what runs
    over midnight is written as two days.
    """

    opens: timedelta
    closes: timedelta

    def __post_init__(self) -> None:
        if self.opens < timedelta() or self.closes > _DAY:
            raise ValueError(f"{self} does not lie within one day, 00:00 to 24:00")
        if self.closes == self.opens:
            raise ValueError(f"{self} is empty: it ends when it begins")
        if self.closes < self.opens:
            opens, closes = _clock_text(self.opens), _clock_text(self.closes)
            raise ValueError(
                f"{self} ends before it begins; write hours over midnight on two days: "
                f"{opens}-24:00 on the first and 00:00-{closes} on the next"
            )

    def __str__(self) -> str:
        return f"{_clock_text(self.opens)}-{_clock_text(self.closes)}"


def parse_interval(text: str) -> Interval:
    """Return the interval written as ``HH:MM-HH:MM``; ``24:00`` ends a day.

    Raises ``ValueError`` with a sentence that says what was wrong and what is allowed.
    """
    match = _INTERVAL.fullmatch(text)
    if match is None:
        shown = repr(text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…")
        raise ValueError(f'{shown} is no interval; write it as HH:MM-HH:MM, such as "09:00-17:00"')
    opens_hour, opens_minute, closes_hour, closes_minute = map(int, match.groups())
    return Interval(_clock(opens_hour, opens_minute), _clock(closes_hour, closes_minute))


def check_day(intervals: Sequence[Interval]) -> tuple[Interval, ...]:
    """Return one day's intervals in order; raises ``ValueError`` if two of them overlap.

    Intervals may touch; the gap between two is a break.
    """
    ordered = tuple(sorted(intervals))
    for earlier, later in pairwise(ordered):
        if later.opens < earlier.closes:
            raise ValueError(f"{earlier} and {later} overlap")
    return ordered


def parse_week(week: Mapping[DayKey, Sequence[str]]) -> dict[str, tuple[Interval, ...]]:
    """Return a written week (``{"mon": ["09:00-17:00"], ...}``) as intervals per weekday.

    Days that are not named have no support hours. Raises ``ValueError`` that names the day.
    """
    parsed: dict[str, tuple[Interval, ...]] = {}
    for day, texts in week.items():
        check_weekday(day)
        try:
            parsed[day] = check_day([parse_interval(text) for text in texts])
        except ValueError as error:
            raise ValueError(f"{day}: {error}") from error
    return parsed


def check_weekday(day: str) -> None:
    """Raise ``ValueError`` unless ``day`` is one of ``WEEKDAYS``."""
    if day not in WEEKDAYS:
        raise ValueError(f"{day!r} is no day of the week; allowed are {', '.join(WEEKDAYS)}")


def _clock(hour: int, minute: int) -> timedelta:
    if minute > 59 or hour > 24 or (hour == 24 and minute):
        raise ValueError(f"{hour:02}:{minute:02} is no time of day; allowed are 00:00 to 24:00")
    return timedelta(hours=hour, minutes=minute)


def _clock_text(clock: timedelta) -> str:
    minutes, seconds = divmod(int(clock.total_seconds()), 60)
    text = f"{minutes // 60:02}:{minutes % 60:02}"
    return f"{text}:{seconds:02}" if seconds else text
