"""Is our own network well? Asked only when a dead network of ours would explain a failed probe.

The canaries are a few well-known addresses. One answer from any of them, whatever it says, shows
that the way out is open; an answer from one that is named shows that names are resolved too. When
they are silent, sites that answered lately are asked as witnesses: a canary that is blocked must
not blind us. Only silence from all takes the blame off a site.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Protocol
from urllib.parse import urlsplit

from monitor.rules.observation import LOOKUP_CAUSES, NETWORK_CAUSES, Cause, Observation
from monitor.rules.site import Network

_WITHIN = timedelta(seconds=2.5)
_END_SECONDS = 3.0
_KEPT_SECONDS = 10.0
_MOST_WITNESSES = 12
_ASKED_WITNESSES = 3

FEWEST_WITNESSES = 3
"""How many networks must be silent before sites alone, without canaries, tell of a dead network."""


class Reach(Protocol):
    """Asks an address for any HTTP answer, the way that probes go: ``Prober.reach``."""

    async def __call__(
        self, url: str, /, *, within: timedelta, allow_networks: tuple[Network, ...] = ()
    ) -> Cause | None:
        """Return None if an answer came within ``within``, else the cause why not."""
        ...


class OwnNetwork(StrEnum):
    """How our own network is, as far as the canaries and witnesses show."""

    WELL = "well"
    NO_RESOLVER = "no_resolver"
    NO_RESOURCES = "no_resources"
    DEAD = "dead"


_BLAME = {
    OwnNetwork.NO_RESOLVER: (Cause.OWN_RESOLVER, "the prober's name servers do not answer"),
    OwnNetwork.NO_RESOURCES: (Cause.OWN_RESOURCES, "the prober has no file descriptors left"),
    OwnNetwork.DEAD: (Cause.OWN_NETWORK, "the prober's own network is down"),
}


@dataclass(slots=True)
class _Asked:
    """What those who were asked said so far."""

    is_open: bool = False
    is_resolving: bool = False
    has_named: bool = False
    causes: list[Cause] = field(default_factory=list[Cause])

    def take(self, cause: Cause | None, *, is_named: bool) -> None:
        """Take one answer (None) or one failure."""
        if cause is None:
            self.is_open = True
            self.is_resolving |= is_named
        else:
            self.causes.append(cause)

    def judge(self) -> OwnNetwork:
        """Return what the answers and failures come to."""
        if self.is_resolving or (self.is_open and not self.has_named):
            return OwnNetwork.WELL
        if self.is_open or (self.causes and LOOKUP_CAUSES.issuperset(self.causes)):
            return OwnNetwork.NO_RESOLVER
        if Cause.OWN_RESOURCES in self.causes:
            return OwnNetwork.NO_RESOURCES
        return OwnNetwork.DEAD


class Canaries:
    """A few addresses that tell whether our own network is well; bound to the loop that asks.

    However many ask at once, the canaries are asked once, all at the same time, and what they said
    holds for ten seconds. Without any, sites that answered lately from at least three other
    networks stand in for them; where there are fewer we cannot tell, and trust ourselves.
    """

    def __init__(
        self, urls: Sequence[str], *, reach: Reach, allow_networks: tuple[Network, ...] = ()
    ) -> None:
        self._urls = tuple(urls)
        self._reach = reach
        self._allow_networks = allow_networks
        self._last = OwnNetwork.WELL
        self._holds_until = 0.0
        self._answers = 0
        self._witnesses: dict[str, str] = {}
        self._asking: asyncio.Task[OwnNetwork] | None = None

    def note(self, observation: Observation) -> None:
        """Remember who answered: a later silence of the canaries is then not believed blindly.

        Only named sites on public addresses count: one in our own house answers without a way out.
        """
        network = _network_of(observation.remote_address)
        if observation.http_status is None or network is None or not _is_named(observation.url):
            return
        self._answers += 1
        if self._last is OwnNetwork.DEAD:
            self._holds_until = 0.0
        self._witnesses.pop(network, None)
        self._witnesses[network] = observation.url
        if len(self._witnesses) > _MOST_WITNESSES:
            del self._witnesses[next(iter(self._witnesses))]

    async def is_network_well(self) -> bool:
        """Tell whether any canary or witness answers; takes at most 6 s."""
        return await self.look() is OwnNetwork.WELL

    async def look(self, *, but: str = "") -> OwnNetwork:
        """Ask, or tell what was said just now; takes at most 6 s.

        ``but`` is the URL of a site that failed: it is no witness.
        """
        if not self._urls and len(self._witnesses_for(but)) < FEWEST_WITNESSES:
            return OwnNetwork.WELL
        if self._asking is None:
            if asyncio.get_running_loop().time() < self._holds_until:
                return self._last
            self._asking = asyncio.create_task(self._ask(but), name="canaries")
            self._asking.add_done_callback(self._settle)
        return await asyncio.shield(
            self._asking
        )  # one who gives up does not stop it for the others

    async def excuse(self, observation: Observation) -> Observation:
        """Return ``observation``, its cause turned into our own if our own network is not well."""
        if observation.cause not in NETWORK_CAUSES:
            return observation
        state = await self.look(but=observation.url)
        if state is OwnNetwork.WELL:
            return observation
        if state is OwnNetwork.NO_RESOLVER and observation.cause not in LOOKUP_CAUSES:
            return observation  # its name was resolved, so the failure is its own
        cause, what = _BLAME[state]
        asked = f"{len(self._urls)} canaries" if self._urls else "the other sites that were asked"
        return replace(
            observation, cause=cause, message=f"{what}: none of {asked} could be reached"
        )

    async def aclose(self) -> None:
        """Stop asking."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _ask(self, but: str) -> OwnNetwork:
        answers = self._answers
        found = await self._ask_all(self._urls) if self._urls else OwnNetwork.DEAD
        if found is not OwnNetwork.DEAD:
            return (
                found  # sites that answer say nothing of name servers: names are kept for a while
            )
        if self._answers > answers:
            return OwnNetwork.WELL
        witnesses = self._witnesses_for(but)[-_ASKED_WITNESSES:]
        if not witnesses:
            return found
        seen = await self._ask_all(witnesses)
        if seen is OwnNetwork.WELL or self._answers > answers:
            return OwnNetwork.WELL
        return found if self._urls else seen

    async def _ask_all(self, urls: Collection[str]) -> OwnNetwork:
        """Ask all of ``urls`` at the same time, until it is certain that the network is well."""
        asked = _Asked(has_named=any(_is_named(url) for url in urls))
        reaching = {
            asyncio.create_task(
                self._reach(url, within=_WITHIN, allow_networks=self._allow_networks)
            ): _is_named(url)
            for url in urls
        }
        waiting = set(reaching)
        give_up = asyncio.get_running_loop().time() + _END_SECONDS
        try:
            while waiting and asked.judge() is not OwnNetwork.WELL:
                left = give_up - asyncio.get_running_loop().time()
                done, waiting = await asyncio.wait(
                    waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    break
                for task in done:
                    asked.take(task.result(), is_named=reaching[task])
        finally:
            for task in reaching:
                task.cancel()
            await asyncio.gather(*reaching, return_exceptions=True)
        return asked.judge()

    def _witnesses_for(self, but: str) -> Sequence[str]:
        """Return the sites that answered last, one a network, the newest last, without ``but``."""
        return [url for url in self._witnesses.values() if url != but]

    def _settle(self, asking: asyncio.Task[OwnNetwork]) -> None:
        self._asking = None
        if not asking.cancelled() and asking.exception() is None:
            self._last = asking.result()
            self._holds_until = asyncio.get_running_loop().time() + _KEPT_SECONDS


def _is_named(url: str) -> bool:
    """Tell whether reaching ``url`` needs a name server."""
    try:
        ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return True
    return False


def _network_of(address: str | None) -> str | None:
    """Return the network that a public address lies in, as text; None for any other."""
    if address is None:
        return None
    try:
        found = ip_address(address)
    except ValueError:
        return None
    if not found.is_global:
        return None
    return str(ip_network(f"{address}/{24 if found.version == 4 else 48}", strict=False))
