"""The entry of every process of the service: ``run`` is what the command line calls."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

import structlog

from monitor.kept_configuration import KeptConfiguration
from monitor.logs import set_up_logs
from monitor.notify_socket import NotifySocket
from monitor.pulse import Pulse
from monitor.reloading import Loads, Reloads
from monitor.service import Beat, Role, give_none, prepare_store
from monitor.settings import Settings
from monitor.settings.load import load
from monitor.supervisor import ROLES, Launch, Supervisor
from monitor.watchdog import Watchdog
from tickets.clock import Clock, SystemClock
from tickets.store import Store

log = structlog.get_logger()


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


def heed_supervisor(stop: asyncio.Event, loads: Loads) -> None:
    """Listen to standard input: it ends when the supervisor that held it open is gone.

    Then ``stop`` is set. Until then it tells how reloads went.
    """
    loop = asyncio.get_running_loop()

    def read() -> None:
        heard = os.read(sys.stdin.fileno(), 1024)
        loads.hear(heard)
        if not heard:
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
    pulse: int | None = None,
) -> int:
    """Run the service, or one ``role`` of it, until a signal comes; return the exit code.

    ``pulse`` is the descriptor of a supervised role's signs of life. Who is not supervised reports
    to the service manager, if there is one.

    Raises ``Misconfigured`` before anything is started, and ``Unavailable`` when the store does not
    answer at the start.
    """
    clock = SystemClock()
    set_up_logs(part="supervisor" if role == "all" else role)
    read = partial(load, config, environ=environ, overrides={"web.listen": listen})
    settings = read()
    if not supervised:
        prepare(settings, location=location, clock=clock)
    notify = NotifySocket.from_environ(environ, pid=os.getpid())
    watchdog = Watchdog(notify, ROLES if role == "all" else (role,), clock=clock)

    def read_anew() -> Settings:
        settings = read()
        prepare(settings, location=location, clock=clock)
        return settings

    if role == "all":
        with KeptConfiguration(config) as kept:
            launch = Launch(config=kept.path, location=location, listen=listen)

            def keep_anew() -> None:
                read_anew()
                kept.keep()

            reloads = Reloads(config, keep_anew)
            return asyncio.run(_supervise(launch, reloads, watchdog, clock=clock))
    make = partial(
        _make_role, role, location=location, holder=holder or secrets.token_hex(8), clock=clock
    )
    if supervised:
        return asyncio.run(_run_supervised(make, settings, None if pulse is None else Pulse(pulse)))
    return asyncio.run(
        _run_alone(make, settings, reloads=Reloads(config, read_anew), watchdog=watchdog, role=role)
    )


def _make_role(
    role: str,
    settings: Settings,
    *,
    location: str,
    holder: str,
    clock: Clock,
    beat: Beat,
    loads: Loads,
) -> Role:
    """Build one role; each is imported only in the process that runs it."""
    match role:
        case "prober":
            from monitor.roles.prober import ProberRole

            return ProberRole(
                settings=settings, location=location, holder=holder, clock=clock, beat=beat
            )
        case "desk":
            from monitor.roles.desk import DeskRole

            return DeskRole(settings=settings, holder=holder, clock=clock, beat=beat, loads=loads)
        case _:
            from monitor.roles.delivery import DeliveryRole

            return DeliveryRole(settings=settings, holder=holder, clock=clock, beat=beat)


def prepare(settings: Settings, *, location: str, clock: Clock) -> None:
    """Bring the store's schema up to date and its sites in line with the settings."""
    from monitor.migrations import upgrade  # its library need not stand in memory beside the probes

    store = Store(settings.store.url)
    try:
        upgrade(store)
        prepare_store(store, settings, location=location, clock=clock)
    finally:
        store.close()


class _Make(Protocol):
    """Builds the role of this process from settings."""

    def __call__(self, settings: Settings, /, *, beat: Beat, loads: Loads) -> Role: ...


async def _supervise(
    launch: Launch, reloads: Reloads[None], watchdog: Watchdog, *, clock: Clock
) -> int:
    """Run all roles; on a reload each is started anew with the configuration that was kept."""
    stop = asyncio.Event()
    came = stop_on_signals(stop)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reloads.order)
    supervisor = Supervisor(ROLES, launch, clock=clock, note=watchdog.note, asked=reloads.ask)

    async def reload_whenever_asked() -> None:
        while True:
            await reloads.next(supervisor.tell)
            watchdog.reloading()
            await supervisor.restart()
            log.info("supervisor.reloaded")

    works = (reload_whenever_asked(), watchdog.run(), _tell_stop(stop, watchdog))
    beside = [asyncio.create_task(work) for work in works]
    try:
        await supervisor.run(stop)
    finally:
        for task in beside:
            task.cancel()
    return 128 + came[0] if came else 0


async def _run_supervised(make: _Make, settings: Settings, pulse: Pulse | None) -> int:
    """Run one role for a supervisor, which watches it and starts it anew."""
    stop = asyncio.Event()
    came = stop_on_signals(stop)
    loads = Loads(None if pulse is None else pulse.ask)
    heed_supervisor(stop, loads)
    await make(settings, beat=give_none if pulse is None else pulse.beat, loads=loads).run(stop)
    return 128 + came[0] if came else 0


async def _run_alone(
    make: _Make, settings: Settings, *, reloads: Reloads[Settings], watchdog: Watchdog, role: str
) -> int:
    """Run one role that nobody supervises; on a reload it ends in order and begins anew here."""
    stop = asyncio.Event()
    came = stop_on_signals(stop)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reloads.order)
    loads = Loads(reloads.ask)
    beat = partial(watchdog.note, role)
    works = (watchdog.run(), _tell_stop(stop, watchdog))
    beside = [asyncio.create_task(work) for work in works]
    latest: Settings | None = settings
    try:
        while latest is not None and not stop.is_set():
            part, latest = make(latest, beat=beat, loads=loads), None
            ending = asyncio.Event()
            loading = asyncio.create_task(reloads.next(loads.hear))
            ender = asyncio.create_task(_end(ending, stop, loading, watchdog))
            try:
                await part.run(ending)
            finally:
                ender.cancel()
                if not loading.cancel():
                    latest = loading.result()
                    log.info("supervisor.reloaded", sites=latest.count_sites())
    finally:
        for task in beside:
            task.cancel()
    return 128 + came[0] if came else 0


async def _end(
    ending: asyncio.Event,
    stop: asyncio.Event,
    loading: asyncio.Task[Settings],
    watchdog: Watchdog,
) -> None:
    """Set ``ending`` once a stop was asked for or another configuration is there."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({stopping, loading}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if loading.done():
        watchdog.reloading()
    ending.set()


async def _tell_stop(stop: asyncio.Event, watchdog: Watchdog) -> None:
    await stop.wait()
    watchdog.stopping()
