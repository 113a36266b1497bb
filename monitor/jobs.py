"""Periodic work of one process, on APScheduler, immune to steps of the wall clock.

APScheduler waits for wall-clock times, so a step back stops it, a step of years ahead has it count
every run in between, and its default of one second's grace drops late runs in silence. Here no run
is dropped for lateness, the next run follows from the present alone, and a step of the wall clock
or the silence of a job arms the jobs again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler  # pyright: ignore[reportMissingTypeStubs] (APScheduler is untyped)
from apscheduler.triggers.base import BaseTrigger  # pyright: ignore[reportMissingTypeStubs] (the same)

from tickets.clock import Clock
from tickets.errors import Unavailable

log = structlog.get_logger()

Work = Callable[[], Awaitable[None]]

SILENT_AFTER = 3.0
"""Seconds beyond its period after which a job that did not run is armed again."""


STEP_SECONDS = 0.5
"""How far the wall clock may stray from the monotonic one in a second before it was stepped."""


class _Every(BaseTrigger):
    """Fires at whole multiples of its period of the wall clock, whatever that clock has done.

    APScheduler's own trigger goes on from the last run, through every run that a jump left out.
    """

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds

    def get_next_fire_time(  # pyright: ignore[reportIncompatibleMethodOverride] (the base has no types)
        self, previous_fire_time: datetime | None, now: datetime
    ) -> datetime | None:
        """Return the first multiple of the period after ``now``."""
        turns = now.timestamp() // self._seconds + 1
        return datetime.fromtimestamp(turns * self._seconds, tz=UTC)


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
        self._offset = 0.0
        self._failure: asyncio.Future[None] | None = None
        self.runs: dict[str, dict[str, int]] = {}

    def count(self, name: str, outcome: str, times: int = 1) -> None:
        """Count a run of the job ``name``: ok, skipped (put off), or error."""
        outcomes = self.runs.setdefault(name, {})
        outcomes[outcome] = outcomes.get(outcome, 0) + times

    def every(self, seconds: int, name: str, work: Work) -> None:
        """Do ``work`` at every whole multiple of ``seconds`` of the wall clock."""
        self._periods[name] = seconds
        self._scheduler.add_job(  # pyright: ignore[reportUnknownMemberType] (APScheduler is untyped)
            self._run_one, _Every(seconds), args=[name, work], id=name
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Run the jobs until ``stop`` is set or one fails; raises what it failed with."""
        self._failure = asyncio.get_running_loop().create_future()
        now = self._clock.monotonic()
        self._ran_at = dict.fromkeys(self._periods, now)
        self._offset = self._clock.now().timestamp() - now
        self._scheduler.start()
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stopping.done() and not self._failure.done():
                await asyncio.wait(
                    {stopping, self._failure}, timeout=1, return_when=asyncio.FIRST_COMPLETED
                )
                self._rearm()
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

    def _rearm(self) -> None:
        """Arm every job after a step of the wall clock, else those that have fallen silent."""
        now = self._clock.monotonic()
        offset = self._clock.now().timestamp() - now
        stepped, self._offset = offset - self._offset, offset
        if abs(stepped) > STEP_SECONDS:
            log.warning("jobs.clock_stepped", seconds=round(stepped, 1))
        for name, period in self._periods.items():
            silent = now - self._ran_at[name]
            if silent > period + SILENT_AFTER:
                log.warning("jobs.rearmed", job=name, silent_seconds=round(silent, 1))
                self._ran_at[name] = now
            elif stepped >= -STEP_SECONDS:
                continue  # a step ahead only makes a job run sooner, which it does by itself
            self._scheduler.modify_job(name, next_run_time=self._clock.now())  # pyright: ignore[reportUnknownMemberType] (APScheduler is untyped)
