"""What the metrics page counts in the monitor's tables; nothing here writes.

Every function needs an open (read) transaction. No counter ever falls: whoever reads it would take
a fall for a restart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlmodel import Session, col, select

from monitor.tables import IncidentEnd, IncidentIntervalRow, IncidentKind, IncidentRow, ProberRow
from monitor.watched import DURATION_EDGES
from tickets.queries.times import seconds_between
from tickets.rules.ticket import OPEN_STATUSES, Action, Priority, Status
from tickets.tables import EntryRow, TicketRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """How long stretches of incidents took.

    ``below`` counts for each edge those that took no longer; ``sum_seconds`` is over all ``count``.
    """

    below: Sequence[int]
    count: int = 0
    sum_seconds: float = 0.0

    def plus(self, count: int, sum_seconds: float, *below: int) -> Durations:
        """Return these durations and others as one."""
        return Durations(
            below=[a + b for a, b in zip(self.below, below, strict=True)],
            count=self.count + count,
            sum_seconds=self.sum_seconds + sum_seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFigures:
    """Counts for the metrics page: incidents that are open or ever were, by site and kind."""

    is_open: frozenset[tuple[str, IncidentKind]]
    opened: Mapping[tuple[str, IncidentKind], int]
    durations: Mapping[IncidentKind, Durations]


def count_incidents(tx: Session, *, edges: Sequence[float]) -> IncidentFigures:
    """Count incidents; ``edges`` are seconds.

    An incident that worsened was opened twice: once as slow, once as down. Each stretch of an
    incident that ended in recovery is one duration, of the kind that it was then.
    """
    site, kind = col(IncidentRow.site), col(IncidentRow.kind)
    execute = tx.connection().execute
    still = sa.select(site, kind).where(col(IncidentRow.ended_at).is_(None))
    opened = sa.select(site, kind, sa.func.count()).group_by(site, kind)
    worsened = (
        sa.select(site, sa.func.count())
        .join(EntryRow, col(EntryRow.ticket_id) == col(IncidentRow.ticket_id))
        .where(col(EntryRow.action) == Action.WORSEN)
        .group_by(site)
    )
    counts = Counter({(slug, of): number for slug, of, number in execute(opened)})
    counts.update({(slug, IncidentKind.SLOW): number for slug, number in execute(worsened)})
    return IncidentFigures(
        is_open=frozenset((slug, of) for slug, of in execute(still)),
        opened=counts,
        durations=_durations(tx, edges),
    )


def _durations(tx: Session, edges: Sequence[float]) -> Mapping[IncidentKind, Durations]:
    ended_at = col(IncidentIntervalRow.ended_at)
    seconds = seconds_between(tx, col(IncidentIntervalRow.started_at), ended_at)
    was_slow = sa.func.coalesce(col(EntryRow.at) > ended_at, sa.false())
    was_given_up = sa.and_(
        col(IncidentRow.ended_as).is_not_distinct_from(IncidentEnd.UNWATCHED),
        col(IncidentRow.ended_at).is_not_distinct_from(ended_at),
    )
    below = (sa.func.sum(sa.case((seconds <= edge, 1), else_=0)) for edge in edges)
    groups = col(IncidentRow.kind), was_slow
    query = (
        sa.select(*groups, sa.func.count(), sa.func.sum(seconds), *below)
        .select_from(IncidentIntervalRow)
        .join(IncidentRow, col(IncidentRow.id) == col(IncidentIntervalRow.incident_id))
        .outerjoin(
            EntryRow,
            sa.and_(
                col(EntryRow.ticket_id) == col(IncidentRow.ticket_id),
                col(EntryRow.action) == Action.WORSEN,
            ),
        )
        .where(ended_at.is_not(None), sa.not_(was_given_up))
        .group_by(*groups)
    )
    found = dict.fromkeys(IncidentKind, Durations(below=[0] * len(edges)))
    for kind, slow, *numbers in cast(Sequence[Sequence[Any]], tx.connection().execute(query).all()):
        then = IncidentKind.SLOW if slow else IncidentKind(kind)
        found[then] = found[then].plus(*numbers)
    return found


def count_recovered(tx: Session) -> Mapping[tuple[Priority, Status], int]:
    """Count the tickets that are still open although their site is well again."""
    priority, status = col(TicketRow.priority), col(TicketRow.status)
    query = (
        sa.select(priority, status, sa.func.count())
        .where(status.in_([*OPEN_STATUSES]), col(TicketRow.recovered_at).is_not(None))
        .group_by(priority, status)
    )
    return {(of, at): count for of, at, count in tx.connection().execute(query)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProberFigures:
    """The schedulers' counters, summed over the probers; gauges count only probers that live.

    ``lateness`` counts probes by how late they started; ``answers`` those of each client that were
    answered, by how long they took, with the sum of their seconds. ``ticked_at`` is the oldest last
    tick of the probers that live, or else the newest of any.
    """

    runs: Mapping[str, int]
    in_flight: int
    due: int
    lateness: Sequence[int]
    lateness_seconds: float
    ticked_at: datetime | None
    answers: Mapping[str, tuple[Sequence[int], float]]
    store_errors: Mapping[str, int]
    heartbeats: Mapping[str, int]


def count_probers(tx: Session, *, now: datetime, buckets: int) -> ProberFigures:
    """Sum the figures of all probers; ``buckets`` is how many the histogram of lateness has."""
    rows = tx.exec(select(ProberRow)).all()
    living = [row for row in rows if row.expires_at > now]
    runs = Counter[str]()
    lateness, seconds = [0] * buckets, 0.0
    for row in rows:
        runs.update(row.figures.get("runs", {}))
        late = row.figures.get("lateness", {})
        if len(late.get("buckets", ())) == buckets:
            lateness = [a + b for a, b in zip(lateness, late["buckets"], strict=True)]
            seconds += late["sum"]
    last = [row.ticked_at for row in living if row.ticked_at is not None]
    ever = [row.ticked_at for row in rows if row.ticked_at is not None]
    answers: dict[str, tuple[Sequence[int], float]] = {}
    errors, heartbeats = Counter[str](), Counter[str]()
    for row in rows:
        errors.update(row.figures.get("store_errors", {}))
        heartbeats.update(row.figures.get("heartbeats", {}))
        for client, told in row.figures.get("answers", {}).items():
            counts, seconds_so_far = answers.get(client, ([0] * len(told["buckets"]), 0.0))
            if len(told["buckets"]) == len(DURATION_EDGES) + 1:
                added = [a + b for a, b in zip(counts, told["buckets"], strict=True)]
                answers[client] = added, seconds_so_far + told["sum"]
    return ProberFigures(
        answers=answers,
        store_errors=errors,
        heartbeats=heartbeats,
        runs=runs,
        in_flight=sum(row.figures.get("in_flight", 0) for row in living),
        due=sum(row.figures.get("due", 0) for row in living),
        lateness=lateness,
        lateness_seconds=seconds,
        ticked_at=min(last, default=max(ever, default=None)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A location's prober: whether staff were told that it is blind or silent, and what it uses.

    The usage is None where the prober lives no more or its host does not tell it.
    """

    location: str
    is_blind: bool
    resident_bytes: float | None
    cpu_seconds: float | None


def list_hosts(tx: Session, *, now: datetime) -> Sequence[Host]:
    """Return the probers of all locations in the order of their names."""
    rows = tx.exec(select(ProberRow).order_by(col(ProberRow.location))).all()
    return [_host(row, now) for row in rows]


def _host(row: ProberRow, now: datetime) -> Host:
    figures = row.figures if row.expires_at > now else dict[str, Any]()
    usage: Mapping[str, float | None] = figures.get("usage", {})
    return Host(
        location=row.location,
        is_blind=row.blind_since is not None or row.silent_since is not None,
        resident_bytes=usage.get("resident_bytes"),
        cpu_seconds=usage.get("cpu_seconds"),
    )
