"""Passes over due rows: requests to settle, promises that run out, tickets that may close.

Each row is handled in a transaction of its own and by a conditional change, so that a pass can be
repeated, run twice at once, or be killed in the middle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from sqlmodel import Session, col, select

from tickets.actions import close
from tickets.calendars import ends_soon, tell_ending
from tickets.errors import Unavailable
from tickets.escalation import escalate, list_running_out, list_words_due, remind
from tickets.history import SWEEP, get_ticket
from tickets.policy import Policy
from tickets.rules.ticket import Status, reference
from tickets.settling import list_unsettled, settle_request
from tickets.store import Store
from tickets.tables import TicketRow
from tickets.verification import forget_requests, is_forgetting_due
from tickets.waiting import list_resumable, resume_due

log = structlog.get_logger()

CLOSE_AFTER_DAYS = 5
"""Support days after which a resolved ticket closes by itself (contract, section 3)."""

MOST_ROWS = 500
"""Rows that one pass handles; the next pass goes on."""


async def sweep(store: Store, policy: Policy, *, now: datetime) -> int:
    """Make one pass; return how many rows could not be handled, for a fault of ours.

    Opens its own transactions. Raises ``Unavailable`` if the store is away.
    """
    failed = 0
    if ends_soon(policy, now) is not None:
        await store.awrite(lambda tx: tell_ending(tx, policy, at=now))
    for ticket_id in await store.aread(lambda tx: list_running_out(tx, policy, now)):
        failed += await _one(
            store, ticket_id, lambda tx, id_=ticket_id: _escalate(tx, policy, id_, now)
        )
    for ticket_id in await store.aread(lambda tx: list_words_due(tx, now)):
        failed += await _one(
            store, ticket_id, lambda tx, id_=ticket_id: _remind(tx, policy, id_, now)
        )
    for ticket_id in await store.aread(lambda tx: list_resumable(tx, now, most=MOST_ROWS)):
        failed += await _one(
            store, ticket_id, lambda tx, id_=ticket_id: _resume(tx, policy, id_, now)
        )
    for ticket_id in await store.aread(lambda tx: _list_closable(tx, now)):
        failed += await _one(
            store, ticket_id, lambda tx, id_=ticket_id: _close(tx, policy, id_, now)
        )
    return failed + await _sweep_requests(store, policy, now)


async def _sweep_requests(store: Store, policy: Policy, now: datetime) -> int:
    """Settle requests that were left behind, forget those that nobody claimed."""
    failed = 0
    for request_id, number in await store.aread(
        lambda tx: list_unsettled(tx, policy, at=now, most=MOST_ROWS)
    ):
        failed += await _one(
            store, number, lambda tx, id_=request_id: _settle(tx, policy, id_, now)
        )
    if await store.aread(lambda tx: is_forgetting_due(tx, at=now)):
        expired = await store.awrite(lambda tx: forget_requests(tx, at=now))
        log.info("sweep.requests_forgotten", expired=expired)
    return failed


async def _one(store: Store, ticket_id: int, change: Callable[[Session], None]) -> int:
    """Handle one row; return 1 if it failed, else 0."""
    try:
        await store.awrite(change)
    except Unavailable:
        raise
    except Exception:
        # A loop edge: one row that cannot be handled must not stop the others.
        log.exception("sweep.row_failed", ticket=reference(ticket_id))
        return 1
    return 0


def _escalate(tx: Session, policy: Policy, ticket_id: int, now: datetime) -> None:
    told = escalate(tx, policy, ticket_id, at=now)
    if told is not None:
        log.warning(
            "sweep.promise_escalated", ticket=reference(ticket_id), percent=told.percents[-1]
        )


def _remind(tx: Session, policy: Policy, ticket_id: int, now: datetime) -> None:
    if remind(tx, policy, ticket_id, at=now):
        log.warning("sweep.word_due", ticket=reference(ticket_id))


def _resume(tx: Session, policy: Policy, ticket_id: int, now: datetime) -> None:
    if resume_due(tx, policy, ticket_id, at=now):
        log.info("sweep.ticket_resumed", ticket=reference(ticket_id))


def _settle(tx: Session, policy: Policy, request_id: int, now: datetime) -> None:
    settle_request(tx, policy, request_id, at=now)


def _list_closable(tx: Session, now: datetime) -> Sequence[int]:
    """Return what may be due to close; only ``_close`` asks the calendar, a row at a time."""
    query = (
        select(TicketRow.id)
        .where(
            col(TicketRow.status) == Status.RESOLVED,
            col(TicketRow.resolved_at) <= now - timedelta(days=CLOSE_AFTER_DAYS),
        )
        .order_by(col(TicketRow.resolved_at))
        .limit(MOST_ROWS)
    )
    return [number for number in tx.exec(query).all() if number is not None]


def _may_close(ticket: TicketRow, policy: Policy, now: datetime) -> bool:
    if ticket.status is not Status.RESOLVED or ticket.resolved_at is None:
        return False
    return policy.hours_of(ticket.client).add_days(ticket.resolved_at, CLOSE_AFTER_DAYS) <= now


def _close(tx: Session, policy: Policy, ticket_id: int, now: datetime) -> None:
    ticket = get_ticket(tx, reference(ticket_id))
    if not _may_close(ticket, policy, now):
        return
    reason = f"Nothing more was heard for {CLOSE_AFTER_DAYS} support days after the resolution"
    close(tx, reference(ticket_id), reason=reason, actor=SWEEP, at=now)
    log.info("sweep.ticket_closed", ticket=reference(ticket_id))
