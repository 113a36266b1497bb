"""The seam through which time enters: code takes a Clock, tests hand in one that they set."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time; both readings are taken from the same host."""

    def now(self) -> datetime:
        """Return the wall clock as an aware UTC instant."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never step back, from an arbitrary start."""
        ...


class SystemClock:
    """The host's own clock."""

    def now(self) -> datetime:
        """Return the wall clock as an aware UTC instant."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start; unmoved by steps of the wall clock."""
        return time.monotonic()
