"""Counts of tickets, promises and messages for the metrics page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa
from sqlmodel import Session, col

from tickets.rules.message import DeliveryOutcome, FailureReason, MessageState
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
    retrying = sa.case((col(MessageRow.attempts) > 0, "retrying"), else_="pending")
    state = sa.case(
        (col(MessageRow.state) == MessageState.DEAD, "dead"),
        (col(MessageRow.state).in_([MessageState.PENDING, MessageState.SENDING]), retrying),
        else_="other",
    )
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
        resolved=_entry_counts(tx, Action.RESOLVE),
        reopened=_entry_counts(tx, Action.REOPEN),
        overdue=_counts(
            tx,
            sa.select(priority, sa.func.count())
            .select_from(promises)
            .where(unanswered, col(PromiseRow.respond_by) < now),
        ),
        breaches=_entry_counts(tx, Action.BREACH),
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
        messages=_counts(tx, sa.select(state, sa.func.count())),
        oldest_pending=tx.connection()
        .execute(
            sa.select(sa.func.min(col(MessageRow.written_at))).where(
                col(MessageRow.state).in_([MessageState.PENDING, MessageState.SENDING]),
                sa.or_(col(MessageRow.held_for).is_(None), col(MessageRow.not_before) <= now),
            )
        )
        .scalar_one(),
    )


def _entry_counts(tx: Session, action: Action) -> dict[Priority, int]:
    """Count by the priority of the moment, so that no count falls when a priority changes."""
    query = sa.select(col(EntryRow.priority), sa.func.count())
    return _counts(tx, query.where(col(EntryRow.action) == action))


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
