"""A location's lease in the hands of the prober that runs: renewed, checked, and given back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Session

from monitor import lease
from tickets.clock import Clock
from tickets.store import Store

GOOD_WITHIN = 15.0
"""Seconds within which the store must have taken our sign of life for all to be well."""


class Holding:
    """The lease of one location, held by ``fence``.

    Every method raises ``LeaseLost`` when another prober has taken over.
    """

    def __init__(self, store: Store, *, location: str, fence: int, clock: Clock) -> None:
        self._store = store
        self._location = location
        self._fence = fence
        self._clock = clock
        self._renewed_at = clock.monotonic()

    @property
    def is_recent(self) -> bool:
        """Whether the store has taken our sign of life lately."""
        return self._clock.monotonic() - self._renewed_at < GOOD_WITHIN

    def check(self, tx: Session) -> None:
        """See within the transaction of a change that the lease is still ours."""
        lease.check(tx, location=self._location, fence=self._fence)

    async def renew(self, *, ticked_at: datetime | None, figures: dict[str, Any]) -> None:
        """Write a sign of life, with when we last ticked and what we have counted."""
        await self._store.awrite(
            lambda tx: lease.renew(
                tx,
                location=self._location,
                fence=self._fence,
                now=self._clock.now(),
                ticked_at=ticked_at,
                figures=figures,
            )
        )
        self._renewed_at = self._clock.monotonic()

    async def release(self) -> None:
        """Give the lease back, so that the next prober need not wait for its end."""
        await self._store.awrite(
            lambda tx: lease.release(
                tx, location=self._location, fence=self._fence, now=self._clock.now()
            )
        )
