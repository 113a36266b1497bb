"""Is our own network well? Asked only when a dead network of ours would explain a failed probe.

The canaries are a few well-known addresses. One answer from any of them, whatever it says, shows
that the way out is open; silence from all of them takes the blame off the site.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from monitor.rules.observation import NETWORK_CAUSES, Cause, Observation
from monitor.rules.site import Network

_WITHIN = timedelta(seconds=3)
_KEPT_SECONDS = 10.0
_LOOKUP_CAUSES = frozenset({Cause.DNS_NOT_FOUND, Cause.DNS_FAILURE, Cause.DNS_TIMEOUT})


class Reach(Protocol):
    """Asks an address for any HTTP answer, the way that probes go: ``Prober.reach``."""

    async def __call__(
        self, url: str, /, *, within: timedelta, allow_networks: tuple[Network, ...] = ()
    ) -> Cause | None:
        """Return None if an answer came within ``within``, else the cause why not."""
        ...


class OwnNetwork(StrEnum):
    """How our own network is, as far as the canaries show."""

    WELL = "well"
    NO_RESOLVER = "no_resolver"
    DEAD = "dead"


class Canaries:
    """A few addresses that tell whether our own network is well; bound to the loop that asks.

    Without any, we cannot tell, and trust ourselves. However many ask at once, the canaries are
    asked once, all at the same time, and what they said holds for ten seconds.
    """

    def __init__(
        self, urls: Sequence[str], *, reach: Reach, allow_networks: tuple[Network, ...] = ()
    ) -> None:
        self._urls = tuple(urls)
        self._reach = reach
        self._allow_networks = allow_networks
        self._last = OwnNetwork.WELL
        self._holds_until = 0.0
        self._asking: asyncio.Task[OwnNetwork] | None = None

    async def is_network_well(self) -> bool:
        """Tell whether any canary answers; takes at most 3 s."""
        return await self.look() is OwnNetwork.WELL

    async def look(self) -> OwnNetwork:
        """Ask the canaries, or tell what they said just now; takes at most 3 s."""
        if not self._urls:
            return OwnNetwork.WELL
        if self._asking is None:
            if asyncio.get_running_loop().time() < self._holds_until:
                return self._last
            self._asking = asyncio.create_task(self._ask(), name="canaries")
            self._asking.add_done_callback(self._settle)
        return await asyncio.shield(
            self._asking
        )  # one who gives up does not stop it for the others

    def note(self, observation: Observation) -> None:
        """Take note of an answer."""

    async def excuse(self, observation: Observation) -> Observation:
        """Return ``observation``, its cause turned into our own if no canary answers either."""
        if observation.cause not in NETWORK_CAUSES:
            return observation
        match await self.look():
            case OwnNetwork.WELL:
                return observation
            case OwnNetwork.NO_RESOLVER:
                cause, what = Cause.OWN_RESOLVER, "the prober's name servers do not answer"
            case OwnNetwork.DEAD:
                cause, what = Cause.OWN_NETWORK, "the prober's own network is down"
        message = f"{what}: none of {len(self._urls)} canaries could be reached"
        return replace(observation, cause=cause, message=message)

    async def aclose(self) -> None:
        """Stop asking."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _ask(self) -> OwnNetwork:
        asked = [
            asyncio.create_task(
                self._reach(url, within=_WITHIN, allow_networks=self._allow_networks)
            )
            for url in self._urls
        ]
        causes: list[Cause] = []
        try:
            for first in asyncio.as_completed(asked, timeout=_WITHIN.total_seconds()):
                cause = await first
                if cause is None:
                    return OwnNetwork.WELL
                causes.append(cause)
        except TimeoutError:
            return OwnNetwork.DEAD
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        return OwnNetwork.NO_RESOLVER if _LOOKUP_CAUSES.issuperset(causes) else OwnNetwork.DEAD

    def _settle(self, asking: asyncio.Task[OwnNetwork]) -> None:
        self._asking = None
        if not asking.cancelled() and asking.exception() is None:
            self._last = asking.result()
            self._holds_until = asyncio.get_running_loop().time() + _KEPT_SECONDS
