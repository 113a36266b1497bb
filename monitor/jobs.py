"""Periodic work of one process, on APScheduler, immune to steps of the wall clock.

APScheduler waits for wall-clock times, so a step back stops it and its default of one second's
grace drops late runs in silence. Here no run is dropped for lateness, and when the monotonic clock
shows that the first job has fallen silent, every job is armed again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler  # pyright: ignore[reportMissingTypeStubs] (APScheduler is untyped)
from apscheduler.triggers.interval import IntervalTrigger  # pyright: ignore[reportMissingTypeStubs] (the same)

from tickets.clock import Clock
from tickets.errors import Unavailable

log = structlog.get_logger()

Work = Callable[[], Awaitable[None]]

SILENT_AFTER = 3.0
"""Seconds beyond its period after which a job that did not run is armed again."""


class Jobs:
    """Runs pieces of work each at its own period, one run of each at a time.

    ``runs`` counts them by name and outcome. A run that raises ``Unavailable`` is tried again at
    its next time; any other error ends ``run`` and is raised there.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self._periods: dict[str, float] = {}
        self._ran_at: dict[str, float] = {}
        self._failure: asyncio.Future[None] | None = None
        self.runs: dict[str, dict[str, int]] = {}

    def count(self, name: str, outcome: str, times: int = 1) -> None:
        """Count a run of the job ``name``: ok, skipped (put off), or error."""
        outcomes = self.runs.setdefault(name, {})
        outcomes[outcome] = outcomes.get(outcome, 0) + times

    def every(self, seconds: int, name: str, work: Work) -> None:
        """Do ``work`` every ``seconds``, first one period from the start."""
        self._periods[name] = seconds
        self._scheduler.add_job(  # pyright: ignore[reportUnknownMemberType] (APScheduler is untyped)
            self._run_one, IntervalTrigger(seconds=seconds), args=[name, work], id=name
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Run the jobs until ``stop`` is set or one fails; raises what it failed with."""
        self._failure = asyncio.get_running_loop().create_future()
        now = self._clock.monotonic()
        self._ran_at = dict.fromkeys(self._periods, now)
        self._scheduler.start()
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stopping.done() and not self._failure.done():
                await asyncio.wait(
                    {stopping, self._failure}, timeout=1, return_when=asyncio.FIRST_COMPLETED
                )
                self._rearm_silent()
        finally:
            stopping.cancel()
            self._scheduler.shutdown(wait=False)
        if self._failure.done():
            self._failure.result()

    async def _run_one(self, name: str, work: Work) -> None:
        self._ran_at[name] = self._clock.monotonic()
        try:
            await work()
            self.count(name, "ok")
        except Unavailable as error:
            self.count(name, "skipped")
            log.warning("jobs.run_deferred", job=name, fault=str(error))
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self.count(name, "error")
            log.exception("jobs.run_failed", job=name)
            if self._failure is not None and not self._failure.done():
                self._failure.set_exception(error)

    def _rearm_silent(self) -> None:
        now = self._clock.monotonic()
        for name, period in self._periods.items():
            if now - self._ran_at[name] > period + SILENT_AFTER:
                log.warning("jobs.rearmed", job=name, silent_seconds=now - self._ran_at[name])
                self._ran_at[name] = now
                self._scheduler.modify_job(name, next_run_time=self._clock.now())  # pyright: ignore[reportUnknownMemberType] (APScheduler is untyped)
