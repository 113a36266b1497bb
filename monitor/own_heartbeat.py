"""Our own sign of life to somebody outside: one call after a good pass of the prober's tick.

There is no timer behind it, so a tick that stands still, or a store that is away, ends the calls,
and whoever waits for them tells people. A call that fails is logged and counted, and nothing else.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from monitor.rules.observation import Observation
from monitor.rules.site import Network, Site
from tickets.clock import Clock

log = structlog.get_logger()

TIMEOUT = timedelta(seconds=10)
BODY_LIMIT = 64 * 1024


class Prober(Protocol):
    """Asks an address once, behind the address guard; what goes wrong is an observation."""

    async def probe(self, site: Site, *, started_at: datetime) -> Observation:
        """Return what was seen."""
        ...


class OwnHeartbeat:
    """Calls ``url`` at most once per ``every``, one call at a time; without one it does nothing."""

    def __init__(
        self,
        url: str | None,
        *,
        every: timedelta,
        prober: Prober,
        clock: Clock,
        allow_networks: Sequence[Network] = (),
    ) -> None:
        self._every = every.total_seconds()
        self._prober = prober
        self._clock = clock
        self._called_at: float | None = None
        self._call: asyncio.Task[None] | None = None
        self._outcomes = Counter[str]()
        self._site = None if url is None else _as_site(url, allow_networks)

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How many calls were answered (ok) or failed (error); empty without an address."""
        return (
            {} if self._site is None else {each: self._outcomes[each] for each in ("ok", "error")}
        )

    def note_pass(self, *, is_good: bool) -> None:
        """Take note of a tick that ended; a good one may be followed by a call."""
        now = self._clock.monotonic()
        is_early = self._called_at is not None and now - self._called_at < self._every
        is_calling = self._call is not None and not self._call.done()
        if self._site is None or not is_good or is_early or is_calling:
            return
        self._called_at = now
        self._call = asyncio.create_task(self._tell(self._site), name="heartbeat")

    async def aclose(self) -> None:
        """Give up a call that is under way."""
        if self._call is not None:
            self._call.cancel()
            await asyncio.gather(self._call, return_exceptions=True)

    async def _tell(self, site: Site) -> None:
        seen = await self._prober.probe(site, started_at=self._clock.now())
        self._outcomes["ok" if seen.cause is None else "error"] += 1
        if seen.cause is not None:
            # Neither address nor message: the address is a secret.
            log.warning("own_heartbeat.failed", cause=seen.cause, http_status=seen.http_status)


def _as_site(url: str, allow_networks: Sequence[Network]) -> Site:
    return Site(
        slug="heartbeat",
        client="",
        name="heartbeat",
        url=url,
        timeout=TIMEOUT,
        body_limit=BODY_LIMIT,
        allow_networks=tuple(allow_networks),
    )
