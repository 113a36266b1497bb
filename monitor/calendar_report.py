"""Says what a configuration would change in the calendars that a store has in use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from zoneinfo import ZoneInfo

from tickets.calendars import Drift
from tickets.rules.calendar import CalendarChange, list_runs
from tickets.rules.interval import WEEKDAY_NAMES, WEEKDAYS
from tickets.rules.words import format_date, format_instant

_MOST_RUNS = 20


def describe_drifts(drifts: Sequence[Drift], *, zone: ZoneInfo, today: date) -> Iterator[str]:
    """Yield the lines that tell which days, hours and open deadlines differ from those in use."""
    for drift in drifts:
        whose = f"the calendar of {drift.client}" if drift.client else "the agency's calendar"
        yield ""
        yield f"Put into use, this changes {whose} (version {drift.version})"
        yield from _changes(drift.change, today)
        if drift.deadlines:
            yield "  Deadlines stay as they were promised; counted anew they would be"
        for one in drift.deadlines:
            would_be = format_instant(one.would_be, zone) if one.would_be else "beyond the calendar"
            promised = format_instant(one.respond_by, zone)
            yield f"    {one.reference}  {would_be}, promised {promised}"


def _changes(change: CalendarChange, today: date) -> Iterator[str]:
    """Yield a line for each weekday and each run of coming days that change."""
    for one in change.week:
        name = WEEKDAY_NAMES[WEEKDAYS.index(one.day)]
        after, before = ", ".join(one.after) or "closed", ", ".join(one.before) or "closed"
        yield f"  hours    {name:<15}  {after}, so far {before}"
    runs = list_runs([day for day in change.days if day.on >= today])
    for first, last in runs[:_MOST_RUNS]:
        until = "" if first == last else f" to {format_date(last.on)}"
        so_far = f", so far {first.before}" if first.before and first.after else ""
        yield (
            f"  {first.word:<7}  {format_date(first.on):<15}  {first.after or first.before}"
            f"{so_far}{until}"
        )
    if len(runs) > _MOST_RUNS:
        yield "  and more in later years"
    if len(change.days) > sum((last.on - first.on).days + 1 for first, last in runs):
        yield "  and days that have passed"
