"""The promise on a ticket: it begins with a frozen deadline, is answered once, or is breached once.

Every function needs the open write transaction of its caller.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from tickets.history import SWEEP, Actor, Beside, check_allowed, get_ticket, record
from tickets.policy import Policy
from tickets.rules.closure import name_days_off
from tickets.rules.hours import SupportHours
from tickets.rules.promise import MetBy, deadline, is_kept
from tickets.rules.ticket import Action, Priority
from tickets.tables import PromiseRow, TicketRow


def begin_promise(
    tx: Session, policy: Policy, ticket: TicketRow, *, number: int, at: datetime
) -> PromiseRow:
    """Begin the ticket's promise ``number`` at ``at`` with the target of its priority."""
    target = policy.targets_of(ticket.client)[ticket.priority]
    due = deadline(policy.hours_of(ticket.client), target, at)
    assert ticket.id is not None
    promise = PromiseRow(
        ticket_id=ticket.id,
        number=number,
        started_at=at,
        target_seconds=int(target.within.total_seconds()),
        counted_in=target.counted_in,
        met_by=target.met_by,
        respond_by=due.respond_by,
        derivation=due.derivation(),
    )
    tx.add(promise)
    return promise


def promise_of(tx: Session, ticket: TicketRow) -> PromiseRow:
    """Return the ticket's current promise."""
    return tx.exec(
        select(PromiseRow).where(
            col(PromiseRow.ticket_id) == ticket.id,
            col(PromiseRow.number) == ticket.promise_number,
        )
    ).one()


def take_up(
    tx: Session,
    ref: str,
    *,
    action: Action,
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> tuple[TicketRow, PromiseRow]:
    """Return the ticket, locked for ``action``, and its promise; a breach is recorded first.

    Raises ``NotFound``, ``Conflict`` for a stale ``version`` and ``ActionRefused``.
    """
    ticket = get_ticket(tx, ref, version=version)
    check_allowed(ticket, action, actor=actor)
    promise = promise_of(tx, ticket)
    record_breach(tx, ticket, promise, at=at)
    return ticket, promise


def answered(
    promise: PromiseRow, *, action: Action, actor: Actor, at: datetime
) -> dict[str, object]:
    """Return the promise's columns that move if ``action`` is what meets it, once."""
    if action is Action.ACKNOWLEDGE and promise.met_by is not MetBy.ACKNOWLEDGEMENT:
        return {}
    if promise.answered_at is not None:
        return {}
    return {"answered_at": at, "answered_by": actor.name, "answered_with": action}


def retarget(
    policy: Policy, ticket: TicketRow, promise: PromiseRow, priority: Priority
) -> dict[str, object]:
    """Return the promise's columns that move when its priority becomes ``priority``.

    The deadline is counted from the promise's own start and is never later than it was (decision
    36). A promise that was answered or broken is history and does not move.
    """
    if promise.answered_at is not None or promise.breached_at is not None:
        return {}
    target = policy.targets_of(ticket.client)[priority]
    due = deadline(policy.hours_of(ticket.client), target, promise.started_at)
    if due.respond_by >= promise.respond_by:
        return {}
    return {
        "target_seconds": int(target.within.total_seconds()),
        "counted_in": target.counted_in,
        "met_by": target.met_by,
        "respond_by": due.respond_by,
        "derivation": due.derivation(),
    }


def record_breach(tx: Session, ticket: TicketRow, promise: PromiseRow, *, at: datetime) -> bool:
    """Record once that the deadline passed unanswered; False if it was answered or is not due."""
    is_recorded = promise.breached_at is not None
    if is_recorded or promise.answered_at is not None or is_kept(at, promise.respond_by):
        return False
    text = "The response deadline passed without an answer"
    record(
        tx,
        ticket,
        action=Action.BREACH,
        actor=SWEEP,
        at=at,
        text=text,
        is_visible=False,
        beside=Beside(promise=promise, columns={"breached_at": promise.respond_by}),
    )
    return True


def promise_facts(
    policy: Policy, ticket: TicketRow, promise: PromiseRow, at: datetime
) -> dict[str, Any]:
    """Return what a letter says of the promise: its deadline, and days off on the way to it."""
    hours = policy.hours_of(ticket.client)
    first, last = (when.astimezone(hours.zone).date() for when in (at, promise.respond_by))
    return {
        "respond_by": promise.respond_by.isoformat(),
        "answered_by": promise.answered_by,
        "met_by": promise.met_by.value,
        "closed_before": name_days_off(hours.days_off, first, last) or None,
    }


def support_facts(hours: SupportHours, at: datetime) -> dict[str, Any]:
    """Return what a letter says of support at ``at``: open, or when it resumes and why not before.

    The reason is None on a usual night or weekend.
    """
    if hours.is_open(at):
        return {"is_support_open": True, "resumes_at": None, "closed_for": None}
    resumes_at = hours.next_open(at)
    first, last = (when.astimezone(hours.zone).date() for when in (at, resumes_at))
    return {
        "is_support_open": False,
        "resumes_at": resumes_at.isoformat(),
        "closed_for": name_days_off(hours.days_off, first, last) or None,
    }
