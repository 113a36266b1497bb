"""Settings of a site's maintenance windows: announced time in which no incident opens."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from monitor.rules.maintenance import (
    WEEKDAYS,
    DatedWindow,
    WeeklyWindow,
    Window,
    first_instant,
    last_instant,
)
from tickets.addresses import shown
from tickets.settings.support import Weekday
from tickets.settings.types import Section

MOST_WINDOWS = 50
LONGEST = timedelta(days=31)
"""Longest dated window: a mistyped year must not silence a site for good."""

_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00", re.ASCII)
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?",
    re.ASCII,
)


def _read_time(text: str) -> timedelta:
    if not _TIME.fullmatch(text):
        raise ValueError(f"{shown(text)} is not a time of day; write HH:MM, such as 02:00")
    hours, minutes = text.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


def _read_instant(text: str) -> datetime:
    try:
        if _INSTANT.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{shown(text)} is no time in the calendar") from None
    raise ValueError(
        f"{shown(text)} is not an instant; write 2026-03-09T22:00 for local time, with an "
        "offset such as +01:00 or Z after it for any other, or list days for a weekly window"
    )


def _at_most(windows: tuple[MaintenanceSettings, ...]) -> tuple[MaintenanceSettings, ...]:
    if len(windows) > MOST_WINDOWS:
        raise ValueError(f"lists {len(windows)} windows; at most {MOST_WINDOWS} are allowed")
    return windows


class MaintenanceSettings(Section):
    """A maintenance window: dated, or weekly if it lists days."""

    days: tuple[Weekday, ...] = Field(
        default=(),
        description="Days (mon to sun) on which a weekly window starts. Without them it is dated.",
    )
    start: str = Field(
        alias="from",
        description="Start: local HH:MM of a weekly window; YYYY-MM-DDTHH:MM of a dated one, local "
        "unless an offset or Z follows.",
    )
    end: str = Field(
        alias="to",
        description="End, in the same form. A weekly window whose end is not after its start ends "
        "on the day after; a dated one lasts 31 days at most.",
    )

    @field_validator("start")
    @classmethod
    def _is_start(cls, start: str, info: ValidationInfo) -> str:
        if not info.data.get("days"):
            _read_instant(start)
        elif _read_time(start) == timedelta(days=1):
            raise ValueError("24:00 is no start; write 00:00 on the day after")
        return start

    @field_validator("end")
    @classmethod
    def _is_end(cls, end: str, info: ValidationInfo) -> str:
        start: str | None = info.data.get("start")
        if info.data.get("days"):
            if _read_time(end) == (start and _read_time(start)):
                raise ValueError("must differ from from; a whole day is 00:00 to 24:00")
            return end
        last = _read_instant(end)
        first = last - LONGEST / 2 if start is None else _read_instant(start)
        if (first.tzinfo is None) != (last.tzinfo is None):
            raise ValueError("must have the same form as from: both with an offset or both without")
        if last <= first:
            raise ValueError(f"{end} is not after the start, {start}")
        if last - first > LONGEST:
            raise ValueError(f"lies {(last - first).days} days after the start; at most 31 allowed")
        return end

    def window(self, zone: ZoneInfo) -> Window:
        """Return the window in the form that the rules use; local times are those of ``zone``."""
        if self.days:
            return WeeklyWindow(
                days=frozenset(WEEKDAYS.index(day) for day in self.days),
                opens=_read_time(self.start),
                closes=_read_time(self.end),
                zone=zone,
            )
        first, last = _read_instant(self.start), _read_instant(self.end)
        if first.tzinfo is not None:
            return DatedWindow(start=first, end=last)
        return DatedWindow(
            start=first_instant(first.date(), _past_midnight(first), zone),
            end=last_instant(last.date(), _past_midnight(last), zone),
        )


MaintenanceWindows = Annotated[tuple[MaintenanceSettings, ...], AfterValidator(_at_most)]


def _past_midnight(local: datetime) -> timedelta:
    return timedelta(hours=local.hour, minutes=local.minute, seconds=local.second)
