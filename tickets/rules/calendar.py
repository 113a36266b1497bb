"""Two versions of a calendar compared: which days and hours the newer one changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import cast

from tickets.rules.hours import SupportHours
from tickets.rules.interval import WEEKDAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarDays:
    """What a calendar of support hours says, as it is stored.

    ``week`` lists each weekday's intervals (keys ``mon`` to ``sun``), ``days`` names the holidays
    and closures by local date, all of those from ``first`` to ``last``.
    """

    first: date
    last: date
    week: Mapping[str, Sequence[str]]
    days: Mapping[date, str]

    @property
    def digest(self) -> str:
        """What tells this calendar from another, as 64 hexadecimal digits."""
        text = json.dumps([self.week_document(), self.days_document()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def week_document(self) -> dict[str, list[str]]:
        """Return the week in JSON's types."""
        return {day: list(self.week.get(day, ())) for day in WEEKDAYS}

    def days_document(self) -> dict[str, str]:
        """Return the days in JSON's types."""
        return {on.isoformat(): name for on, name in sorted(self.days.items())}


@dataclass(frozen=True, slots=True, kw_only=True)
class DayChange:
    """A date whose name changes: None before for one that is added, None after for one removed."""

    on: date
    before: str | None
    after: str | None

    @property
    def word(self) -> str:
        """What happens to the date: added, removed or renamed."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "renamed"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekChange:
    """A weekday (``mon`` to ``sun``) whose hours change; empty for a day without hours."""

    day: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarChange:
    """What a newer version of a calendar changes, in order of dates and days."""

    days: tuple[DayChange, ...] = ()
    week: tuple[WeekChange, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.days or self.week)

    def document(self) -> dict[str, object]:
        """Return it in JSON's types, as ``read_change`` reads it."""
        return {
            "days": [[day.on.isoformat(), day.before, day.after] for day in self.days],
            "week": [[one.day, list(one.before), list(one.after)] for one in self.week],
        }


def days_of(hours: SupportHours) -> CalendarDays:
    """Return what the calendar ``hours`` says."""
    return CalendarDays(
        first=hours.first,
        last=hours.last,
        week={day: tuple(map(str, hours.week[day])) for day in WEEKDAYS},
        days=dict(hours.days_off),
    )


def compare(before: CalendarDays, after: CalendarDays) -> CalendarChange:
    """Return what ``after`` changes on the dates that both calendars know."""
    first, last = max(before.first, after.first), min(before.last, after.last)
    dates = sorted(on for on in {*before.days, *after.days} if first <= on <= last)
    days = tuple(
        DayChange(on=on, before=before.days.get(on), after=after.days.get(on))
        for on in dates
        if before.days.get(on) != after.days.get(on)
    )
    old, new = before.week_document(), after.week_document()
    week = tuple(
        WeekChange(day=day, before=tuple(old[day]), after=tuple(new[day]))
        for day in WEEKDAYS
        if old[day] != new[day]
    )
    return CalendarChange(days=days, week=week)


def list_runs(days: Sequence[DayChange]) -> Sequence[tuple[DayChange, DayChange]]:
    """Return dates in a row that change alike as the first and last of them."""
    runs: list[tuple[DayChange, DayChange]] = []
    for day in days:
        if runs:
            first, last = runs[-1]
            is_next = (day.on - last.on).days == 1
            if is_next and (day.before, day.after) == (last.before, last.after):
                runs[-1] = first, day
                continue
        runs.append((day, day))
    return runs


def read_change(document: Mapping[str, Sequence[Sequence[object]]]) -> CalendarChange:
    """Return the change that ``CalendarChange.document`` wrote."""

    def named(name: object) -> str | None:
        return None if name is None else str(name)

    def hours(found: object) -> tuple[str, ...]:
        return tuple(map(str, cast("Sequence[object]", found)))

    return CalendarChange(
        days=tuple(
            DayChange(on=date.fromisoformat(str(on)), before=named(before), after=named(after))
            for on, before, after in document.get("days", ())
        ),
        week=tuple(
            WeekChange(day=str(day), before=hours(before), after=hours(after))
            for day, before, after in document.get("week", ())
        ),
    )
