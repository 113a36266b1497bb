"""The clock of a prober: every second, launch the probes that are due; carry each to its end.

APScheduler gives the ticks; the cadence is measured on the monotonic clock, so a step of the wall
clock neither bunches nor stops it. Probes never wait for the store: observations are folded in
memory, and a transition that cannot be recorded now is confirmed again by the next probe.
"""

from __future__ import annotations

import asyncio
import heapq
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

import structlog

from monitor.ledger import Confirmed
from monitor.readings import Readings, observation_document
from monitor.rules.observation import Cause, Observation
from monitor.rules.site import Site
from monitor.rules.streak import Streak, Transition, advance
from monitor.rules.verdict import Judgement, Verdict, judge
from monitor.rules.wheel import Wheel
from tickets.clock import Clock
from tickets.errors import Unavailable

log = structlog.get_logger()

LATENESS_EDGES = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Upper edges, in seconds, of the histogram of how late probes start."""


class Prober(Protocol):
    """Probes one site once; a site that does not answer is an observation, never an error."""

    async def probe(self, site: Site, *, started_at: datetime) -> Observation:
        """Return what one probe of ``site`` saw."""
        ...


class Excuser(Protocol):
    """Tells whether a bad observation is our own network's fault."""

    async def excuse(self, observation: Observation) -> Observation:
        """Return the observation, with an ``own_...`` cause if the fault is ours."""
        ...


Recorder = Callable[[Confirmed], Awaitable[None]]
"""Records a transition in the store; raises ``Unavailable`` when it cannot now."""


@dataclass(slots=True)
class Watched:
    """One site as its prober knows it: its streak and the observations that tell what changed."""

    site: Site
    client_name: str
    streak: Streak = Streak()
    first_bad: tuple[Observation, Judgement] | None = None
    good: tuple[Observation, Judgement] | None = None
    stored_good: dict[str, Any] | None = None
    is_running: bool = False
    is_looked_at_again: bool = False


@dataclass(slots=True)
class Figures:
    """The scheduler's counters since it started."""

    ok: int = 0
    error: int = 0
    missed: int = 0
    skipped: int = 0
    in_flight: int = 0
    due: int = 0
    lateness: list[int] = field(default_factory=lambda: [0] * (len(LATENESS_EDGES) + 1))
    lateness_sum: float = 0.0

    def document(self) -> dict[str, Any]:
        """Return the figures as a JSON document for the store."""
        return {
            "runs": {
                "ok": self.ok,
                "error": self.error,
                "missed": self.missed,
                "skipped": self.skipped,
            },
            "in_flight": self.in_flight,
            "due": self.due,
            "lateness": {
                "buckets": list(self.lateness),
                "sum": self.lateness_sum,
                "count": sum(self.lateness),
            },
        }


class Ticker:
    """Launches probes in their slots and turns observations into readings and transitions."""

    def __init__(
        self,
        watched: Mapping[str, Watched],
        *,
        prober: Prober,
        excuser: Excuser,
        readings: Readings,
        record: Recorder,
        clock: Clock,
        concurrency: int,
    ) -> None:
        self._watched = watched
        self._wheel = Wheel(entry.site for entry in watched.values())
        self._prober = prober
        self._excuser = excuser
        self._readings = readings
        self._record = record
        self._clock = clock
        self._gate = asyncio.Semaphore(concurrency)
        # The wheel turns with the monotonic clock from where the wall clock stands at the start:
        # slots are the same after a restart, and a step of the wall clock later moves nothing.
        self._offset = clock.now().timestamp() - clock.monotonic()
        self._position = int(self._offset + clock.monotonic())
        self._again: list[tuple[float, str]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.figures = Figures()
        self.ticked_at: datetime | None = None

    async def tick(self) -> None:
        """Launch every probe that has come due since the last tick."""
        now = self._clock.monotonic()
        self.ticked_at = self._clock.now()
        position = int(self._offset + now)
        sites, missed = self._wheel.due(self._position, position)
        self._position = position
        self.figures.missed += missed
        for site in sites:
            self._launch(self._watched[site.slug], due=position - self._offset)
        while self._again and self._again[0][0] <= now:
            due, slug = heapq.heappop(self._again)
            watched = self._watched[slug]
            watched.is_looked_at_again = False
            if not watched.is_running:
                self._launch(watched, due=due)

    async def drain(self) -> None:
        """Cancel the probes in flight and wait for them; what they saw is unknown, not bad."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def settle(self) -> None:
        """Wait until no probe is in flight; for tests and orderly measurements."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _launch(self, watched: Watched, *, due: float) -> None:
        if watched.is_running:
            self.figures.skipped += 1
            self._readings.miss(watched.site.slug)
            return
        watched.is_running = True
        self.figures.due += 1
        task = asyncio.create_task(self._run(watched, due), name=f"probe {watched.site.slug}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, watched: Watched, due: float) -> None:
        try:
            async with self._gate:
                self.figures.due -= 1
                self.figures.in_flight += 1
                self._note_lateness(self._clock.monotonic() - due)
                try:
                    await self._probe(watched)
                    self.figures.ok += 1
                finally:
                    self.figures.in_flight -= 1
        except Exception:
            # A loop edge: one site that trips over a fault of ours must not stop the others.
            self.figures.error += 1
            log.exception("ticker.probe_failed", site=watched.site.slug)
        finally:
            watched.is_running = False

    def _note_lateness(self, seconds: float) -> None:
        seconds = max(seconds, 0.0)
        self.figures.lateness[bisect_left(LATENESS_EDGES, seconds)] += 1
        self.figures.lateness_sum += seconds

    async def _probe(self, watched: Watched) -> None:
        site = watched.site
        observation = await self._prober.probe(site, started_at=self._clock.now())
        if observation.cause is not None:
            observation = await self._excuser.excuse(observation)
        judgement = judge(observation, slow_after=site.slow_after)
        self._readings.add(site.slug, observation, judgement, ended_at=self._clock.now())
        self._remember(watched, observation, judgement)
        streak, transition = advance(
            watched.streak,
            judgement.verdict,
            at=observation.started_at,
            confirmation=site.confirmation,
        )
        if transition is not None:
            streak = await self._confirm(watched, streak, transition, (observation, judgement))
        watched.streak = streak
        if judgement.verdict is Verdict.UNKNOWN or watched.is_looked_at_again:
            return
        if streak.is_in_doubt:
            # One quick look at a time: each regular probe would otherwise begin a chain of its own.
            watched.is_looked_at_again = True
            again = self._clock.monotonic() + site.confirmation.retry_after.total_seconds()
            heapq.heappush(self._again, (again, site.slug))

    def _remember(self, watched: Watched, observation: Observation, judgement: Judgement) -> None:
        """Keep the first bad observation of a run: what failed first is the best evidence."""
        match judgement.verdict:
            case Verdict.UP:
                watched.first_bad, watched.good = None, (observation, judgement)
            case Verdict.DOWN:
                # A slow run that ends in an outage is not the evidence of the outage.
                if watched.first_bad is None or watched.first_bad[1].cause is Cause.SLOW:
                    watched.first_bad = (observation, judgement)
            case Verdict.SLOW:
                watched.first_bad = watched.first_bad or (observation, judgement)
            case Verdict.UNKNOWN:
                pass

    async def _confirm(
        self,
        watched: Watched,
        streak: Streak,
        transition: Transition,
        latest: tuple[Observation, Judgement],
    ) -> Streak:
        observation, judgement = latest
        if transition.after is not Verdict.UP and watched.first_bad is not None:
            observation, judgement = watched.first_bad
        confirmed = Confirmed(
            site=watched.site,
            client_name=watched.client_name,
            transition=transition,
            observation=observation,
            judgement=judgement,
            last_good=observation_document(*watched.good) if watched.good else watched.stored_good,
        )
        try:
            await self._record(confirmed)
        except Unavailable as error:
            # The store is away: believe nothing yet, so that the next probe confirms it again.
            log.warning("ticker.record_deferred", site=watched.site.slug, fault=str(error))
            return replace(streak, settled=watched.streak.settled)
        return streak
