"""Each site's last observation and its counters, flushed every few seconds in one transaction.

What a crash loses is a few seconds of counts, and a minute of the time buckets; transitions never
wait here, they go through the ledger.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from monitor.readings.buckets import Bucket, Buckets
from monitor.rules.observation import Certificate, Observation, Phases
from monitor.rules.verdict import Judgement, Verdict
from monitor.tables import SightingRow

Document = dict[str, Any]

SITES_AT_ONCE = 1000
"""Sites of one transaction of a whole flush: transitions must not wait long behind it."""


def observation_document(observation: Observation, judgement: Judgement) -> Document:
    """Return what is kept of an observation as a JSON document; instants are ISO 8601 text."""
    return {
        "started_at": observation.started_at.isoformat(),
        "verdict": judgement.verdict.value,
        "cause": judgement.cause.value if judgement.cause else None,
        "message": judgement.message,
        "duration_seconds": round(observation.duration_seconds, 6),
        "phases": _phases_document(observation.phases),
        "http_status": observation.http_status,
        "http_version": observation.http_version,
        "final_url": observation.final_url,
        "redirects": max(len(observation.hops) - 1, 0),
        "remote_address": observation.remote_address,
        "body_bytes": observation.body_bytes,
        "content_length": observation.content_length,
        "tls_version": observation.tls_version,
        "tls_cipher": observation.tls_cipher,
        "certificate": _certificate_document(observation.certificate),
        "headers": dict(observation.headers),
        "title": observation.title,
        "warnings": list(observation.warnings),
    }


# Field by field, since dataclasses.asdict copies everything deeply and costs ten times as much.


def _phases_document(phases: Phases) -> Document:
    return {
        "resolve": round(phases.resolve, 6),
        "connect": round(phases.connect, 6),
        "tls": round(phases.tls, 6),
        "processing": round(phases.processing, 6),
        "transfer": round(phases.transfer, 6),
    }


def _certificate_document(certificate: Certificate | None) -> Document | None:
    if certificate is None:
        return None
    return {
        "not_after": certificate.not_after.isoformat(),
        "earliest_not_after": certificate.earliest_not_after.isoformat(),
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "names": list(certificate.names),
        "verified": certificate.verified,
        "fingerprint_sha256": certificate.fingerprint_sha256,
        "serial_number": certificate.serial_number,
    }


@dataclass(slots=True)
class _Fold:
    """What has been seen of one site since the last flush."""

    latest: Observation | None = None
    judgement: Judgement | None = None
    good: Observation | None = None
    good_judgement: Judgement | None = None
    observed_at: datetime | None = None
    succeeded_at: datetime | None = None
    failures_in_row: int = 0
    up: int = 0
    slow: int = 0
    down: int = 0
    unknown: int = 0
    missed: int = 0

    def followed_by(self, newer: _Fold) -> _Fold:
        """Return this fold and a later one of the same site as one."""
        return _Fold(
            latest=newer.latest or self.latest,
            judgement=newer.judgement or self.judgement,
            good=newer.good or self.good,
            good_judgement=newer.good_judgement or self.good_judgement,
            observed_at=newer.observed_at or self.observed_at,
            succeeded_at=newer.succeeded_at or self.succeeded_at,
            failures_in_row=newer.failures_in_row,
            up=self.up + newer.up,
            slow=self.slow + newer.slow,
            down=self.down + newer.down,
            unknown=self.unknown + newer.unknown,
            missed=self.missed + newer.missed,
        )


class Readings:
    """Folds the observations of one location; used from the event loop only.

    ``buckets`` are the time buckets of the sites that it was told to watch.
    """

    def __init__(self, location: str) -> None:
        self._location = location
        self.buckets = Buckets()
        self._flushing = asyncio.Lock()
        self._folds: dict[str, _Fold] = {}
        self._failures: dict[str, int] = {}

    def add(
        self, site: str, observation: Observation, judgement: Judgement, *, ended_at: datetime
    ) -> None:
        """Fold one observation of ``site`` that ended at ``ended_at``."""
        fold = self._folds.setdefault(site, _Fold())
        fold.latest, fold.judgement, fold.observed_at = observation, judgement, ended_at
        self.buckets.observe(site, observation, judgement.verdict)
        failures = self._failures.get(site, 0)
        match judgement.verdict:
            case Verdict.UP | Verdict.SLOW:
                failures = 0
                fold.succeeded_at = ended_at
                if judgement.verdict is Verdict.UP:
                    fold.up += 1
                    fold.good, fold.good_judgement = observation, judgement
                else:
                    fold.slow += 1
            case Verdict.DOWN:
                failures += 1
                fold.down += 1
            case Verdict.UNKNOWN:
                fold.unknown += 1
        self._failures[site] = fold.failures_in_row = failures

    def miss(self, site: str, slots: int = 1) -> None:
        """Count slots of ``site`` that could not be probed in time."""
        fold = self._folds.setdefault(site, _Fold())
        fold.missed += slots
        self.buckets.miss(site, slots)
        fold.failures_in_row = self._failures.get(site, 0)

    async def flush(self, write: Callable[[list[Document]], Awaitable[None]]) -> None:
        """Hand what was seen last to ``write`` (see ``store_changes``); keep it if that fails."""
        async with self._flushing:
            folds = self._take()
            if not folds:
                return
            try:
                await write(self._changes(folds, folds))
            except BaseException:
                self._put_back(folds, folds)
                raise

    async def flush_all(
        self, write: Callable[[list[Document], Sequence[Bucket]], Awaitable[None]]
    ) -> None:
        """Hand everything to ``write``, some sites at a time; keep the rest if that fails.

        Each call is for one transaction. A bucket is thus never stored without the observation up
        to which it reaches, and a prober that starts after a crash accounts for no time twice.
        """
        async with self._flushing:
            folds, buckets = self._take(), defaultdict[str, list[Bucket]](list)
            for bucket in self.buckets.take():
                buckets[bucket.site].append(bucket)
            slugs = sorted({*folds, *buckets})
            for first in range(0, len(slugs), SITES_AT_ONCE):
                some = slugs[first : first + SITES_AT_ONCE]
                filled = [bucket for slug in some for bucket in buckets[slug]]
                try:
                    await write(self._changes(folds, some), sorted(filled, key=_by_age))
                except BaseException:
                    rest = slugs[first:]
                    self._put_back(folds, rest)
                    self.buckets.put_back(one for slug in rest for one in buckets[slug])
                    raise

    def _take(self) -> dict[str, _Fold]:
        folds, self._folds = self._folds, {}
        return folds

    def _put_back(self, folds: Mapping[str, _Fold], slugs: Iterable[str]) -> None:
        for slug in slugs:
            fold, newer = folds.get(slug), self._folds.get(slug)
            if fold is not None:
                self._folds[slug] = fold if newer is None else fold.followed_by(newer)

    def _changes(self, folds: Mapping[str, _Fold], slugs: Iterable[str]) -> list[Document]:
        return [self._change(slug, folds[slug]) for slug in slugs if slug in folds]

    def _change(self, site: str, fold: _Fold) -> Document:
        change: Document = {
            "the_site": site,
            "the_location": self._location,
            "up": fold.up,
            "slow": fold.slow,
            "down": fold.down,
            "unknown": fold.unknown,
            "missed": fold.missed,
            "failures": fold.failures_in_row,
        }
        if fold.latest is not None and fold.judgement is not None:
            change |= {
                "verdict": fold.judgement.verdict,
                "cause": fold.judgement.cause,
                "message": fold.judgement.message,
                "observed_at": fold.observed_at,
                "observation": observation_document(fold.latest, fold.judgement),
            }
        if fold.succeeded_at is not None:
            change["succeeded_at"] = fold.succeeded_at
        if fold.good is not None and fold.good_judgement is not None:
            change["last_good"] = (
                change["observation"]
                if fold.good is fold.latest
                else observation_document(fold.good, fold.good_judgement)
            )
        return change


def store_changes(tx: Session, changes: Iterable[Document]) -> None:
    """Write folded changes; needs an open write transaction. Unknown sites are passed over."""
    by_shape: dict[frozenset[str], list[Document]] = {}
    for change in changes:
        by_shape.setdefault(frozenset(change), []).append(change)
    for shape, group in by_shape.items():
        tx.connection().execute(_update(shape), group)


_COPIED = ("verdict", "cause", "message", "observed_at", "observation", "succeeded_at", "last_good")


def _update(shape: frozenset[str]) -> sa.Update:
    counts = {
        f"{name}_count": getattr(SightingRow, f"{name}_count") + sa.bindparam(name)
        for name in ("up", "slow", "down", "unknown", "missed")
    }
    copied: dict[str, sa.BindParameter[Any]] = {
        name: sa.bindparam(name) for name in _COPIED if name in shape
    }
    return (
        sa.update(SightingRow)
        .where(
            col(SightingRow.site) == sa.bindparam("the_site"),
            col(SightingRow.location) == sa.bindparam("the_location"),
        )
        .values(**counts, **copied, failures_in_row=sa.bindparam("failures"))
    )


@dataclass(frozen=True, slots=True)
class Known:
    """What a prober that starts must know of a site: its confirmed verdict, when it was last seen.

    ``seen_at`` is when the last observation began; both are None for a site never seen.
    """

    settled: Verdict | None = None
    seen_at: datetime | None = None


def load_known(tx: Session, location: str) -> dict[str, Known]:
    """Return what is known of the sites of ``location``, by slug."""
    row = SightingRow
    query = sa.select(col(row.site), col(row.settled), col(row.observation)).where(
        col(row.location) == location
    )
    # Observations are large beside what is kept of them, so only some are in memory at a time.
    found = tx.connection().execute(query.execution_options(yield_per=500))
    return {site: Known(settled, _seen_at(observation)) for site, settled, observation in found}


def _seen_at(document: Document | None) -> datetime | None:
    return None if document is None else datetime.fromisoformat(document["started_at"])


def _by_age(bucket: Bucket) -> int:
    return bucket.starts_at
