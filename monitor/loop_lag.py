"""How late the event loop runs: a stall of ours must not be taken for a slow or dead site."""

from __future__ import annotations

import asyncio
from collections import deque

from tickets.clock import Clock

PERIOD = 0.1
"""Seconds between two looks at the clock."""

NOTED = 0.05
"""Lag, in seconds, below which a look is not remembered."""

KEPT = 120.0
"""Seconds for which lag is remembered; longer than any probe may take."""


class LoopLag:
    """Looks at the clock ten times a second and remembers when it came late.

    A suspended process comes late too: the lag then is as long as the suspension. ``worst`` is the
    longest lag ever seen, in seconds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._late: deque[tuple[float, float]] = deque()
        self._expected = clock.monotonic()
        self._timer: asyncio.TimerHandle | None = None
        self.worst = 0.0

    def start(self) -> None:
        """Begin to look; needs a running event loop."""
        self._expected = self._clock.monotonic() + PERIOD
        self._timer = asyncio.get_running_loop().call_later(PERIOD, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def worst_since(self, instant: float) -> float:
        """Return the longest lag, in seconds, seen since ``instant`` of the monotonic clock.

        A lag that lasts until now counts although the next look has not come yet.
        """
        pending = self._clock.monotonic() - self._expected
        seen = max((lag for at, lag in self._late if at >= instant), default=0.0)
        return max(seen, pending, 0.0)

    def _look(self) -> None:
        now = self._clock.monotonic()
        lag = now - self._expected
        self.worst = max(self.worst, lag)
        if lag > NOTED:
            self._late.append((now, lag))
        while self._late and self._late[0][0] < now - KEPT:
            self._late.popleft()
        self.start()
