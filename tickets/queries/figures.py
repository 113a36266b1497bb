"""Counts of tickets, promises and messages for the metrics page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa
from sqlmodel import Session, col

from tickets.outbox_tables import UNSETTLED
from tickets.queries.messages import count_undelivered
from tickets.rules.message import DeliveryOutcome, FailureReason
from tickets.rules.notice import Notice
from tickets.rules.ticket import (
    OPEN_STATUSES,
    Action,
    Priority,
    Source,
    Status,
)
from tickets.tables import (
    DeliveryRow,
    EntryRow,
    MessageRow,
    PromiseRow,
    TicketRow,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketFigures:
    """Counts for the metrics page, taken in one transaction."""

    open_by_priority_status: Mapping[tuple[Priority, Status], int]
    opened: Mapping[tuple[Priority, Source], int]
    resolved: Mapping[Priority, int]
    reopened: Mapping[Priority, int]
    overdue: Mapping[Priority, int]
    breaches: Mapping[Priority, int]
    next_deadline: Mapping[Priority, datetime]
    oldest_unanswered: Mapping[Priority, datetime]
    sent: Mapping[Notice, int]
    failures: Mapping[tuple[Notice, FailureReason | None], int]
    messages: Mapping[str, int]
    oldest_pending: datetime | None


def count_figures(tx: Session, *, now: datetime) -> TicketFigures:
    """Count tickets, promises and messages for the metrics page."""
    id_, status, priority = col(TicketRow.id), col(TicketRow.status), col(TicketRow.priority)
    is_open = status.in_([*OPEN_STATUSES])
    promises = sa.join(
        TicketRow,
        PromiseRow,
        sa.and_(
            col(PromiseRow.ticket_id) == id_,
            col(PromiseRow.number) == col(TicketRow.promise_number),
        ),
    )
    unanswered = sa.and_(is_open, col(PromiseRow.answered_at).is_(None))
    entries = _count_entries(tx)
    waiting, oldest_pending = _count_waiting(tx, now)
    return TicketFigures(
        open_by_priority_status=_counts2(
            tx, sa.select(priority, status, sa.func.count()).where(is_open)
        ),
        opened=_counts2(
            tx,
            sa.select(col(EntryRow.priority), col(TicketRow.source), sa.func.count())
            .join(TicketRow, col(EntryRow.ticket_id) == id_)
            .where(col(EntryRow.action) == Action.OPEN),
        ),
        resolved=_by_priority(entries, Action.RESOLVE),
        reopened=_by_priority(entries, Action.REOPEN),
        overdue=_counts(
            tx,
            sa.select(priority, sa.func.count())
            .select_from(promises)
            .where(unanswered, col(PromiseRow.respond_by) < now),
        ),
        breaches=_by_priority(entries, Action.BREACH),
        next_deadline=_counts(
            tx,
            sa.select(priority, sa.func.min(col(PromiseRow.respond_by)))
            .select_from(promises)
            .where(unanswered),
        ),
        oldest_unanswered=_counts(
            tx,
            sa.select(priority, sa.func.min(col(PromiseRow.started_at)))
            .select_from(promises)
            .where(unanswered),
        ),
        sent=_counts(
            tx,
            sa.select(col(DeliveryRow.notice), sa.func.count()).where(
                col(DeliveryRow.outcome) == DeliveryOutcome.SENT
            ),
        ),
        failures=_counts2(
            tx,
            sa.select(col(DeliveryRow.notice), col(DeliveryRow.reason), sa.func.count()).where(
                col(DeliveryRow.reason).is_not(None)
            ),
        ),
        messages={**waiting, "dead": count_undelivered(tx)},
        oldest_pending=oldest_pending,
    )


def _count_waiting(tx: Session, now: datetime) -> tuple[dict[str, int], datetime | None]:
    """Count the messages that are still to be sent; return also when the oldest was written.

    Those that are held until after ``now`` are counted, but wait for nobody. Both come from one
    query, for SQLite would look for the oldest alone among all messages, in their order.
    """
    state = sa.case((col(MessageRow.attempts) > 0, "retrying"), else_="pending")
    is_held = sa.and_(col(MessageRow.held_for).is_not(None), col(MessageRow.not_before) > now)
    oldest = sa.func.min(sa.case((is_held, None), else_=col(MessageRow.written_at)))
    query = sa.select(state, sa.func.count(), oldest).where(UNSETTLED).group_by(state)
    rows = tx.connection().execute(query).all()
    written_at = [at for _, _, at in rows if at is not None]
    return {name: count for name, count, _ in rows}, min(written_at, default=None)


EntryCounts = Mapping[tuple[Action, Priority], int]


def _count_entries(tx: Session) -> EntryCounts:
    """Count what was done to tickets, in one pass over all entries, for no index leads to them.

    The priority is that of the moment, so that no count falls when a priority changes.
    """
    done = (Action.RESOLVE, Action.REOPEN, Action.BREACH)
    query = sa.select(col(EntryRow.action), col(EntryRow.priority), sa.func.count())
    return _counts2(tx, query.where(col(EntryRow.action).in_(done)))


def _by_priority(entries: EntryCounts, wanted: Action) -> dict[Priority, int]:
    return {priority: count for (action, priority), count in entries.items() if action is wanted}


Key = TypeVar("Key")
Other = TypeVar("Other")
Value = TypeVar("Value")


def _counts(tx: Session, query: sa.Select[Key, Value]) -> dict[Key, Value]:
    key = query.selected_columns[0]
    rows = tx.connection().execute(query.group_by(key)).all()
    return {row[0]: row[1] for row in rows}


def _counts2(tx: Session, query: sa.Select[Key, Other, int]) -> dict[tuple[Key, Other], int]:
    first, second = query.selected_columns[0], query.selected_columns[1]
    rows = tx.connection().execute(query.group_by(first, second)).all()
    return {(row[0], row[1]): row[2] for row in rows}
