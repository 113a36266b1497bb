"""Instants, durations and promises in plain words, the same in letters, on the desk and in the CLI.

English names are our own, so the host's locale changes nothing. Everything is cut to the unit
shown and never rounded up: nobody is told of more time than there is.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from tickets.rules.hours import SupportHours
from tickets.rules.promise import CountedIn, ResponseTarget, is_kept

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
_LONG_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_WEEK_DAYS = 7


def format_date(on: date) -> str:
    """Return a date as ``Mon 9 Mar 2026``."""
    return f"{_WEEKDAYS[on.weekday()]} {on.day} {_MONTHS[on.month - 1]} {on.year}"


def format_month(on: date) -> str:
    """Return the month of a date as ``March 2026``."""
    return f"{_LONG_MONTHS[on.month - 1]} {on.year}"


def format_clock(at: datetime, zone: ZoneInfo) -> str:
    """Return the time of day of an aware instant in ``zone`` as ``09:30``."""
    local = at.astimezone(zone)
    return f"{local.hour:02}:{local.minute:02}"


def format_instant(at: datetime, zone: ZoneInfo) -> str:
    """Return an aware instant in ``zone`` as ``Mon 9 Mar 2026 09:30 GMT``."""
    return f"{format_date(at.astimezone(zone))} {format_clock(at, zone)} {_zone_name(at, zone)}"


def format_short(at: datetime, *, now: datetime, zone: ZoneInfo) -> str:
    """Return an aware instant in ``zone`` as short as ``now`` leaves it plain.

    The same local date gives ``10:05``, the six dates after it ``Thu 13:10``, any other date in
    the same year ``Thu 5 Mar 13:10``, another year ``Mon 4 Jan 2027 09:30``.
    """
    on, today = at.astimezone(zone).date(), now.astimezone(zone).date()
    clock = format_clock(at, zone)
    if on == today:
        return clock
    weekday = _WEEKDAYS[on.weekday()]
    if 0 < (on - today).days < _WEEK_DAYS:
        return f"{weekday} {clock}"
    if on.year == today.year:
        return f"{weekday} {on.day} {_MONTHS[on.month - 1]} {clock}"
    return f"{format_date(on)} {clock}"


def format_duration(duration: timedelta) -> str:
    """Return plain time in its two leading units: ``4 min 10 s``, ``2 h 5 min``, ``3 d 4 h``.

    A day is 24 hours; for support time use ``format_hours``. Less than nothing reads ``0 s``.
    """
    seconds = max(0, duration // timedelta(seconds=1))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return _join(days, "d", hours % 24, "h")
    if hours:
        return _join(hours, "h", minutes % 60, "min")
    if minutes:
        return _join(minutes, "min", seconds % 60, "s")
    return f"{seconds} s"


def format_hours(duration: timedelta) -> str:
    """Return support time without days: ``26 h 5 min``, ``30 min``, ``45 s``."""
    if duration < _HOUR:
        return format_duration(duration)
    minutes = duration // _MINUTE
    return _join(minutes // 60, "h", minutes % 60, "min")


def describe_target(target: ResponseTarget) -> str:
    """Return what is promised: ``1 h in support hours``, ``2 support days``."""
    if target.counted_in is CountedIn.SUPPORT_DAYS:
        days = target.support_days
        return f"{days} support {'day' if days == 1 else 'days'}"
    if target.counted_in is CountedIn.CLOCK_THEN_ROLL:
        return f"{format_hours(target.within)} by the clock, or when support next opens"
    return f"{format_hours(target.within)} in support hours"


def describe_time_left(hours: SupportHours, *, now: datetime, respond_by: datetime) -> str:
    """Return the support time left for an answer, as the queue shows it.

    ``18 min``, ``1 h 5 min``, ``1 d 3 h``; past the deadline ``12 min over``. A day here is one
    support day on the calendar, whatever its hours, and the rest is support time: at 10:10 on
    Wednesday, ``1 d 3 h`` before Thursday 13:10. Plain time would be misleading at night and over
    a weekend, when nothing runs out. Less than a minute reads ``under 1 min`` or ``over``.
    """
    if is_kept(now, respond_by):
        return _describe_span(hours, now, respond_by) or "under 1 min"
    over = _describe_span(hours, respond_by, now)
    return f"{over} over" if over else "over"


def describe_support(hours: SupportHours, *, now: datetime) -> str:
    """Return whether support is open: ``open until 17:00``, ``closed until Mon 09:00``."""
    if hours.is_open(now):
        closes_at = hours.next_close(now)
        if closes_at is None:
            return "open around the clock"
        return f"open until {format_short(closes_at, now=now, zone=hours.zone)}"
    return f"closed until {format_short(hours.next_open(now), now=now, zone=hours.zone)}"


def describe_week(hours: SupportHours) -> str:
    """Return the support hours of a usual week: ``Mon to Fri 09:00-17:00 (London)``.

    Days in a row with the same hours stand together; ``around the clock`` if none is closed.
    """
    runs: list[tuple[str, str, str]] = []
    for name, intervals in zip(_WEEKDAYS, hours.week.values(), strict=True):
        said = " and ".join(map(str, intervals))
        if runs and runs[-1][2] == said:
            runs[-1] = (runs[-1][0], name, said)
        else:
            runs.append((name, name, said))
    if runs == [("Mon", "Sun", "00:00-24:00")]:
        return "around the clock"
    place = hours.zone.key.rpartition("/")[2].replace("_", " ")
    listed = [
        f"{first if first == last else f'{first} to {last}'} {said}"
        for first, last, said in runs
        if said
    ]
    return f"{', '.join(listed)} ({place})"


def _describe_span(hours: SupportHours, start: datetime, end: datetime) -> str:
    """Return the support time between two instants; empty if it is under a minute."""
    days, reached = hours.whole_days(start, end)
    rest = hours.elapsed(reached, end)
    if days:
        return _join(days, "d", rest // _HOUR, "h")
    return format_hours(rest) if rest >= _MINUTE else ""


def _join(count: int, unit: str, rest: int, rest_unit: str) -> str:
    return f"{count} {unit} {rest} {rest_unit}" if rest else f"{count} {unit}"


def _zone_name(at: datetime, zone: ZoneInfo) -> str:
    """Return ``GMT``, ``BST``, or ``UTC+5:45`` where the zone has no letters of its own."""
    name = at.astimezone(zone).tzname() or str(zone)
    if name[0] not in "+-":
        return name
    sign, hour, minute = name[0], name[1:3], name[3:5]
    return f"UTC{sign}{int(hour)}" + (f":{minute}" if minute else "")
