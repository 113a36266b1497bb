"""The supervisor starts the dead again, and stops whatever moment it is told to."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from monitor.supervisor import Supervisor
from tickets.clock import SystemClock

_WAITS = "import time; time.sleep(600)"


@dataclass
class Children:
    """How roles are started: each runs ``first`` the first time, and waits ever after."""

    first: str = _WAITS
    started: list[str] = field(default_factory=list[str])
    again: asyncio.Event = field(default_factory=asyncio.Event)

    def command(self, role: str) -> Sequence[str]:
        is_first = role not in self.started
        self.started.append(role)
        if not is_first:
            self.again.set()
        return [sys.executable, "-c", self.first if is_first else _WAITS]


async def test_a_stop_that_comes_while_a_role_is_being_started_stops_it_too() -> None:
    supervisor = Supervisor(("prober", "desk"), Children(), clock=SystemClock())
    stop = asyncio.Event()
    running = asyncio.create_task(supervisor.run(stop))
    await asyncio.sleep(0)  # the children are asked for, none has been started
    stop.set()
    await asyncio.wait_for(running, 60)
    assert supervisor.pids() == {}


@pytest.mark.parametrize(
    "end", ["os.kill(os.getpid(), 9)", "os.kill(os.getpid(), 15)", "sys.exit(0)", "sys.exit(1)"]
)
async def test_a_role_that_ends_is_started_again_however_it_ended(end: str) -> None:
    children, stop = Children(first=f"import os, sys; {end}"), asyncio.Event()
    supervisor = Supervisor(("desk",), children, clock=SystemClock())
    running = asyncio.create_task(supervisor.run(stop))
    await asyncio.wait_for(children.again.wait(), 60)
    stop.set()
    await asyncio.wait_for(running, 60)
    assert children.started == ["desk", "desk"]
    assert supervisor.pids() == {}
