"""Observations folded into time buckets in memory: counts, seconds by verdict, response times.

Each observation accounts for the time since the one before it, so that quick second looks weigh no
more than slots. An observation after a gap accounts for one interval; the rest of the gap belongs
to nobody and shows as not watched. No time is ever accounted for twice, also when the clock steps.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from monitor.rules.maintenance import Window, maintenance_until
from monitor.rules.observation import Observation
from monitor.rules.reading import EDGES, FINE_SECONDS, pieces, place_of
from monitor.rules.site import Site
from monitor.rules.verdict import Verdict

log = structlog.get_logger()

COUNTS = ("up", "slow", "down", "unknown", "missed", "maintenance")
ACCOUNTS = ("up", "slow", "down", "unknown", "maintenance")
PHASES = ("resolve", "connect", "tls", "processing", "transfer")

COLUMNS = (
    *(f"{name}_count" for name in COUNTS),
    *(f"{name}_seconds" for name in (*ACCOUNTS, *PHASES, "total")),
    "slowest_seconds",
    *(f"latency_{place}" for place in range(len(EDGES) + 1)),
)
"""The columns of a reading that hold values; all of them add up but the slowest."""

MOST_KEPT = 60_000
"""Buckets that are kept in memory while the store is away; beyond them the oldest are dropped."""

KEPT_SECONDS = 86_400
"""How old a bucket may grow in memory; the store keeps the fine ones beside it for longer."""

LATENESS_SECONDS = 5
"""By how much more than its interval an observation may follow the one before without a gap."""

_COUNT = {name: COLUMNS.index(f"{name}_count") for name in COUNTS}
_ACCOUNT = {name: COLUMNS.index(f"{name}_seconds") for name in ACCOUNTS}
_PHASE = [(name, COLUMNS.index(f"{name}_seconds")) for name in PHASES]
_TOTAL = COLUMNS.index("total_seconds")
_SLOWEST = COLUMNS.index("slowest_seconds")
_LATENCY = COLUMNS.index("latency_0")
_EMPTY = [0.0] * len(COLUMNS)

Key = tuple[int, str]
"""When a bucket begins, in seconds since 1970, and the slug of its site."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is still to be added to one site's fine bucket: a value for each of ``COLUMNS``."""

    starts_at: int
    site: str
    values: Sequence[float]


@dataclass(slots=True)
class _Account:
    """Up to when a site's time is accounted for, in seconds since 1970."""

    until: float
    interval: float
    windows: Sequence[Window]

    def claim(self, at: float) -> float:
        """Account for the time up to ``at``; return from when on the observation speaks."""
        gap = at - self.until
        if gap <= 0:
            # The clock was set back: what it shows a second time is accounted for already. But a
            # clock that had run days ahead must not silence the site until then.
            if gap < -KEPT_SECONDS:
                self.until = at
            return at
        since = self.until if self.is_gapless(gap) else at - self.interval
        self.until = at
        return since

    def is_gapless(self, seconds: float) -> bool:
        """Tell whether an observation may follow another so late as if no slot lay between."""
        return seconds <= self.interval + max(self.interval / 2, LATENESS_SECONDS)


class Buckets:
    """The fine buckets of one location's sites since the last flush; for the event loop only."""

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}
        self._filled: dict[Key, array[float]] = {}
        self.dropped = 0

    def watch(self, site: Site, *, seen_at: datetime | None, now: datetime) -> None:
        """Account for the time of ``site`` from ``now`` on; others are not folded.

        A site last observed at ``seen_at``, an instant ago as at a restart, goes on from there.
        """
        account = _Account(
            until=now.timestamp(),
            interval=site.interval.total_seconds(),
            windows=site.maintenance,
        )
        if seen_at is not None and (
            seen_at > now or account.is_gapless(now.timestamp() - seen_at.timestamp())
        ):
            account.until = seen_at.timestamp()
        self._accounts[site.slug] = account

    def observe(self, slug: str, observation: Observation, verdict: Verdict) -> None:
        """Fold one observation, at its start; within maintenance it counts as that alone."""
        account = self._accounts.get(slug)
        if account is None:
            return
        at = observation.started_at.timestamp()
        is_in_maintenance = bool(account.windows) and (
            maintenance_until(account.windows, observation.started_at) is not None
        )
        name = "maintenance" if is_in_maintenance else verdict.value
        for start, seconds in pieces(account.claim(at), at):
            self._values((start, slug))[_ACCOUNT[name]] += seconds
        values = self._values((_start_of(at), slug))
        values[_COUNT[name]] += 1
        if name in {"up", "slow"}:
            _time(values, observation)

    def miss(self, slug: str, slots: int) -> None:
        """Count missed slots, in the bucket of the observation before them."""
        account = self._accounts.get(slug)
        if account is not None:
            self._values((_start_of(account.until), slug))[_COUNT["missed"]] += slots

    def take(self) -> Sequence[Bucket]:
        """Return what was folded since the last time, in the order of the store's key."""
        filled, self._filled = self._filled, {}
        return [Bucket(start, slug, filled[start, slug]) for start, slug in sorted(filled)]

    def put_back(self, buckets: Iterable[Bucket]) -> None:
        """Keep what could not be written until the next flush."""
        for bucket in buckets:
            values = self._values((bucket.starts_at, bucket.site))
            slowest = max(values[_SLOWEST], bucket.values[_SLOWEST])
            for place, value in enumerate(bucket.values):
                values[place] += value
            values[_SLOWEST] = slowest
        by_age = sorted(self._filled)
        excess = max(0, len(by_age) - MOST_KEPT)
        if by_age:
            excess = max(excess, bisect_left(by_age, (by_age[-1][0] - KEPT_SECONDS, "")))
        for key in by_age[:excess]:
            del self._filled[key]
        if excess:
            self.dropped += excess
            log.warning("readings.buckets_dropped", buckets=excess, in_all=self.dropped)

    def _values(self, key: Key) -> array[float]:
        found = self._filled.get(key)
        if found is None:
            found = self._filled[key] = array("d", _EMPTY)
        return found


def _start_of(at: float) -> int:
    return int(at // FINE_SECONDS) * FINE_SECONDS


def _time(values: array[float], observation: Observation) -> None:
    total = observation.duration_seconds
    values[_TOTAL] += total
    values[_SLOWEST] = max(values[_SLOWEST], total)
    values[_LATENCY + place_of(total)] += 1
    phases = observation.phases
    for name, place in _PHASE:
        values[place] += getattr(phases, name)


def columns_of(bucket: Bucket) -> Iterator[tuple[str, float | int]]:
    """Yield the bucket's values by column, counts as whole numbers."""
    for name, value in zip(COLUMNS, bucket.values, strict=True):
        yield name, round(value, 6) if name.endswith("_seconds") else int(value)
