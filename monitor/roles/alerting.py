"""What the delivery role does about alerts: listen for silence, ask what was missed, forget."""

from __future__ import annotations

import asyncio
from functools import partial

import structlog

from monitor.alerts.keeping import AT_ONCE, forget_old
from monitor.alerts.places import Places
from monitor.alerts.reconcile import EVERY, Reconciler
from monitor.alerts.source import list_sources
from monitor.alerts.taking import Intake
from monitor.alerts.watchdog import Listening, sweep_watchdogs
from monitor.jobs import Jobs
from monitor.service import Part
from monitor.settings import Settings
from tickets.clock import Clock
from tickets.errors import Unavailable
from tickets.policy import Policy
from tickets.store import Session, Store

LISTEN_SECONDS = 15
FORGET_SECONDS = 3600

log = structlog.get_logger()


def alerting_part(
    store: Store, settings: Settings, policy: Policy, *, jobs: Jobs, clock: Clock
) -> Part:
    """Add the jobs about alerts to ``jobs``; return the part that asks once at the start."""
    sources = list_sources(settings)
    listening = Listening()
    reconciler = Reconciler(store, Intake(policy, Places(policy)), sources, clock=clock)

    def sweep(tx: Session) -> None:
        # Asked here, so that a store that is away counts as a time in which we heard nothing.
        now = clock.now()
        since = listening.since(now)
        sweep_watchdogs(tx, policy, sources, listening_since=since, now=now)

    async def listen() -> None:
        await store.awrite(sweep)

    async def reconcile() -> None:
        failed = await reconciler.read_all()
        if failed:
            jobs.count("reconcile", "error", failed)

    async def forget() -> None:
        while await store.awrite(partial(forget_old, now=clock.now())) == AT_ONCE:
            continue

    async def reconcile_at_start(stop: asyncio.Event) -> None:
        asking = asyncio.create_task(reconciler.read_all(is_start=True))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({asking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            asking.cancel()
        try:
            await asking
        except (Unavailable, asyncio.CancelledError) as error:
            log.warning("alerts.start_not_reconciled", reason=str(error) or "stopped")
        await stopping

    if sources:
        jobs.every(LISTEN_SECONDS, "watchdogs", listen)
        jobs.every(FORGET_SECONDS, "alerts", forget)
    if any(source.reconcile_url for source in sources):
        jobs.every(int(EVERY.total_seconds()), "reconcile", reconcile)
    return reconcile_at_start
