"""Maintenance windows: announced time in which no incident opens.

A window is dated (once, from one instant to another) or weekly (local times of the agency's zone).
Both are half open. Where the clock is changed a window keeps its whole length: a time that the
clock skips is read as if it had not been changed yet, and a time that it shows twice means the
first at the start of a window and the second at its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedWindow:
    """Maintenance from one instant to another, both aware UTC; ``start`` is in it, ``end`` not."""

    start: datetime
    end: datetime

    def end_at(self, at: datetime) -> datetime | None:
        """Return when the window that covers ``at`` ends; None if ``at`` is not in it."""
        return self.end if self.start <= at < self.end else None

    def document(self) -> dict[str, Any]:
        """Return the window as the store keeps it."""
        return {"start": self.start.isoformat(), "end": self.end.isoformat()}


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyWindow:
    """Maintenance every week: it starts on each of ``days`` (0 is Monday) of ``zone``'s calendar.

    ``opens`` and ``closes`` are local times of day; ``closes`` may be 24 h. If ``closes`` is not
    after ``opens``, the window ends on the day after.
    """

    days: frozenset[int]
    opens: timedelta
    closes: timedelta
    zone: ZoneInfo

    def end_at(self, at: datetime) -> datetime | None:
        """Return when the window that covers ``at`` ends; None if ``at`` is in none."""
        today = at.astimezone(self.zone).date()
        ends = [end for start, end in self._around(today) if start <= at < end]
        return max(ends, default=None)

    def document(self) -> dict[str, Any]:
        """Return the window as the store keeps it."""
        return {
            "days": sorted(self.days),
            "opens": self.opens // _SECOND,
            "closes": self.closes // _SECOND,
            "zone": self.zone.key,
        }

    def _around(self, today: date) -> Iterable[tuple[datetime, datetime]]:
        for on in (today - _DAY, today, today + _DAY):
            if on.weekday() in self.days:
                closes = self.closes if self.closes > self.opens else self.closes + _DAY
                yield first_instant(on, self.opens, self.zone), last_instant(on, closes, self.zone)


Window = DatedWindow | WeeklyWindow


def maintenance_until(windows: Sequence[Window], at: datetime) -> datetime | None:
    """Return the latest end of the windows that cover ``at`` (aware); None outside all of them."""
    ends = (window.end_at(at) for window in windows)
    return max((end for end in ends if end is not None), default=None)


def first_instant(on: date, clock: timedelta, zone: ZoneInfo) -> datetime:
    """Return the first UTC instant at which ``zone`` shows ``clock`` past midnight of ``on``."""
    return _local(on, clock).replace(tzinfo=zone, fold=0).astimezone(UTC)


def last_instant(on: date, clock: timedelta, zone: ZoneInfo) -> datetime:
    """Return the last UTC instant at which ``zone`` shows ``clock`` past midnight of ``on``."""
    local = _local(on, clock)
    return max(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


def _local(on: date, clock: timedelta) -> datetime:
    return datetime.combine(on, time()) + clock


def windows_document(windows: Sequence[Window]) -> list[dict[str, Any]]:
    """Return windows as the store keeps them."""
    return [window.document() for window in windows]


def read_windows(documents: Sequence[Mapping[str, Any]]) -> Sequence[Window]:
    """Return the windows of ``windows_document``."""
    return [_read(document) for document in documents]


def _read(document: Mapping[str, Any]) -> Window:
    if "days" not in document:
        return DatedWindow(
            start=datetime.fromisoformat(document["start"]),
            end=datetime.fromisoformat(document["end"]),
        )
    return WeeklyWindow(
        days=frozenset(cast("list[int]", document["days"])),
        opens=document["opens"] * _SECOND,
        closes=document["closes"] * _SECOND,
        zone=ZoneInfo(document["zone"]),
    )
