"""Starts the roles as processes of their own, starts the dead again, stops all in order.

Also the entry of every process of the service: ``run`` is what the command line calls.

A child holds the reading end of a pipe whose writing end only the supervisor has: should the
supervisor be killed, the pipe closes and every child stops by itself. Whatever a child was doing is
in the store, or is done again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol, TextIO

import structlog

from monitor.logs import set_up_logs
from monitor.service import Role, prepare_store
from monitor.settings import Settings
from monitor.settings.load import load
from tickets.clock import Clock, SystemClock
from tickets.errors import Misconfigured, Unavailable
from tickets.store import Store

log = structlog.get_logger()

STOP_WITHIN = {"prober": 2.5, "desk": 7.0}
"""Seconds that each role gets to stop in order before it is killed; 10 together at the most."""

ROLES = tuple(STOP_WITHIN)
"""The roles that ``all`` stands for, in the order in which they stop."""

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 10.0
"""Seconds before a dead role is started again: doubled each time, forgotten after a calm minute."""

CALM_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How the command line of a role is made: the configuration and what was said beside it."""

    config: Path
    location: str
    listen: str | None = None
    holder: str = field(default_factory=lambda: secrets.token_hex(8))

    def command(self, role: str) -> list[str]:
        """Return the command that runs ``role`` as a supervised child."""
        words = [sys.executable, "-m", "monitor", "run", "--supervised", "--role", role]
        words += ["--config", str(self.config), "--location", self.location]
        words += ["--holder", self.holder]
        if self.listen is not None:
            words += ["--listen", self.listen]
        return words


class Command(Protocol):
    """Tells how a role is started."""

    def command(self, role: str) -> Sequence[str]:
        """Return the words of the command that runs ``role`` as a supervised child."""
        ...


class Supervisor:
    """Keeps one process per role running until it is told to stop."""

    def __init__(
        self,
        roles: Sequence[str],
        launch: Command,
        *,
        clock: Clock,
        stderr: TextIO | None = None,
    ) -> None:
        self._roles = roles
        self._launch = launch
        self._clock = clock
        self._stderr = stderr
        self._children: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Run the roles until ``stop`` is set."""
        keepers = [asyncio.create_task(self._keep(role)) for role in self._roles]
        try:
            await _until_first(stop, keepers)
        finally:
            self._stopping.set()
            for role in self._roles:
                await self._stop_child(role)
            await asyncio.gather(*keepers)

    async def _keep(self, role: str) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            started = self._clock.monotonic()
            child = await asyncio.create_subprocess_exec(
                *self._launch.command(role), stdin=asyncio.subprocess.PIPE, stderr=self._stderr
            )
            self._children[role] = child
            log.info("supervisor.role_started", role=role, pid=child.pid)
            if self._stopping.is_set():
                # The stop came while the child was being started and has not seen it.
                await self._stop_child(role)
                return
            code = await child.wait()
            if self._stopping.is_set():
                return
            lived = self._clock.monotonic() - started
            pause = FIRST_PAUSE if lived > CALM_SECONDS or code == 0 else pause
            log.warning("supervisor.role_ended", role=role, pid=child.pid, code=code, pause=pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def pids(self) -> dict[str, int]:
        """Return the process of each role that runs now."""
        return {
            role: child.pid for role, child in self._children.items() if child.returncode is None
        }

    async def restart(self) -> None:
        """Stop each role in order; it is started again at once, with the settings as they are."""
        for role in self._roles:
            await self._stop_child(role)

    async def _stop_child(self, role: str) -> None:
        child = self._children.get(role)
        if child is None or child.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        try:
            await asyncio.wait_for(child.wait(), STOP_WITHIN[role])
        except TimeoutError:
            log.warning("supervisor.role_killed", role=role, pid=child.pid)
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()


async def _until_first(stop: asyncio.Event, tasks: Sequence[asyncio.Task[None]]) -> None:
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()


def stop_on_signals(stop: asyncio.Event) -> list[int]:
    """Set ``stop`` on SIGTERM and SIGINT; the returned list holds what came, in order."""
    came: list[int] = []

    def note(number: int) -> None:
        came.append(number)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, note, number)
    return came


def stop_with_supervisor(stop: asyncio.Event) -> None:
    """Set ``stop`` when standard input ends: the supervisor that held it open is gone."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            loop.remove_reader(sys.stdin.fileno())
            log.warning("supervisor.gone")
            stop.set()

    loop.add_reader(sys.stdin.fileno(), read)


def run(
    config: Path,
    *,
    environ: Mapping[str, str],
    role: str = "all",
    location: str = "main",
    listen: str | None = None,
    supervised: bool = False,
    holder: str | None = None,
) -> int:
    """Run the service, or one ``role`` of it, until a signal comes; return the exit code.

    Raises ``Misconfigured`` before anything is started, and ``Unavailable`` when the store does not
    answer at the start.
    """
    clock = SystemClock()
    set_up_logs(part="supervisor" if role == "all" else role)
    read = partial(load, config, environ=environ, overrides={"web.listen": listen})
    settings = read()
    if not supervised:
        prepare(settings, location=location, clock=clock)
    if role == "all":
        launch = Launch(config=config, location=location, listen=listen)
        supervisor = Supervisor(ROLES, launch, clock=clock)
        return asyncio.run(_supervise(supervisor, read, location=location, clock=clock))
    part = _make_role(role, settings, location=location, holder=holder, clock=clock)
    return asyncio.run(_run_role(part, supervised=supervised))


def _make_role(
    role: str, settings: Settings, *, location: str, holder: str | None, clock: Clock
) -> Role:
    """Build one role; each is imported only in the process that runs it."""
    holder = holder or secrets.token_hex(8)
    match role:
        case "prober":
            from monitor.roles.prober import ProberRole

            return ProberRole(settings=settings, location=location, holder=holder, clock=clock)
        case "desk":
            from monitor.roles.desk import DeskRole

            return DeskRole(settings=settings, holder=holder, clock=clock)
        case _:
            from monitor.roles.delivery import DeliveryRole

            return DeliveryRole(settings=settings, holder=holder, clock=clock)


def prepare(settings: Settings, *, location: str, clock: Clock) -> None:
    """Bring the store's schema up to date and its sites in line with the settings."""
    from monitor.migrations import upgrade  # its library need not stand in memory beside the probes

    store = Store(settings.store.url)
    try:
        upgrade(store)
        prepare_store(store, settings, location=location, clock=clock)
    finally:
        store.close()


async def _supervise(
    supervisor: Supervisor, read: Callable[[], Settings], *, location: str, clock: Clock
) -> int:
    stop = asyncio.Event()
    came = stop_on_signals(stop)
    reload = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload.set)

    async def reload_on_signal() -> None:
        while True:
            await reload.wait()
            reload.clear()
            try:
                settings = read()
                await asyncio.to_thread(prepare, settings, location=location, clock=clock)
            except (Misconfigured, Unavailable) as error:
                # The old configuration goes on: a slip of the pen must not stop the watch.
                log.warning("supervisor.reload_refused", fault=str(error))
                continue
            await supervisor.restart()
            log.info("supervisor.reloaded", sites=settings.count_sites())

    reloading = asyncio.create_task(reload_on_signal())
    try:
        await supervisor.run(stop)
    finally:
        reloading.cancel()
    return 128 + came[0] if came else 0


async def _run_role(part: Role, *, supervised: bool) -> int:
    stop = asyncio.Event()
    came = stop_on_signals(stop)
    if supervised:
        stop_with_supervisor(stop)
    await part.run(stop)
    return 128 + came[0] if came else 0
