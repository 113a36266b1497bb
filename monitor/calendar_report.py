"""Says what a configuration would change in the calendars that a store has in use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from tickets.calendars import Drift
from tickets.rules.calendar import CalendarChange
from tickets.rules.interval import WEEKDAY_NAMES, WEEKDAYS
from tickets.rules.words import format_date, format_instant

_MOST_DAYS = 40


def describe_drifts(drifts: Sequence[Drift], *, zone: ZoneInfo) -> Iterator[str]:
    """Yield the lines that tell which days, hours and open deadlines differ from those in use."""
    for drift in drifts:
        whose = f"client {drift.client}" if drift.client else "agency"
        yield ""
        yield f"Put into use, this changes the calendar ({whose}, version {drift.version})"
        yield from describe_change(drift.change)
        if drift.deadlines:
            yield "  Deadlines stay as they were promised; counted anew they would be"
        for one in drift.deadlines:
            would_be = (
                format_instant(one.would_be, zone) if one.would_be else "beyond the calendar"
            )
            yield f"    {one.reference}  {would_be}, promised {format_instant(one.respond_by, zone)}"


def describe_change(change: CalendarChange) -> Iterator[str]:
    """Yield a line for each day and weekday that changes."""
    for one in change.week:
        name = WEEKDAY_NAMES[WEEKDAYS.index(one.day)]
        after, before = ", ".join(one.after) or "closed", ", ".join(one.before) or "closed"
        yield f"  hours    {name:<15}  {after}, so far {before}"
    for day in change.days[:_MOST_DAYS]:
        said = day.after or day.before
        if day.before is not None and day.after is not None:
            said = f"{day.after}, so far {day.before}"
        yield f"  {day.word:<7}  {format_date(day.on):<15}  {said}"
    if len(change.days) > _MOST_DAYS:
        yield f"  and {len(change.days) - _MOST_DAYS} days more"
