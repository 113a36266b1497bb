"""The role that probes the sites of one location and records what it confirms."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

import structlog
from sqlmodel import Session

from monitor import lease
from monitor.canary import Canaries
from monitor.jobs import Jobs
from monitor.ledger import Confirmed, IncidentPolicy, Ledger
from monitor.loop_lag import LoopLag
from monitor.own_heartbeat import OwnHeartbeat
from monitor.own_process import measure
from monitor.prober import Prober
from monitor.readings import Known, Readings, load_known
from monitor.roles import upkeep
from monitor.roles.descriptors import affordable
from monitor.roles.holding import Holding
from monitor.roles.lookout import Lookout, cycle_seconds
from monitor.roles.recording import ReadingsWriter, Recorder
from monitor.rules.streak import Streak
from monitor.rules.verdict import Verdict
from monitor.service import Beat, build_policy, give_none
from monitor.settings import Settings
from monitor.sites import list_sites
from monitor.tables import IncidentRow
from monitor.ticker import Ticker
from monitor.watched import Watched
from tickets.clock import Clock
from tickets.policy import Policy
from tickets.rules.ticket import reference
from tickets.store import Store

log = structlog.get_logger()

TICK_SECONDS = 1
FLUSH_SECONDS = 2
FOLD_SECONDS = 60
RENEW_SECONDS = 2
LEASE_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProberRole:
    """Probes the sites of one location and records what it confirms.

    ``holder`` names the supervisor's run in the lease (see ``monitor.lease``).
    """

    settings: Settings
    location: str
    holder: str
    clock: Clock
    beat: Beat = give_none

    async def run(self, stop: asyncio.Event) -> None:
        """Wait for the location's lease, then probe until ``stop`` is set.

        Raises ``LeaseLost`` when another prober has taken over, and whatever a task died of.
        """
        store = Store(self.settings.store.url)
        try:
            fence = await self._wait_for_lease(store, stop)
            if fence is not None:
                await self._probe_until(stop, store, fence)
        finally:
            store.close()

    async def _wait_for_lease(self, store: Store, stop: asyncio.Event) -> int | None:
        is_waiting = False
        while not stop.is_set():
            fence = await store.awrite(
                lambda tx: lease.acquire(
                    tx, location=self.location, holder=self.holder, now=self.clock.now()
                )
            )
            if fence is not None:
                log.info("service.lease_acquired", location=self.location, fence=fence)
                return fence
            self.beat()
            if not is_waiting:
                is_waiting = True
                log.warning("service.lease_awaited", location=self.location)
            await _wait(stop, LEASE_RETRY_SECONDS)
        return None

    async def _probe_until(self, stop: asyncio.Event, store: Store, fence: int) -> None:
        settings, clock, location = self.settings, self.clock, self.location
        policy = build_policy(settings, clock=clock)
        holding = Holding(store, location=location, fence=fence, clock=clock)
        lag = LoopLag(clock)
        prober = Prober(loop_lag=lag.worst_since)
        canaries = Canaries(
            settings.probing.canaries,
            reach=prober.reach,
            allow_networks=settings.probing.allow_networks,
        )
        heartbeat = self._own_heartbeat(prober)
        readings = Readings(location)
        writer = ReadingsWriter(
            store=store, location=location, fence=fence, zone=settings.agency.zone
        )
        recorder = self._recorder(store, policy, holding)

        async def record(confirmed: Confirmed) -> None:
            _log_transition(confirmed, await recorder.record(confirmed))

        ticker = Ticker(
            await store.aread(lambda tx: self._watched(tx, readings)),
            prober=prober,
            excuser=canaries,
            readings=readings,
            record=record,
            clock=clock,
            concurrency=affordable(settings.probing.concurrency),
            wait=asyncio.sleep,
        )
        before = await store.aread(lambda tx: lease.find_figures(tx, location))
        ticker.figures.resume(before, [client.slug for client in settings.clients])
        faults = Counter[str](before.get("store_errors", {}))
        lookout = Lookout(store, policy, ticker=ticker, location=location, fence=fence, clock=clock)
        await lookout.begin()

        async def renew() -> None:
            own = {
                "worst_lag": round(lag.worst, 3),
                "store_errors": faults + Counter(store.errors),
                "heartbeats": heartbeat.outcomes,
                "usage": measure().document(),
            }
            figures = ticker.figures.document() | own
            await holding.renew(ticked_at=ticker.ticked_at, figures=figures)

        async def tick() -> None:
            await ticker.tick()
            self.beat()
            heartbeat.note_pass(is_good=holding.is_recent)

        jobs = Jobs(clock)
        jobs.every(TICK_SECONDS, "tick", tick)
        jobs.every(FLUSH_SECONDS, "flush", lambda: readings.flush(writer.write))
        jobs.every(FOLD_SECONDS, "fold", lambda: readings.flush_all(writer.write_all))
        jobs.every(RENEW_SECONDS, "renew", renew)
        jobs.every(cycle_seconds(settings.probing.interval), "look back", lookout.look_back)
        jobs.every(upkeep.TRIM_SECONDS, "trim", lambda: asyncio.to_thread(upkeep.trim))
        lag.start()
        upkeep.settle_down()
        try:
            await jobs.run(stop)
        finally:
            lag.stop()
            await ticker.drain()
            await recorder.aclose()
            await canaries.aclose()
            await heartbeat.aclose()
            await prober.aclose()
        await readings.flush_all(writer.write_all)
        await holding.release()

    def _recorder(self, store: Store, policy: Policy, holding: Holding) -> Recorder:
        told = self.settings.incidents
        incidents = IncidentPolicy(
            down=told.down.priority, slow=told.slow.priority, relapse_within=told.relapse_within
        )
        ledger = Ledger(policy=policy, incidents=incidents, location=self.location)

        def record_in(tx: Session, confirmed: Confirmed) -> IncidentRow | None:
            holding.check(tx)
            return ledger.record(tx, confirmed, at=self.clock.now())

        return Recorder(store.awrite, record_in)

    def _own_heartbeat(self, prober: Prober) -> OwnHeartbeat:
        told = self.settings.service
        url = told.heartbeat_url
        return OwnHeartbeat(
            None if url is None else url.get_secret_value(),
            every=told.heartbeat_every,
            prober=prober,
            clock=self.clock,
            allow_networks=self.settings.probing.allow_networks,
        )

    def _watched(self, tx: Session, readings: Readings) -> dict[str, Watched]:
        known = load_known(tx, self.location)
        names = {client.slug: client.name for client in self.settings.clients}
        watched: dict[str, Watched] = {}
        for site in list_sites(self.settings):
            sighting = known.get(site.slug, Known())
            readings.buckets.watch(site, seen_at=sighting.seen_at, now=self.clock.now())
            watched[site.slug] = Watched(
                site=site,
                client_name=names[site.client],
                streak=Streak(settled=sighting.settled),
            )
        return watched


def _log_transition(confirmed: Confirmed, incident: IncidentRow | None) -> None:
    transition = confirmed.transition
    log.log(
        30 if transition.after is not Verdict.UP else 20,
        "ledger.transition_recorded",
        site=confirmed.site.slug,
        before=transition.before,
        after=transition.after,
        cause=confirmed.judgement.cause,
        since=transition.since.isoformat(),
        ticket=None if incident is None else reference(incident.ticket_id),
    )


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    """Wait until ``stop`` is set, at most ``seconds``."""
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({waiting}, timeout=seconds)
    waiting.cancel()
