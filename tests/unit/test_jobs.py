"""Periodic work goes on whatever the wall clock does: APScheduler alone would hang or sleep."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from monitor.jobs import Jobs
from tickets.clock import SystemClock


class SteppedClock(SystemClock):
    """The host's clock with a wall that can be stepped."""

    def __init__(self) -> None:
        self.step = timedelta()

    def now(self) -> datetime:
        return super().now() + self.step


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SteppedClock:
    """A stepped clock that APScheduler goes by as well."""
    clock = SteppedClock()

    class _Stepped(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return clock.now().astimezone(UTC)

    monkeypatch.setattr("apscheduler.schedulers.base.datetime", _Stepped)
    return clock


@pytest.mark.timeout(20)  # without care, ten years ahead are three hundred million runs
@pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(days=3653)])
async def test_a_step_of_the_clock_stops_no_job_and_bunches_none(
    clock: SteppedClock, step: timedelta
) -> None:
    jobs, stop = Jobs(clock), asyncio.Event()
    ran = asyncio.Event()
    count = 0

    async def work() -> None:
        nonlocal count
        count += 1
        ran.set()

    jobs.every(1, "tick", work)
    running = asyncio.create_task(jobs.run(stop))
    await ran.wait()
    ran.clear()
    clock.step = step
    await ran.wait()
    stop.set()
    await running
    assert count == 2
