"""Looks back at each cycle of a prober's ticker and tells staff when it could not see."""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlmodel import Session

from monitor import blindness, lease
from monitor.rules.sight import Change, Sight, look_back
from monitor.ticker import Ticker
from tickets.clock import Clock
from tickets.policy import Policy
from tickets.store import Store

log = structlog.get_logger()

SHORTEST_CYCLE, LONGEST_CYCLE = timedelta(seconds=10), timedelta(seconds=60)
"""What a cycle takes, however short or long the usual interval of sites is."""


def cycle_seconds(interval: timedelta) -> int:
    """Return the length of a cycle: the usual interval of sites, within its bounds."""
    return round(min(max(interval, SHORTEST_CYCLE), LONGEST_CYCLE).total_seconds())


class Lookout:
    """Judges how well a location sees, cycle by cycle, and writes what staff are to hear of it."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        *,
        ticker: Ticker,
        location: str,
        fence: int,
        clock: Clock,
    ) -> None:
        self._store = store
        self._policy = policy
        self._ticker = ticker
        self._location = location
        self._fence = fence
        self._clock = clock
        self._sight = Sight()

    async def begin(self) -> None:
        """Take up what staff know already, so that a restart does not tell it again."""
        self._sight = await self._store.aread(
            lambda tx: blindness.find_sight(tx, location=self._location)
        )

    async def look_back(self) -> None:
        """Judge the cycle that ends now; raises ``Unavailable``, and then judges it no more."""
        sight, change = look_back(self._sight, self._ticker.take_tally())
        if change is not None or sight.is_told:
            await self._store.awrite(lambda tx: self._write(tx, sight, change))
        if change is not None:
            log.warning(
                "lookout.sight_changed",
                location=self._location,
                change=change,
                cause=sight.cause,
                since=sight.since and sight.since.isoformat(),
                unwatched=sight.unwatched,
            )
        self._sight = Sight() if change is Change.SIGHTED else sight

    def _write(self, tx: Session, sight: Sight, change: Change | None) -> None:
        row = lease.check(tx, location=self._location, fence=self._fence)
        row.unwatched_slots = sight.unwatched
        if change is not None:
            blindness.tell(tx, self._policy, row, sight=sight, change=change, at=self._clock.now())
