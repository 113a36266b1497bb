"""Local time to instants and back, right across changes of the clock.

Instants are counted in whole microseconds since 1970 UTC here, because arithmetic on aware
datetimes of one zone ignores changes of the clock. No zone has changed its clock twice within
three days since 1970, so at most one change is looked for around one local date.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from tickets.rules.interval import Interval

SECOND = 1_000_000
DAY = 86_400 * SECOND

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = _EPOCH.toordinal()
_MICROSECOND = timedelta(microseconds=1)
_ONE_DAY = timedelta(days=1)


def micros_of(at: datetime) -> int:
    """Return an aware instant as microseconds since 1970 UTC; ``ValueError`` if it has no zone."""
    try:
        since = at - _EPOCH
    except TypeError:
        raise ValueError(f"{at} has no zone; an instant needs one") from None
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def micros_in(duration: timedelta) -> int:
    """Return a duration in microseconds."""
    return (duration.days * 86_400 + duration.seconds) * SECOND + duration.microseconds


def instant_at(micros: int) -> datetime:
    """Return the aware UTC instant ``micros`` microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=micros)


def instant_of(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the UTC instant at which clocks in ``zone`` show ``local``, which has no zone.

    A time that the clock shows twice means the first; one that it skips means the moment at which
    it skips.
    """
    at = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None, fold=0) == local.replace(fold=0):
        return at
    before = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return instant_at(_change_between(micros_of(before), micros_of(at), zone))


def windows_of(on: date, intervals: Sequence[Interval], zone: ZoneInfo) -> list[tuple[int, int]]:
    """Return when the clocks in ``zone`` show ``on`` and a time within ``intervals``.

    Windows are [start, end) in microseconds since 1970 UTC, in order. Hours shown twice make two
    windows or a longer one; hours skipped are in none.
    """
    midnight = datetime(on.year, on.month, on.day, tzinfo=zone)
    offset = midnight.utcoffset()
    assert offset is not None  # a ZoneInfo has an offset at every instant
    wall = (on.toordinal() - _EPOCH_ORDINAL) * DAY
    # A midnight that is shown twice or skipped has the offset before the change as fold 0 and that
    # after it as fold 1; so these two are equal only if no change touches the date.
    if offset == (midnight + _ONE_DAY).replace(fold=1).utcoffset():
        start = wall - offset // _MICROSECOND
        return [(start + micros_in(i.opens), start + micros_in(i.closes)) for i in intervals]
    return [
        (low, high)
        for piece_start, piece_end, offset in _pieces(wall, zone)
        for interval in intervals
        if (low := max(piece_start, wall - offset + micros_in(interval.opens)))
        < (high := min(piece_end, wall - offset + micros_in(interval.closes)))
    ]


def _pieces(wall: int, zone: ZoneInfo) -> list[tuple[int, int, int]]:
    """Cut the time around the local date that starts at ``wall`` where the offset changes."""
    start, end = wall - DAY, wall + 2 * DAY
    before, after = _offset_at(start, zone), _offset_at(end, zone)
    if before == after:
        return [(start, end, before)]
    change = _change_between(start, end, zone)
    return [(start, change, before), (change, end, after)]


def _offset_at(micros: int, zone: ZoneInfo) -> int:
    offset = instant_at(micros).astimezone(zone).utcoffset()
    assert offset is not None  # a ZoneInfo has an offset at every instant
    return offset // _MICROSECOND


def _change_between(low: int, high: int, zone: ZoneInfo) -> int:
    """Return the first microsecond with the offset at ``high``; changes fall on whole seconds."""
    after = _offset_at(high, zone)
    low, high = low // SECOND, -(-high // SECOND)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset_at(middle * SECOND, zone) == after:
            high = middle
        else:
            low = middle
    return high * SECOND
