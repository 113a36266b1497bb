"""Watches sites in a store and lets probers see them, for tests of what is read afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from monitor.ledger import Confirmed, IncidentPolicy, Ledger
from monitor.readings import Readings, store_changes
from monitor.readings.buckets import Buckets
from monitor.readings.rows import add_buckets
from monitor.rules.observation import Observation
from monitor.rules.site import Site
from monitor.rules.streak import Transition
from monitor.rules.verdict import Verdict, judge
from monitor.site_rows import sync_sites
from tests.builders import LONDON, a_policy, a_refusal, an_observation
from tests.clocks import FakeClock
from tickets.policy import Policy
from tickets.store import Store

MAIN = "main"
MINUTE = timedelta(minutes=1)

POLICY = a_policy()
"""The usual policy, made once: a calendar takes a while to build."""


def watch(
    store: Store,
    sites: Sequence[Site],
    *,
    at: datetime,
    client_name: str = "Harbour Inns",
    location: str = MAIN,
) -> None:
    """Make ``sites`` all that is watched."""
    pairs = [(site, client_name) for site in sites]
    store.write(lambda tx: sync_sites(tx, pairs, location=location, at=at))


def observe(
    store: Store,
    site: Site,
    *observations: Observation,
    ended_at: datetime,
    missed: int = 0,
    location: str = MAIN,
) -> None:
    """Let a prober see the site, all ended at ``ended_at``, and miss some of its slots."""
    readings = Readings(location)
    for observation in observations:
        judgement = judge(observation, slow_after=site.slow_after)
        readings.add(site.slug, observation, judgement, ended_at=ended_at)
    if missed:
        readings.miss(site.slug, missed)
    asyncio.run(readings.flush(lambda changes: store.awrite(lambda tx: store_changes(tx, changes))))


def settle(
    store: Store,
    site: Site,
    verdict: Verdict,
    *,
    since: datetime,
    client_name: str = "Harbour Inns",
    location: str = MAIN,
    policy: Policy = POLICY,
) -> None:
    """Confirm that the site has been as ``verdict`` says ``since`` then, 40 seconds later."""
    observation = {
        Verdict.DOWN: a_refusal(started_at=since),
        Verdict.SLOW: an_observation(started_at=since, duration=4.2),
        Verdict.UP: an_observation(started_at=since),
    }[verdict]
    at = since + timedelta(seconds=40)
    change = Confirmed(
        site=site,
        client_name=client_name,
        transition=Transition(before=None, after=verdict, since=since, confirmed_at=at),
        observation=observation,
        judgement=judge(observation, slow_after=site.slow_after),
    )
    ledger = Ledger(policy=policy, incidents=IncidentPolicy(), location=location)
    store.write(lambda tx: ledger.record(tx, change, at=at))


def see_minutes(
    store: Store, site: Site, clock: FakeClock, verdicts: Sequence[Verdict | None]
) -> None:
    """Let a minute pass for each verdict, with an observation at its end; None is a missed slot."""
    buckets = Buckets()
    buckets.watch(site, seen_at=None, now=clock.now())
    for verdict in verdicts:
        at = clock.advance(MINUTE)
        if verdict is not None:
            buckets.observe(site.slug, an_observation(started_at=at), verdict)
    store.write(lambda tx: add_buckets(tx, buckets.take(), location=MAIN, zone=LONDON))
