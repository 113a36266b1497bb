"""Reads the promises that a client was given within a month, and counts how they were kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from statistics import median

from sqlmodel import Session, col, select

from monitor.statement.figures import Kept, PromiseFigures, ResponseFigures
from tickets.policy import Policy
from tickets.rules.hours import SupportHours
from tickets.rules.promise import is_kept
from tickets.rules.ticket import Priority, Status, reference
from tickets.tables import PromiseRow, TicketRow


def read_promises(
    tx: Session, policy: Policy, client: str, *, start: datetime, end: datetime, at: datetime
) -> Sequence[PromiseFigures]:
    """Return the promises to ``client`` that began within [start, end), as they stand at ``at``.

    A ticket that was reopened has one for each time. Needs an open (read) transaction.
    """
    query = (
        select(PromiseRow, TicketRow)
        .join(TicketRow, col(TicketRow.id) == col(PromiseRow.ticket_id))
        .where(
            col(TicketRow.client) == client,
            col(TicketRow.is_internal).is_(False),
            col(PromiseRow.started_at) >= start,
            col(PromiseRow.started_at) < end,
        )
        .order_by(col(PromiseRow.started_at), col(PromiseRow.ticket_id), col(PromiseRow.number))
    )
    hours = policy.hours_of(client)
    return [_promise(row, ticket, hours, at=at) for row, ticket in tx.exec(query).all()]


def _promise(
    row: PromiseRow, ticket: TicketRow, hours: SupportHours, *, at: datetime
) -> PromiseFigures:
    kept = _kept(row, ticket, at=at)
    until = row.answered_at or at
    is_broken = kept is Kept.BROKEN
    return PromiseFigures(
        reference=reference(row.ticket_id),
        title=ticket.title.removeprefix(f"{ticket.client_name}: "),
        priority=ticket.priority,
        is_reopened=row.number > 1,
        started_at=row.started_at,
        respond_by=row.respond_by,
        answered_at=row.answered_at,
        kept=kept,
        took=None if row.answered_at is None else _elapsed(hours, row.started_at, row.answered_at),
        late_by=_elapsed(hours, row.respond_by, until) if is_broken else None,
        late_on_clock=until - row.respond_by if is_broken else None,
    )


def _kept(row: PromiseRow, ticket: TicketRow, *, at: datetime) -> Kept:
    if row.answered_at is not None:
        return Kept.KEPT if is_kept(row.answered_at, row.respond_by) else Kept.BROKEN
    is_current = row.number == ticket.promise_number
    ended_at = ticket.closed_at if is_current and ticket.status is Status.CLOSED else None
    if row.breached_at is not None or not is_kept(ended_at or at, row.respond_by):
        return Kept.BROKEN
    return Kept.RUNNING if ended_at is None else Kept.VOID


def _elapsed(hours: SupportHours, start: datetime, end: datetime) -> timedelta | None:
    try:
        return hours.elapsed(start, end)
    except ValueError:  # beyond the calendar
        return None


def count_responses(promises: Iterable[PromiseFigures]) -> Sequence[ResponseFigures]:
    """Return the counts and response times by priority, critical first; none of no promise."""
    by_priority: dict[Priority, list[PromiseFigures]] = defaultdict(list)
    for promise in promises:
        by_priority[promise.priority].append(promise)
    return [
        _responses(priority, by_priority[priority])
        for priority in Priority
        if by_priority[priority]
    ]


def _responses(priority: Priority, promises: Sequence[PromiseFigures]) -> ResponseFigures:
    def count(kept: Kept) -> int:
        return sum(promise.kept is kept for promise in promises)

    took = [promise.took for promise in promises if promise.took is not None]
    return ResponseFigures(
        priority=priority,
        kept=count(Kept.KEPT),
        broken=count(Kept.BROKEN),
        running=count(Kept.RUNNING),
        void=count(Kept.VOID),
        median=_median(took),
        worst=max(took, default=None),
    )


def _median(durations: Sequence[timedelta]) -> timedelta | None:
    if not durations:
        return None
    return timedelta(seconds=median(one.total_seconds() for one in durations))
