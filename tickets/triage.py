"""Sorting a ticket: its priority, its category, and who has it.

Every function needs the open write transaction of its caller and commits nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Session

from tickets.errors import Refused
from tickets.history import Actor, Beside, record
from tickets.notices import tell, tell_all
from tickets.outbox import staff_recipient
from tickets.policy import Policy
from tickets.promises import promise_facts, retarget, take_up
from tickets.rules.notice import Notice
from tickets.rules.staff import may_act
from tickets.rules.ticket import (
    MACHINE_SOURCES,
    PEOPLE_CATEGORIES,
    Action,
    Category,
    Priority,
    Status,
    reference,
)
from tickets.tables import StaffRow, TicketRow
from tickets.texts import checked_text


def set_priority(
    tx: Session,
    policy: Policy,
    ref: str,
    *,
    priority: Priority,
    reason: str,
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> TicketRow:
    """Change the priority; the deadline is counted anew from the promise's start, never later.

    If the deadline moved, both deadlines are mailed to the client and to whoever cares for the
    ticket. Raises ``NotFound``, ``Refused`` for the same priority or an empty reason, ``Conflict``.
    """
    action = Action.PRIORITY
    ticket, promise = take_up(tx, ref, action=action, actor=actor, at=at, version=version)
    if priority is ticket.priority:
        raise Refused(f"{reference(ticket.id or 0)} has priority {priority} already")
    reason = checked_text(reason, field="reason")
    old_priority, old_respond_by = ticket.priority, promise.respond_by
    record(
        tx,
        ticket,
        action=action,
        actor=actor,
        at=at,
        text=reason,
        columns={"priority": priority, "update_by": _update_by(policy, ticket, priority, at=at)},
        beside=Beside(promise=promise, columns=retarget(policy, ticket, promise, priority)),
    )
    if promise.respond_by != old_respond_by:
        facts = promise_facts(policy, ticket, promise, at) | {
            "by": actor.name,
            "text": reason,
            "old_priority": old_priority.value,
            "old_respond_by": old_respond_by.isoformat(),
        }
        notice = Notice.PRIORITY_CHANGED
        tell_all(tx, policy, ticket, notice=notice, facts=facts, actor=actor, at=at)
    return ticket


def _update_by(
    policy: Policy, ticket: TicketRow, priority: Priority, *, at: datetime
) -> datetime | None:
    """Return when the client next hears from us: only work on a critical ticket has this clock."""
    if priority is not Priority.CRITICAL or ticket.status is not Status.ACKNOWLEDGED:
        return None
    return policy.hours_of(ticket.client).add(at, policy.update_every)


def set_category(
    tx: Session,
    ref: str,
    *,
    category: Category,
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> TicketRow:
    """Say what a request is about; nobody is told.

    Raises ``NotFound``, ``Conflict``, or ``Refused`` for the same or a machine's category, and on
    a ticket that a machine opened.
    """
    action = Action.CATEGORY
    ticket, _promise = take_up(tx, ref, action=action, actor=actor, at=at, version=version)
    name = reference(ticket.id or 0)
    if ticket.source in MACHINE_SOURCES:
        raise Refused(
            f"{name} was opened by a machine and keeps its category '{ticket.category}': only "
            "requests of people can be moved to another"
        )
    if category not in PEOPLE_CATEGORIES:
        allowed = ", ".join(PEOPLE_CATEGORIES)
        raise Refused(f"the category '{category}' is for machines: allowed are {allowed}")
    if category is ticket.category:
        raise Refused(f"{name} has category {category} already")
    columns = {"category": category}
    record(tx, ticket, action=action, actor=actor, at=at, is_visible=False, columns=columns)
    return ticket


def assign(
    tx: Session,
    policy: Policy,
    ref: str,
    *,
    assignee_id: int | None,
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> TicketRow:
    """Give the ticket to one of the staff, who is told unless they act; None takes it from all.

    It is no acknowledgement. Raises ``NotFound``, ``Conflict``, or ``Refused`` for somebody who may
    not change tickets or who has it already.
    """
    action = Action.ASSIGN
    ticket, promise = take_up(tx, ref, action=action, actor=actor, at=at, version=version)
    assignee = None if assignee_id is None else _get_assignee(tx, assignee_id)
    if assignee_id == ticket.assignee_id:
        holder = "nobody" if assignee is None else assignee.name
        raise Refused(f"{reference(ticket.id or 0)} is with {holder} already")
    record(
        tx,
        ticket,
        action=action,
        actor=actor,
        at=at,
        text=f"To {assignee.name}" if assignee else "To nobody",
        is_visible=False,
        columns={"assignee_id": assignee_id},
    )
    if assignee is not None:
        facts: dict[str, Any] = promise_facts(policy, ticket, promise, at) | {
            "by": actor.name,
            "assignee": assignee.name,
            "is_answered": promise.answered_at is not None,
        }
        tell(
            tx,
            policy,
            ticket,
            notice=Notice.ASSIGNED,
            recipients=(staff_recipient(assignee.email, assignee.name),),
            facts=facts,
            actor=actor,
            at=at,
        )
    return ticket


def _get_assignee(tx: Session, staff_id: int) -> StaffRow:
    staff = tx.get(StaffRow, staff_id)
    if staff is None or staff.disabled_at is not None:
        raise Refused("the assignee is none of the staff: `fettle staff list` shows who may be one")
    if not may_act(staff.role):
        raise Refused(f"{staff.name} is a {staff.role}, who reads tickets and cannot have one")
    return staff
