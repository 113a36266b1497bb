"""A month of observations in a store, five minutes apart, for tests of what is stated of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.readings.buckets import Buckets
from monitor.readings.rows import add_buckets
from monitor.rules.site import Site
from monitor.rules.verdict import Verdict
from tests.builders import LONDON, an_observation
from tests.sites import MAIN
from tickets.store import Store

STEP = timedelta(minutes=5)
"""The interval of seeded sites: each observation speaks for so long before it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One observation as it was seeded: when, and with what verdict; None is a missed slot."""

    at: datetime
    verdict: Verdict | None


def seed(
    store: Store,
    site: Site,
    start: datetime,
    end: datetime,
    verdict_at: Callable[[datetime], Verdict | None] = lambda _: Verdict.UP,
) -> Sequence[Seen]:
    """Let the site be seen every five minutes after ``start``, up to and with ``end``."""
    buckets = Buckets()
    buckets.watch(site, seen_at=None, now=start)
    seen: list[Seen] = []
    at = start + STEP
    while at <= end:
        verdict = verdict_at(at)
        seen.append(Seen(at, verdict))
        if verdict is not None:
            duration = 4.5 if verdict is Verdict.SLOW else 0.41
            buckets.observe(site.slug, an_observation(started_at=at, duration=duration), verdict)
        at += STEP
    store.write(lambda tx: add_buckets(tx, buckets.take(), location=MAIN, zone=LONDON))
    return seen
