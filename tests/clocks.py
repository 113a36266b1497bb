"""Clocks that tests set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class FakeClock:
    """A clock that moves only when told to; wall and monotonic time can be moved apart."""

    def __init__(self, now: datetime = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)) -> None:
        self._now = now
        self._monotonic = 1000.0

    def now(self) -> datetime:
        """Return the wall clock as it was set."""
        return self._now

    def monotonic(self) -> float:
        """Return the monotonic clock as it was moved."""
        return self._monotonic

    def advance(self, duration: timedelta | float) -> datetime:
        """Let time pass on both clocks (a number is seconds); return the new wall time."""
        if not isinstance(duration, timedelta):
            duration = timedelta(seconds=duration)
        self._monotonic += duration.total_seconds()
        return self.step(duration)

    def step(self, duration: timedelta) -> datetime:
        """Step the wall clock alone, as an administrator or NTP would; return the new wall time."""
        self._now += duration
        return self._now
