"""Instants and durations in words for pages: all of it in the agency's zone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tickets.policy import Policy
from tickets.rules.hours import OutOfReach
from tickets.rules.promise import ResponseTarget
from tickets.rules.words import (
    describe_support,
    describe_target,
    describe_time_left,
    format_clock,
    format_date,
    format_duration,
    format_hours,
    format_instant,
    format_short,
)

_SECONDS = re.compile(r"(?<= min) \d+ s")


@dataclass(frozen=True, slots=True)
class Words:
    """Instants and durations in words for one page: all of it as seen at ``now``."""

    policy: Policy
    now: datetime

    def clock(self, at: datetime) -> str:
        """Return the time of day, ``10:05``."""
        return format_clock(at, self.policy.zone)

    def seconds(self, at: datetime) -> str:
        """Return the time of day to the second, ``10:05:07``."""
        return f"{self.clock(at)}:{at.second:02}"

    def day(self, at: datetime) -> str:
        """Return the local date, ``Mon 9 Mar 2026``."""
        return format_date(at.astimezone(self.policy.zone).date())

    def short(self, at: datetime) -> str:
        """Return an instant as short as today leaves it plain, ``Thu 13:10``."""
        return format_short(at, now=self.now, zone=self.policy.zone)

    def full(self, at: datetime) -> str:
        """Return an instant with date, time and zone, ``Mon 9 Mar 2026 09:30 GMT``."""
        return format_instant(at, self.policy.zone)

    def left(self, respond_by: datetime, client: str = "") -> str:
        """Return the client's support time left in whole minutes, ``18 min``, ``12 min over``."""
        hours = self.policy.hours_of(client)
        try:
            text = describe_time_left(hours, now=self.now, respond_by=respond_by)
        except OutOfReach:
            return "beyond the calendar"
        return _SECONDS.sub("", text)

    def since(self, at: datetime) -> str:
        """Return the plain time since ``at``, ``2 h 5 min``."""
        return format_duration(self.now - at)

    def span(self, duration: timedelta) -> str:
        """Return support time, ``1 h 5 min``."""
        return format_hours(duration)

    def duration(self, duration: timedelta) -> str:
        """Return plain time, ``4 min 10 s``."""
        return format_duration(duration)

    def on_date(self, on: date) -> str:
        """Return a date, ``Mon 9 Mar 2026``."""
        return format_date(on)

    def closing(self, at: datetime, on: date) -> str:
        """Return the end of a stretch of the local date ``on``; its midnight reads ``24:00``."""
        return "24:00" if at.astimezone(self.policy.zone).date() > on else self.clock(at)

    def target(self, target: ResponseTarget) -> str:
        """Return what is promised, ``1 h in support hours``."""
        return describe_target(target)

    def instant_text(self, text: str) -> str:
        """Return an instant that was stored as ISO 8601 text, ``Thu 13:10``; else the text."""
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            return text
        return self.short(at) if at.tzinfo is not None else text

    def parts(self, text: str) -> Sequence[tuple[str, bool]]:
        """Cut ``1 d 3 h`` into its numbers (True) and what stands between them (False)."""
        return [(part, part.isdigit()) for part in re.split(r"(\d+)", text) if part]

    def support(self) -> str:
        """Return whether support is open, ``open until 17:00``."""
        try:
            return describe_support(self.policy.hours, now=self.now)
        except OutOfReach:
            return "beyond the calendar"
