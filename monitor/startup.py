"""The entry of every process of the service: ``run`` is what the command line calls."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import structlog

from monitor.kept_configuration import KeptConfiguration
from monitor.logs import set_up_logs
from monitor.notify_socket import NotifySocket
from monitor.pulse import Pulse
from monitor.service import Beat, Role, prepare_store
from monitor.service_metrics import LastLoad
from monitor.settings import Settings
from monitor.settings.load import load
from monitor.supervisor import ROLES, Launch, Supervisor
from monitor.watchdog import Watchdog
from tickets.clock import Clock, SystemClock
from tickets.errors import Misconfigured, Unavailable
from tickets.store import Store

log = structlog.get_logger()

REFUSED = b"R"
"""What a supervisor tells its roles when a reload was refused."""


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


def heed_supervisor(stop: asyncio.Event, last_load: LastLoad) -> None:
    """Listen to standard input: it ends when the supervisor that held it open is gone.

    Then ``stop`` is set. Until then it may tell that a new configuration was refused.
    """
    loop = asyncio.get_running_loop()

    def read() -> None:
        heard = os.read(sys.stdin.fileno(), 1024)
        if REFUSED in heard:
            last_load.refuse()
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
    if role == "all":
        with KeptConfiguration(config) as kept:
            launch = Launch(config=kept.path, location=location, listen=listen)
            supervisor = Supervisor(ROLES, launch, clock=clock, note=watchdog.note)

            def prepare_anew() -> Settings:
                settings = read()
                prepare(settings, location=location, clock=clock)
                kept.keep()
                return settings

            return asyncio.run(_supervise(supervisor, prepare_anew, watchdog=watchdog))
    beat = partial(watchdog.note, role) if pulse is None else Pulse(pulse).beat
    last_load = LastLoad()
    part = _make_role(
        role,
        settings,
        location=location,
        holder=holder,
        clock=clock,
        beat=beat,
        last_load=last_load,
    )
    return asyncio.run(_run_role(part, None if supervised else watchdog, last_load))


def _make_role(
    role: str,
    settings: Settings,
    *,
    location: str,
    holder: str | None,
    clock: Clock,
    beat: Beat,
    last_load: LastLoad,
) -> Role:
    """Build one role; each is imported only in the process that runs it."""
    holder = holder or secrets.token_hex(8)
    match role:
        case "prober":
            from monitor.roles.prober import ProberRole

            return ProberRole(
                settings=settings, location=location, holder=holder, clock=clock, beat=beat
            )
        case "desk":
            from monitor.roles.desk import DeskRole

            return DeskRole(
                settings=settings, holder=holder, clock=clock, beat=beat, last_load=last_load
            )
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


async def _supervise(
    supervisor: Supervisor, prepare_anew: Callable[[], Settings], *, watchdog: Watchdog
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
                settings = await asyncio.to_thread(prepare_anew)
            except (Misconfigured, Unavailable) as error:
                # The old configuration goes on: a slip of the pen must not stop the watch.
                log.warning("supervisor.reload_refused", fault=str(error))
                supervisor.tell(REFUSED)
                continue
            watchdog.reloading()
            await supervisor.restart()
            log.info("supervisor.reloaded", sites=settings.count_sites())

    beside = [asyncio.create_task(work) for work in (reload_on_signal(), watchdog.run())]
    stopping = asyncio.create_task(_tell_stop(stop, watchdog))
    try:
        await supervisor.run(stop)
    finally:
        for task in (*beside, stopping):
            task.cancel()
    return 128 + came[0] if came else 0


async def _run_role(part: Role, watchdog: Watchdog | None, last_load: LastLoad) -> int:
    """Run one role; with ``watchdog`` nobody supervises it and it reports by itself."""
    stop = asyncio.Event()
    came = stop_on_signals(stop)
    beside: list[asyncio.Task[None]] = []
    if watchdog is None:
        heed_supervisor(stop, last_load)
    else:
        works = (watchdog.run(), _tell_stop(stop, watchdog))
        beside = [asyncio.create_task(work) for work in works]
    try:
        await part.run(stop)
    finally:
        for task in beside:
            task.cancel()
    return 128 + came[0] if came else 0


async def _tell_stop(stop: asyncio.Event, watchdog: Watchdog) -> None:
    await stop.wait()
    watchdog.stopping()
