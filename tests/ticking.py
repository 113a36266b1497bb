"""A ticker on fakes, whose seconds pass when told to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from monitor.ledger import Confirmed
from monitor.readings import Document, Readings
from monitor.rules.observation import Cause, Observation
from monitor.rules.site import Site
from monitor.rules.verdict import Verdict
from monitor.ticker import Ticker
from monitor.watched import Watched
from tests.builders import an_observation
from tests.clocks import FakeClock
from tickets.errors import Unavailable

Answer = Callable[[], Observation]


class FakeProber:
    """Answers with what it was told, and remembers when each site was probed.

    Sites in ``hanging`` answer only after so many seconds (see ``release``).
    """

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.answers: dict[str, Answer] = {}
        self.probed: list[tuple[float, str]] = []
        self.gate: asyncio.Event | None = None
        self.hanging: dict[str, float] = {}
        self._until: list[tuple[float, asyncio.Event]] = []

    def release(self) -> None:
        """End the probes that have hung for as long as their site hangs."""
        for until, event in self._until:
            if until <= self._clock.monotonic():
                event.set()
        self._until = [one for one in self._until if not one[1].is_set()]

    async def probe(self, site: Site, *, started_at: datetime) -> Observation:
        self.probed.append((self._clock.monotonic(), site.slug))
        if self.gate is not None:
            await self.gate.wait()
        if site.slug in self.hanging:
            event = asyncio.Event()
            self._until.append((self._clock.monotonic() + self.hanging[site.slug], event))
            await event.wait()
        answer = self.answers.get(site.slug, an_observation)()
        return replace(answer, url=site.url, started_at=started_at)


class FakeExcuser:
    """Blames nobody, or our own network when told that it is dead; ``looks`` tell it by look."""

    def __init__(self) -> None:
        self.is_well = True
        self.looks: Iterator[bool] = iter(())

    def note(self, observation: Observation) -> None:
        """Take no note."""

    async def excuse(self, observation: Observation) -> Observation:
        if next(self.looks, self.is_well):
            return observation
        return replace(observation, cause=Cause.OWN_NETWORK, message="our own network is dead")


class Rig:
    """A ticker on fakes whose seconds pass when told to."""

    def __init__(self, *sites: Site, concurrency: int = 100, is_spread: bool = False) -> None:
        self.clock = FakeClock()
        self.prober = FakeProber(self.clock)
        self.excuser = FakeExcuser()
        self.readings = Readings("main")
        self.waits: list[float] = []
        self.recorded: list[Confirmed] = []
        self.store_is_away = False
        self.watched = {site.slug: Watched(site=site, client_name="Harbour Inns") for site in sites}
        self.ticker = Ticker(
            self.watched,
            prober=self.prober,
            excuser=self.excuser,
            readings=self.readings,
            record=self._record,
            clock=self.clock,
            concurrency=concurrency,
            wait=self._wait if is_spread else None,
        )

    async def _wait(self, seconds: float) -> None:
        for _ in range(4):
            await asyncio.sleep(0)
        self.waits.append(seconds)
        self.clock.advance(seconds)

    async def _record(self, confirmed: Confirmed) -> None:
        if self.store_is_away:
            raise Unavailable("the store does not answer")
        self.recorded.append(confirmed)

    async def run(self, seconds: int) -> None:
        """Let seconds pass, a tick each, every probe ending within its second."""
        for _ in range(seconds):
            self.clock.advance(1)
            await self.ticker.tick()
            await self.ticker.settle()

    async def run_unsettled(self, seconds: int) -> None:
        """Let seconds pass, a tick each, while probes go on beyond their second."""
        for _ in range(seconds):
            self.clock.advance(1)
            self.prober.release()
            await self.ticker.tick()
            for _ in range(8):
                await asyncio.sleep(0)

    async def counts(self) -> Mapping[str, Document]:
        """Flush the readings and return the changes by site."""
        flushed: list[Document] = []

        async def write(changes: list[Document]) -> None:
            flushed.extend(changes)

        await self.readings.flush(write)
        return {change["the_site"]: change for change in flushed}

    def afters(self) -> list[Verdict]:
        """Return the verdicts that were recorded, in order."""
        return [confirmed.transition.after for confirmed in self.recorded]
