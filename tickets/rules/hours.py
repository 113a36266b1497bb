"""Support hours: when the response clock runs, and arithmetic on it.

Windows are [open, close) on the wall clock of one zone; all arithmetic is on UTC, exact to the
microsecond, so hours that the clock shows twice count twice and hours that it skips do not count.
A deadline lies in (open, close]: what is used up exactly at closing time is due at closing time
(decision 6). Nothing here reads a clock or a setting; ``tickets.holidays`` builds the calendar.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from tickets.rules.interval import (
    WEEKDAY_NAMES,
    WEEKDAYS,
    Interval,
    check_day,
    check_weekday,
    parse_interval,
    parse_week,
)
from tickets.rules.localtime import instant_at, instant_of, micros_in, micros_of, windows_of
from tickets.rules.timeline import REACH, Timeline, Window

__all__ = [
    "WEEKDAYS",
    "Counted",
    "Explanation",
    "Interval",
    "OutOfReach",
    "Pause",
    "Segment",
    "SkippedDay",
    "SupportDay",
    "SupportHours",
    "check_day",
    "parse_interval",
    "parse_week",
]

Pause = tuple[datetime, datetime]
"""A stretch of time, [from, to), in which the clock stands still."""

_FIRST_DATE = date(1970, 1, 1)
_LAST_DATE = date(2199, 12, 31)
_REACH = timedelta(microseconds=REACH)
_ONE_DAY = timedelta(days=1)


class OutOfReach(ValueError):
    """The answer lies beyond the dates that the calendar knows, or more than five years away."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Uninterrupted support time on the local date ``on``, [starts_at, ends_at) in UTC."""

    on: date
    starts_at: datetime
    ends_at: datetime

    @property
    def duration(self) -> timedelta:
        """How long it is."""
        return self.ends_at - self.starts_at


@dataclass(frozen=True, slots=True)
class Counted(Segment):
    """A segment that counted, and what had been counted by its end."""

    total: timedelta


@dataclass(frozen=True, slots=True)
class SkippedDay:
    """A local date without support time, and why: "Saturday", "Christmas Day"."""

    on: date
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What counted between two instants, and the dates between them that did not, in order."""

    counted: tuple[Counted, ...]
    skipped: tuple[SkippedDay, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportDay:
    """A local date on the calendar: its hours on the wall clock, or why it has none."""

    on: date
    intervals: tuple[Interval, ...]
    why_closed: str | None


class SupportHours:
    """A calendar of support time in one zone; immutable, and safe to share between threads.

    ``week`` gives each day's intervals under the keys ``mon`` to ``sun``; a day that is missing has
    none. ``days_off`` names holidays and closures by local date; ``overrides`` replaces the hours
    of single dates and outranks both. The calendar knows the dates ``first`` to ``last`` and
    refuses to answer beyond them, so that a holiday that it has not heard of is never counted as
    a support day.

    Raises ``ValueError`` for a week without hours, an unknown day or overlapping intervals. Every
    method raises ``ValueError`` for an instant without a zone and ``OutOfReach`` where no answer
    would be right.
    """

    def __init__(
        self,
        zone: ZoneInfo,
        week: Mapping[str, Sequence[Interval]],
        *,
        days_off: Mapping[date, str] | None = None,
        overrides: Mapping[date, Sequence[Interval]] | None = None,
        first: date = _FIRST_DATE,
        last: date = _LAST_DATE,
    ) -> None:
        for day in week:
            check_weekday(day)
        self._week = tuple(check_day(week.get(day, ())) for day in WEEKDAYS)
        self.week = MappingProxyType(dict(zip(WEEKDAYS, self._week, strict=True)))
        if not any(self._week):
            raise ValueError("the week has no support hours; give at least one day an interval")
        if not _FIRST_DATE <= first <= last <= _LAST_DATE:
            raise ValueError(
                f"the calendar cannot run from {first} to {last}; "
                f"allowed are dates in order from {_FIRST_DATE} to {_LAST_DATE}"
            )
        self.zone = zone
        self.first, self.last = first, last
        self.days_off = MappingProxyType(dict(days_off or {}))
        self._overrides = {on: check_day(day) for on, day in (overrides or {}).items()}
        self._timeline = Timeline(
            self._windows_on, start=_midnight(first, zone), end=_midnight(last + _ONE_DAY, zone)
        )
        # Filled on demand. Two threads may compute the same entry; both compute the same value.
        self._windows: dict[date, tuple[Window, ...]] = {}

    def __repr__(self) -> str:
        return f"SupportHours({self.zone}, {self.first} to {self.last})"

    def day(self, on: date) -> SupportDay:
        """Return what the calendar says about the local date ``on``."""
        if not self.first <= on <= self.last:
            raise OutOfReach(f"{on} lies beyond the calendar, which knows {self._span()}")
        intervals = self._intervals(on)
        return SupportDay(
            on=on, intervals=intervals, why_closed=None if intervals else self._why_closed(on)
        )

    def is_open(self, at: datetime) -> bool:
        """Tell whether support time is running at ``at``; at closing time it is not."""
        return self._timeline.is_open(self._known(at))

    def next_open(self, at: datetime) -> datetime:
        """Return the first instant at or after ``at`` at which support is open."""
        found = self._timeline.next_open(self._known(at))
        if found is None:
            raise self._out_of_reach(at, "support does not open")
        return instant_at(found)

    def next_close(self, at: datetime) -> datetime | None:
        """Return the first instant after ``at`` at which support closes.

        Out of hours that is the end of the next window. None if support stays open for as far as
        the calendar reaches, as it does around the clock.
        """
        found = self._timeline.next_close(self._known(self.next_open(at)))
        return None if found is None else instant_at(found)

    def add(
        self, start: datetime, duration: timedelta, *, pauses: Iterable[Pause] = ()
    ) -> datetime:
        """Return the earliest instant at which ``duration`` of support time has passed.

        The result lies in (open, close]; for a duration of zero it is the next open instant. Time
        within ``pauses`` does not count; they may overlap and come in any order. Raises
        ``ValueError`` if ``duration`` is negative.
        """
        wanted = micros_in(duration)
        if wanted < 0:
            raise ValueError(f"cannot count {duration} of support time; it must not be negative")
        cursor = self._known(start)
        for pause_start, pause_end in _joined(pauses):
            if pause_end <= cursor:
                continue
            if pause_start > cursor:
                until = min(pause_start, self._timeline.limit(cursor))
                counted = self._timeline.counted(cursor, until)
                if counted >= max(wanted, 1):
                    break
                wanted -= counted
            cursor = pause_end
        if not wanted:
            return self.next_open(instant_at(cursor))
        reached = self._timeline.advance(cursor, wanted)
        if reached is None:
            raise self._out_of_reach(start, f"{duration} of support time does not pass")
        return instant_at(reached)

    def add_days(self, start: datetime, days: int) -> datetime:
        """Return the instant ``days`` support days after ``start``: the same local time of day.

        A start out of hours counts from the next opening. Counted from the first opening of a day,
        that day is itself the first support day, and the last one ends at its close. If that time
        of day is not in (open, close] on the last day, the result is the closing time before it,
        which may be that of an earlier day. Zero days give the next open instant. Where the clock
        shows an hour twice, both passes are the same time of day.

        Raises ``ValueError`` if ``days`` is negative.
        """
        if days < 0:
            raise ValueError(f"cannot count {days} support days; the number must not be negative")
        opening = self.next_open(start)
        if not days:
            return opening
        local = opening.astimezone(self.zone)
        on = local.date()
        if self._windows_on(on)[0][0] == micros_of(opening):
            return instant_at(self._windows_on(self._support_day(on, days - 1))[-1][1])
        target = self._support_day(on, days)
        wall = datetime.combine(target, local.time().replace(fold=0))
        due = micros_of(instant_of(wall, self.zone))
        closing = self._windows_on(self._support_day(on, days - 1))[-1][1]
        for opens, closes in self._windows_on(target):
            if opens < due:
                closing = min(due, closes)
        return instant_at(closing)

    def whole_days(self, start: datetime, end: datetime) -> tuple[int, datetime]:
        """Return how many support days fit from ``start`` to ``end``, and where they end.

        Without a whole day that is 0 and ``start``.
        """
        low, high = self._known(start), self._known(end)
        most = sum(1 for on in self._dates(low, high) if self._windows_on(on))
        for days in range(most, 0, -1):  # fits at the second try, if it fits at all
            reached = self.add_days(start, days)
            if reached <= end:
                return days, reached
        return 0, start

    def elapsed(self, start: datetime, end: datetime, *, pauses: Iterable[Pause] = ()) -> timedelta:
        """Return the support time from ``start`` to ``end`` outside ``pauses``.

        Zero if ``end`` is not after ``start``. Costs about the same for an hour and for a year.
        """
        low, high = self._known(start), self._known(end)
        if high <= low:
            return timedelta()
        counted = self._timeline.counted(low, high)
        for pause_start, pause_end in _joined(pauses):
            paused_from, paused_to = max(low, pause_start), min(high, pause_end)
            if paused_from < paused_to:
                counted -= self._timeline.counted(paused_from, paused_to)
        return timedelta(microseconds=counted)

    def segments(self, start: datetime, end: datetime) -> tuple[Segment, ...]:
        """Return the support time from ``start`` to ``end`` as segments by local date, in order."""
        low, high = self._known(start), self._known(end)
        found = sorted(
            (max(low, opens), min(high, closes), on)
            for on in self._dates(low, high, margin=1)
            for opens, closes in self._windows_on(on)
            if opens < high and closes > low
        )
        return tuple(
            Segment(on, instant_at(opens), instant_at(closes)) for opens, closes, on in found
        )

    def explain(self, start: datetime, end: datetime) -> Explanation:
        """Return which support time counted from ``start`` to ``end``, and which dates did not.

        A date is skipped if it has no support time at all; that on which support had closed when
        ``start`` came is neither counted nor skipped.
        """
        counted: list[Counted] = []
        total = timedelta()
        for segment in self.segments(start, end):
            total += segment.duration
            counted.append(Counted(segment.on, segment.starts_at, segment.ends_at, total))
        skipped = [
            SkippedDay(on, self._why_closed(on))
            for on in self._dates(micros_of(start), micros_of(end))
            if not self._windows_on(on)
        ]
        return Explanation(counted=tuple(counted), skipped=tuple(skipped))

    def _intervals(self, on: date) -> tuple[Interval, ...]:
        override = self._overrides.get(on)
        if override is not None:
            return override
        return () if on in self.days_off else self._week[on.weekday()]

    def _why_closed(self, on: date) -> str:
        name = self.days_off.get(on)
        if self._intervals(on):
            return "a date that the calendar leaves out"  # as Samoa did with 30 December 2011
        if name is not None:
            return name
        return WEEKDAY_NAMES[on.weekday()] if not self._week[on.weekday()] else "closed that day"

    def _windows_on(self, on: date) -> tuple[Window, ...]:
        windows = self._windows.get(on)
        if windows is None:
            known = self.first <= on <= self.last
            intervals = self._intervals(on) if known else ()
            windows = tuple(windows_of(on, intervals, self.zone)) if intervals else ()
            self._windows[on] = windows
        return windows

    def _support_day(self, on: date, days: int) -> date:
        """Return the support day ``days`` support days after ``on``, which is one."""
        last = min(self.last, on + _REACH)
        target, missing = on, days
        while missing:
            target += _ONE_DAY
            if target > last:
                raise self._out_of_reach(on, f"there are not {days} more support days")
            if self._windows_on(target):
                missing -= 1
        return target

    def _dates(self, low: int, high: int, *, margin: int = 0) -> Iterator[date]:
        """Yield the local dates of [low, high), and ``margin`` known ones more on either side."""
        if low >= high:
            return
        on = instant_at(low).astimezone(self.zone).date() - margin * _ONE_DAY
        last = instant_at(high - 1).astimezone(self.zone).date() + margin * _ONE_DAY
        while on <= min(last, self.last):
            yield on
            on += _ONE_DAY

    def _known(self, at: datetime) -> int:
        micros = micros_of(at)
        if not self._timeline.start <= micros <= self._timeline.end:
            raise OutOfReach(f"{at} lies beyond the calendar, which knows {self._span()}")
        return micros

    def _out_of_reach(self, start: date, what: str) -> OutOfReach:
        return OutOfReach(
            f"{what} within five years of {start} on a calendar that knows {self._span()}"
        )

    def _span(self) -> str:
        return f"{self.first} to {self.last}"


def _midnight(on: date, zone: ZoneInfo) -> int:
    return micros_of(instant_of(datetime.combine(on, datetime.min.time()), zone))


def _joined(pauses: Iterable[Pause]) -> list[tuple[int, int]]:
    """Return ``pauses`` in order, overlapping ones joined and empty ones left out."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted((micros_of(start), micros_of(end)) for start, end in pauses):
        if start >= end:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined
