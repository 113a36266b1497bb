"""Escalation: staff hear that a promise runs out, was broken, or that the client waits for a word.

Every function needs a transaction of its caller; those that change something, a write transaction.
What was told is a row of its own, written with its messages, so that each step is told once: also
after a restart, and by two sweeps at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select

from tickets.history import SWEEP, get_ticket, record
from tickets.notices import carers, tell
from tickets.outbox import Recipient
from tickets.policy import Policy
from tickets.promises import promise_facts, promise_of, record_breach
from tickets.rules.escalation import Escalation, StaffChannel, due_escalation
from tickets.rules.hours import OutOfReach
from tickets.rules.notice import Notice
from tickets.rules.ticket import OPEN_STATUSES, Action, Priority, Status, reference
from tickets.rules.words import describe_time_left
from tickets.tables import EscalationRow, PromiseRow, StaffRow, TicketRow

_AWAITING_WORD = OPEN_STATUSES - {Status.WAITING}


def list_running_out(tx: Session, policy: Policy, now: datetime) -> Sequence[int]:
    """Return the tickets whose promise is broken but not recorded so, or has a step due now."""
    last = max((step.percent for step in policy.escalation), default=0)
    is_finished = sa.exists().where(
        col(EscalationRow.ticket_id) == col(PromiseRow.ticket_id),
        col(EscalationRow.promise_number) == col(PromiseRow.number),
        col(EscalationRow.step) == _step(last),
    )
    query = (
        select(PromiseRow, TicketRow.client)
        .join(
            TicketRow,
            (col(TicketRow.id) == col(PromiseRow.ticket_id))
            & (col(TicketRow.promise_number) == col(PromiseRow.number)),
        )
        .where(
            col(PromiseRow.answered_at).is_(None),
            col(TicketRow.status).in_([*OPEN_STATUSES]),
            sa.or_(
                ~is_finished,
                sa.and_(col(PromiseRow.breached_at).is_(None), col(PromiseRow.respond_by) < now),
            ),
        )
        .order_by(col(PromiseRow.respond_by))
    )
    rows = tx.exec(query).all()
    told = _told_of(tx, [promise.ticket_id for promise, _ in rows])
    due: list[int] = []
    for promise, client in rows:
        is_unrecorded = promise.breached_at is None and promise.respond_by < now
        percents = told.get((promise.ticket_id, promise.number), set())
        if is_unrecorded or _due(policy, client, promise, told=percents, now=now):
            due.append(promise.ticket_id)
    return due


def escalate(tx: Session, policy: Policy, ticket_id: int, *, at: datetime) -> Escalation | None:
    """Record a breach, once, and tell staff of the steps of the promise that are due, each once.

    Returns the steps told. Nothing happens once the promise is answered or the ticket not open.
    """
    ticket = get_ticket(tx, reference(ticket_id))
    promise = promise_of(tx, ticket)
    if promise.answered_at is not None or ticket.status not in OPEN_STATUSES:
        return None
    is_new_breach = record_breach(tx, ticket, promise, at=at)
    told = _told_of(tx, [ticket_id]).get((ticket_id, promise.number), set())
    due = _due(policy, ticket.client, promise, told=told, now=at)
    if due is None:
        return None
    for percent in due.percents:
        tx.add(
            EscalationRow(
                ticket_id=ticket_id,
                promise_number=promise.number,
                step=_step(percent),
                told_at=at,
            )
        )
    if not is_new_breach:  # the entry of the breach says enough
        text = f"{due.percents[-1]} % of the time to answer is used up"
        _record(tx, ticket, text, tell_to=due.tell, at=at)
    hours = policy.hours_of(ticket.client)
    facts = promise_facts(policy, ticket, promise, at) | {
        "since": promise.started_at.isoformat(),
        "percent": due.percents[-1],
        "time_left": describe_time_left(hours, now=at, respond_by=promise.respond_by),
    }
    tell(
        tx,
        policy,
        ticket,
        notice=Notice.BREACHED if due.is_broken else Notice.AT_RISK,
        recipients=_recipients(tx, policy, ticket, due.tell),
        facts=facts,
        actor=SWEEP,
        at=at,
    )
    return due


def list_words_due(tx: Session, now: datetime) -> Sequence[int]:
    """Return the open critical tickets on which a word to the client is due and nobody was told.

    Only ``remind`` asks the calendar, a ticket at a time.
    """
    query = (
        select(TicketRow.id, TicketRow.update_by)
        .where(
            col(TicketRow.priority) == Priority.CRITICAL,
            col(TicketRow.status).in_([*_AWAITING_WORD]),
            col(TicketRow.update_by) <= now,
        )
        .order_by(col(TicketRow.update_by))
    )
    rows = tx.exec(query).all()
    told = select(EscalationRow.ticket_id, EscalationRow.step).where(
        col(EscalationRow.ticket_id).in_([number for number, _ in rows])
    )
    steps = {(number, step) for number, step in tx.exec(told).all()}
    return [
        number
        for number, by in rows
        if number is not None and by is not None and (number, _word(by)) not in steps
    ]


def remind(tx: Session, policy: Policy, ticket_id: int, *, at: datetime) -> bool:
    """Tell staff, once and in support hours, that the client is due the next word.

    The assignee, duty and lead are told. Returns False if there was nothing to tell.
    """
    ticket = get_ticket(tx, reference(ticket_id))
    by = ticket.update_by
    is_due = (
        by is not None
        and by <= at
        and ticket.priority is Priority.CRITICAL
        and ticket.status in _AWAITING_WORD
        and policy.hours_of(ticket.client).is_open(at)
    )
    if not is_due or by is None:
        return False
    key = (ticket_id, ticket.promise_number, _word(by))
    if tx.get(EscalationRow, key) is not None:
        return False
    tx.add(EscalationRow(ticket_id=key[0], promise_number=key[1], step=key[2], told_at=at))
    _record(tx, ticket, "The client is due the next word", tell_to=tuple(StaffChannel), at=at)
    assignee = None if ticket.assignee_id is None else tx.get(StaffRow, ticket.assignee_id)
    tell(
        tx,
        policy,
        ticket,
        notice=Notice.UPDATE_DUE,
        recipients=_recipients(tx, policy, ticket, tuple(StaffChannel)),
        facts={
            "next_word_by": by.isoformat(),
            "by": None if assignee is None else assignee.name,
        },
        actor=SWEEP,
        at=at,
    )
    return True


def _due(
    policy: Policy, client: str, promise: PromiseRow, *, told: set[int], now: datetime
) -> Escalation | None:
    """Return the steps due now; none where an edited calendar no longer reaches the promise."""
    try:
        return due_escalation(
            policy.hours_of(client),
            policy.escalation,
            started_at=promise.started_at,
            respond_by=promise.respond_by,
            told=told,
            now=now,
        )
    except OutOfReach:
        return None


def _told_of(tx: Session, ticket_ids: Iterable[int]) -> dict[tuple[int, int], set[int]]:
    """Return the shares told so far, in per cent, by ticket and promise number."""
    query = select(EscalationRow).where(col(EscalationRow.ticket_id).in_([*ticket_ids]))
    told: dict[tuple[int, int], set[int]] = {}
    for row in tx.exec(query).all():
        if row.step.endswith("%"):
            key = (row.ticket_id, row.promise_number)
            told.setdefault(key, set()).add(int(row.step.removesuffix("%")))
    return told


def _record(
    tx: Session,
    ticket: TicketRow,
    text: str,
    *,
    tell_to: Sequence[StaffChannel],
    at: datetime,
) -> None:
    whom = " and ".join(sorted(tell_to))
    record(
        tx,
        ticket,
        action=Action.ESCALATE,
        actor=SWEEP,
        at=at,
        text=f"{text}; told {whom}",
        is_visible=False,
    )


def _recipients(
    tx: Session, policy: Policy, ticket: TicketRow, channels: Sequence[StaffChannel]
) -> Sequence[Recipient]:
    """Return the assignee, if any, and everybody behind ``channels``."""
    assignee = () if ticket.assignee_id is None else carers(tx, policy, ticket)
    return (*assignee, *(person for channel in channels for person in policy.staff_of(channel)))


def _step(percent: int) -> str:
    return f"{percent}%"


def _word(by: datetime) -> str:
    return f"update {by.isoformat()}"
