"""The promise on a ticket: it begins with a frozen deadline, is answered once, or is breached once.

Every function needs the open write transaction of its caller.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from tickets.history import SWEEP, Actor, get_ticket, record
from tickets.notices import carers, tell
from tickets.policy import Policy
from tickets.rules.notice import Notice
from tickets.rules.promise import MetBy, deadline, is_kept
from tickets.rules.ticket import Action, reference
from tickets.tables import PromiseRow, TicketRow


def begin_promise(
    tx: Session, policy: Policy, ticket: TicketRow, *, number: int, at: datetime
) -> PromiseRow:
    """Begin the ticket's promise ``number`` at ``at`` with the target of its priority."""
    target = policy.targets[ticket.priority]
    due = deadline(policy.hours, target, at)
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


def answer(tx: Session, ticket: TicketRow, *, action: Action, actor: Actor, at: datetime) -> None:
    """Meet the promise, once, if ``action`` is what meets it."""
    promise = promise_of(tx, ticket)
    if action is Action.ACKNOWLEDGE and promise.met_by is not MetBy.ACKNOWLEDGEMENT:
        return
    if promise.answered_at is not None:
        return
    promise.answered_at = at
    promise.answered_by = actor.name
    promise.answered_with = action


def breach(tx: Session, policy: Policy, ticket_id: int, *, at: datetime) -> bool:
    """Record once that the current promise's deadline passed unanswered; duty and lead are told.

    Returns False, and changes nothing, when it was answered, is not due, or was recorded before.
    """
    ticket = get_ticket(tx, reference(ticket_id))
    promise = promise_of(tx, ticket)
    if not record_breach(tx, ticket, promise, at=at):
        return False
    facts = promise_facts(policy, promise, at)
    recipients = (*carers(tx, policy, ticket), *policy.lead)
    tell(
        tx,
        policy,
        ticket,
        notice=Notice.BREACHED,
        recipients=recipients,
        facts=facts,
        actor=SWEEP,
        at=at,
    )
    return True


def record_breach(tx: Session, ticket: TicketRow, promise: PromiseRow, *, at: datetime) -> bool:
    """Record once that the deadline passed unanswered; False if it was answered or is not due."""
    if promise.answered_at is not None or is_kept(at, promise.respond_by):
        return False
    won = tx.exec(
        sa.update(PromiseRow)
        .where(
            col(PromiseRow.ticket_id) == promise.ticket_id,
            col(PromiseRow.number) == promise.number,
            col(PromiseRow.breached_at).is_(None),
        )
        .values(breached_at=promise.respond_by)
    )
    if won.rowcount != 1:
        return False
    text = "The response deadline passed without an answer"
    record(tx, ticket, action=Action.BREACH, actor=SWEEP, at=at, text=text, is_visible=False)
    return True


def promise_facts(policy: Policy, promise: PromiseRow, at: datetime) -> dict[str, Any]:
    """Return what a letter says of the promise: the deadline, and when support resumes."""
    is_open = policy.hours.is_open(at)
    return {
        "respond_by": promise.respond_by.isoformat(),
        "answered_by": promise.answered_by,
        "is_support_open": is_open,
        "resumes_at": None if is_open else policy.hours.next_open(at).isoformat(),
    }
