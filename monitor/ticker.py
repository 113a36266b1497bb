"""The clock of a prober: every second, launch the probes that are due; carry each to its end.

APScheduler gives the ticks; the cadence is measured on the monotonic clock, so a step of the wall
clock neither bunches nor stops it. Probes never wait for the store: observations are folded in
memory, and a transition that cannot be recorded now is confirmed again by the next probe.

After a gap, in which the process was stopped or the host asleep, connections and lookups may be
stale: each site's first bad look that was under way then or came next is not believed.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

import structlog

from monitor.ledger import Confirmed
from monitor.readings import Readings
from monitor.rules.gap import Gaps
from monitor.rules.maintenance import maintenance_until
from monitor.rules.observation import Cause, Observation
from monitor.rules.sight import LONG_UNSEEN, Tally
from monitor.rules.site import Site
from monitor.rules.streak import Streak, Transition, advance
from monitor.rules.verdict import Judgement, Verdict, judge
from monitor.rules.wheel import STEPS, Wheel, step_of
from monitor.watched import Figures, Watched
from tickets.clock import Clock
from tickets.errors import Unavailable

log = structlog.get_logger()

LONG_SHARE = 0.5
"""Share of its timeout from which a probe is long: sites whose last one was share some places."""

LONG_PLACES = 0.75
"""Share of all places that long probes may take at once, so that they cannot starve the others."""


class Prober(Protocol):
    """Probes one site once; a site that does not answer is an observation, never an error."""

    async def probe(self, site: Site, *, started_at: datetime) -> Observation:
        """Return what one probe of ``site`` saw."""
        ...


class Excuser(Protocol):
    """Tells whether a bad observation is our own network's fault."""

    def note(self, observation: Observation) -> None:
        """Take note of an answer, which shows that the way to its site is open."""
        ...

    async def excuse(self, observation: Observation) -> Observation:
        """Return the observation, with an ``own_...`` cause if the fault is ours."""
        ...


Wait = Callable[[float], Awaitable[None]]
"""Waits for so many seconds."""

Recorder = Callable[[Confirmed], Awaitable[None]]
"""Records a transition in the store; raises ``Unavailable`` when it cannot now."""


class Ticker:
    """Launches probes in their slots and turns observations into readings and transitions.

    With ``wait`` the probes of a slot start in twenty steps spread over its second; without, all
    at once.
    """

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
        wait: Wait | None = None,
    ) -> None:
        self._watched = watched
        self._wheel = Wheel(entry.site for entry in watched.values())
        self._prober = prober
        self._excuser = excuser
        self._readings = readings
        self._record = record
        self._clock = clock
        self._wait = wait
        self._gate = asyncio.Semaphore(concurrency)
        self._long_gate = asyncio.Semaphore(max(1, int(concurrency * LONG_PLACES)))
        # The wheel turns with the monotonic clock from where the wall clock stands at the start:
        # slots are the same after a restart, and a step of the wall clock later moves nothing.
        self._offset = clock.now().timestamp() - clock.monotonic()
        self._position = int(self._offset + clock.monotonic())
        self._gaps = Gaps(clock.monotonic(), clock.now().timestamp())
        self._again: list[tuple[float, str]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.figures = Figures()
        self.tally = Tally()
        self.ticked_at: datetime | None = None

    async def tick(self) -> None:
        """Launch every probe that has come due since the last tick."""
        now = self._clock.monotonic()
        self.ticked_at = self._clock.now()
        if self._gaps.look(now, self.ticked_at.timestamp()):
            log.warning("ticker.gap_seen", words=self._gaps.words)
        position = int(self._offset + now)
        turn = self._wheel.turn(self._position, position)
        self._position = position
        for site, slots in turn.missed:
            self._miss(site.slug, slots)
        self._launch_all(turn.due, due=position - self._offset)
        while self._again and self._again[0][0] <= now:
            due, slug = heapq.heappop(self._again)
            watched = self._watched[slug]
            watched.is_looked_at_again = False
            if not watched.is_running:
                self._launch(watched, due=due)

    def take_tally(self) -> Tally:
        """Return what was seen and not seen since the last call, and begin anew."""
        tally, self.tally = self.tally, Tally()
        edge = self._clock.monotonic() - LONG_UNSEEN.total_seconds()
        tally.long_unseen = sum(
            watched.unseen_since is not None and watched.unseen_since < edge
            for watched in self._watched.values()
        )
        return tally

    async def drain(self) -> None:
        """Cancel the probes in flight and wait for them; what they saw is unknown, not bad."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def settle(self) -> None:
        """Wait until no probe is in flight; for tests and orderly measurements."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _launch_all(self, sites: Sequence[Site], *, due: float) -> None:
        if self._wait is None or not sites:
            for site in sites:
                self._launch(self._watched[site.slug], due=due)
            return
        steps: dict[int, list[Watched]] = {}
        for site in sites:
            steps.setdefault(step_of(site.slug), []).append(self._watched[site.slug])
        self._keep(asyncio.create_task(self._spread(steps, due, self._wait), name="spread"))

    async def _spread(self, steps: Mapping[int, list[Watched]], due: float, wait: Wait) -> None:
        began = self._clock.monotonic()
        for step in sorted(steps):
            ahead = began + step / STEPS - self._clock.monotonic()
            if ahead > 0:
                await wait(ahead)
            for watched in steps[step]:
                self._launch(watched, due=due + step / STEPS)

    def _miss(self, slug: str, slots: int) -> None:
        self.figures.missed += slots
        self._readings.miss(slug, slots)
        self.tally.unwatch(Cause.MISSED, at=self._clock.now(), slots=slots)

    def _launch(self, watched: Watched, *, due: float) -> None:
        if watched.is_running:
            self.figures.skipped += 1
            self._readings.miss(watched.site.slug)
            self.tally.unwatch(Cause.MISSED, at=self._clock.now())
            return
        watched.is_running = True
        self.figures.due += 1
        run = self._run_long if watched.is_long else self._run
        self._keep(asyncio.create_task(run(watched, due), name=f"probe {watched.site.slug}"))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_long(self, watched: Watched, due: float) -> None:
        async with self._long_gate:
            await self._run(watched, due)

    async def _run(self, watched: Watched, due: float) -> None:
        try:
            async with self._gate:
                self.figures.due -= 1
                self.figures.in_flight += 1
                self.figures.note_lateness(self._clock.monotonic() - due)
                gap = self._gaps.count
                try:
                    observation = await self._look(watched)
                finally:
                    self.figures.in_flight -= 1
            await self._take(watched, observation, gap=gap)
            self.figures.ok += 1
        except Exception:
            # A loop edge: one site that trips over a fault of ours must not stop the others.
            self.figures.error += 1
            log.exception("ticker.probe_failed", site=watched.site.slug)
        finally:
            watched.is_running = False

    async def _look(self, watched: Watched) -> Observation:
        site, began = watched.site, self._clock.monotonic()
        observation = await self._prober.probe(site, started_at=self._clock.now())
        took = self._clock.monotonic() - began
        watched.is_long = took > LONG_SHARE * site.timeout.total_seconds()
        self._excuser.note(observation)
        return observation

    async def _take(self, watched: Watched, observation: Observation, *, gap: int) -> None:
        """Judge what was seen and record what follows; ``gap`` is the newest when it began."""
        site = watched.site
        if watched.gap != self._gaps.count:
            observation = self._doubt(observation, site)
            watched.gap = gap  # the doubt stays for the next probe if this one began before the gap
        if observation.cause is not None:
            observation = await self._excuser.excuse(observation)
        judgement = judge(observation, slow_after=site.slow_after)
        self._readings.add(site.slug, observation, judgement, ended_at=self._clock.now())
        self._count(watched, observation, judgement)
        self._remember(watched, observation, judgement)
        streak, transition = advance(
            watched.streak,
            judgement.verdict,
            at=observation.started_at,
            confirmation=site.confirmation,
        )
        is_held = (
            judgement.verdict is not Verdict.UP
            and maintenance_until(site.maintenance, observation.started_at) is not None
        )
        if transition is not None and is_held:
            # Believe nothing bad yet: the first probe after the window confirms it again.
            streak = replace(streak, settled=watched.streak.settled)
        elif transition is not None:
            streak = await self._confirm(watched, streak, transition, (observation, judgement))
        watched.streak = streak
        if judgement.verdict is Verdict.UNKNOWN or watched.is_looked_at_again or is_held:
            return
        if streak.is_in_doubt:
            # One quick look at a time: each regular probe would otherwise begin a chain of its own.
            watched.is_looked_at_again = True
            again = self._clock.monotonic() + site.confirmation.retry_after.total_seconds()
            heapq.heappush(self._again, (again, site.slug))

    def _doubt(self, observation: Observation, site: Site) -> Observation:
        """Return a bad observation with the blame on us: it is the first after a gap."""
        if judge(observation, slow_after=site.slow_after).verdict is Verdict.UP:
            return observation
        message = f"the prober {self._gaps.words}: the first look after that does not count"
        return replace(observation, cause=Cause.OWN_STALL, message=message)

    def _count(self, watched: Watched, observation: Observation, judgement: Judgement) -> None:
        if judgement.verdict is Verdict.UNKNOWN and judgement.cause is not None:
            self.tally.unwatch(judgement.cause, at=observation.started_at)
            watched.unseen_since = watched.unseen_since or self._clock.monotonic()
        else:
            self.tally.watched += 1
            watched.unseen_since = None
            if observation.http_status is not None:
                self.figures.note_answer(watched.site.client, observation.duration_seconds)

    def _remember(self, watched: Watched, observation: Observation, judgement: Judgement) -> None:
        """Keep the first bad observation of a run: what failed first is the best evidence."""
        match judgement.verdict:
            case Verdict.UP:
                watched.first_bad = None
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
        )
        try:
            await self._record(confirmed)
        except Unavailable as error:
            # The store is away: believe nothing yet, so that the next probe confirms it again.
            log.warning("ticker.record_deferred", site=watched.site.slug, fault=str(error))
            return replace(streak, settled=watched.streak.settled)
        return streak
