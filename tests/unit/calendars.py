"""Calendars for tests of the promise clock, and an oracle that walks them minute by minute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from tickets.holidays import build_support_hours
from tickets.rules.hours import WEEKDAYS, Interval, Pause, SupportHours, parse_interval, parse_week
from tickets.settings.support import SupportSettings

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
NINE_TO_FIVE: Mapping[str, Sequence[str]] = dict.fromkeys(WEEKDAYS[:5], ("09:00-17:00",))
ROUND_THE_CLOCK: Mapping[str, Sequence[str]] = dict.fromkeys(WEEKDAYS, ("00:00-24:00",))


def at(text: str) -> datetime:
    """Return the instant written as ISO 8601 with an offset."""
    return datetime.fromisoformat(text).astimezone(UTC)


def a_calendar(
    zone: str = "Europe/London",
    week: Mapping[str, Sequence[str]] = NINE_TO_FIVE,
    *,
    days_off: Mapping[date, str] | None = None,
    overrides: Mapping[date, Sequence[str]] | None = None,
    first: date = date(2000, 1, 1),
    last: date = date(2039, 12, 31),
) -> SupportHours:
    return SupportHours(
        ZoneInfo(zone),
        parse_week(week),
        days_off=days_off,
        overrides={
            on: [parse_interval(text) for text in texts] for on, texts in (overrides or {}).items()
        },
        first=first,
        last=last,
    )


@cache
def shipped_calendar() -> SupportHours:
    """Return the calendar of the configuration as shipped: London, 9 to 5, England, Christmas."""
    return build_support_hours(SupportSettings(), "Europe/London", first_year=2024, last_year=2032)


@dataclass(frozen=True, kw_only=True)
class Oracle:
    """Support time as the definition says it, one minute at a time; slow and plain.

    A minute counts if the wall clock in ``zone`` shows a time within an interval of the date that
    it shows, unless the date is off or the minute lies in a pause.
    """

    zone: ZoneInfo
    week: Sequence[Sequence[Interval]]
    days_off: frozenset[date] = frozenset()
    overrides: Mapping[date, Sequence[Interval]] = field(default_factory=dict)

    def counts(self, minute: datetime, pauses: Sequence[Pause] = ()) -> bool:
        local = minute.astimezone(self.zone)
        on = local.date()
        if on in self.overrides:
            intervals = self.overrides[on]
        else:
            intervals = () if on in self.days_off else self.week[on.weekday()]
        clock = timedelta(hours=local.hour, minutes=local.minute)
        return any(interval.opens <= clock < interval.closes for interval in intervals) and not any(
            start <= minute < end for start, end in pauses
        )

    def minutes(self, start: datetime) -> Iterator[datetime]:
        minute = start
        while True:
            yield minute
            minute += MINUTE

    def add(self, start: datetime, count: int, pauses: Sequence[Pause] = ()) -> datetime:
        left = count
        for minute in self.minutes(start):
            if self.counts(minute, pauses):
                if not count:
                    return minute
                left -= 1
                if not left:
                    return minute + MINUTE
        raise AssertionError

    def elapsed(self, start: datetime, end: datetime, pauses: Sequence[Pause] = ()) -> timedelta:
        counted = 0
        for minute in self.minutes(start):
            if minute >= end:
                break
            counted += self.counts(minute, pauses)
        return counted * MINUTE
