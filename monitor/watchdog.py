"""Reports to the service manager: ready once every role is up, alive while the prober ticks.

What is told follows from the roles' own signs of life and nothing else: no timer vouches for a
prober that stands still.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from monitor.notify_socket import NotifySocket
from tickets.clock import Clock

LOOK_SECONDS = 0.5
FRESH_SECONDS = 5.0
"""How old the last sign of life of a role may be that counts as alive."""


class Watchdog:
    """Turns signs of life of ``roles`` into messages to the service manager."""

    def __init__(self, notify: NotifySocket, roles: Sequence[str], *, clock: Clock) -> None:
        self._notify = notify
        self._roles = roles
        self._vital = "prober" if "prober" in roles else roles[0]
        self._clock = clock
        self._seen: dict[str, float] = {}
        self._is_ready = False
        self._fed_at: float | None = None

    def note(self, role: str) -> None:
        """Take note of a sign of life."""
        self._seen[role] = self._clock.monotonic()

    def look(self) -> None:
        """Tell what there is to tell now."""
        now = self._clock.monotonic()
        if not self._is_ready and all(role in self._seen for role in self._roles):
            self._is_ready = True
            self._notify.tell("READY=1", f"STATUS=Running: {', '.join(self._roles)}")
        limit = self._notify.watchdog_seconds
        seen = self._seen.get(self._vital)
        if limit is None or seen is None or now - seen > FRESH_SECONDS:
            return
        if self._fed_at is None or now - self._fed_at >= limit / 4:
            self._fed_at = now
            self._notify.tell("WATCHDOG=1")

    def reloading(self) -> None:
        """Tell that the roles are being started anew; ready follows when they are up."""
        microseconds = int(self._clock.monotonic() * 1e6)
        self._notify.tell("RELOADING=1", f"MONOTONIC_USEC={microseconds}")
        self._is_ready = False
        self._seen.clear()

    def stopping(self) -> None:
        """Tell that the service stops in order."""
        self._notify.tell("STOPPING=1")

    async def run(self) -> None:
        """Look now and then until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_SECONDS)
