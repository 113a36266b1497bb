"""What programs may do to tickets: the same actions as the desk's, called by their orders.

Every function needs the open write transaction of its caller and commits nothing; it returns the
ticket as it is since.
"""

from __future__ import annotations

from typing import TypeVar

from tickets import accounts, actions, opening, relations, time_spent, triage, waiting
from tickets.actions import Outlook
from tickets.addresses import shown
from tickets.api.calls import Call
from tickets.api.documents import entry_documents
from tickets.api.orders import (
    Assign,
    Change,
    Close,
    Link,
    LogTime,
    Merge,
    Note,
    Open,
    Order,
    Reopen,
    Reply,
    Resolve,
    Resume,
    SetCategory,
    SetPriority,
    Wait,
)
from tickets.api.problems import StaleVersion
from tickets.api.reading import no_such_ticket, refuse_other_client
from tickets.errors import Refused
from tickets.history import get_ticket
from tickets.opening import NewRequest, Requester
from tickets.queries.tickets import list_entries
from tickets.rules.ticket import Source, parse_reference, reference
from tickets.store import Session
from tickets.tables import TicketRow
from tickets.time_spent import Work

AnyOrder = TypeVar("AnyOrder", bound=Order)

MOST_CHANGES = 20
"""Most entries that a conflict tells of."""


def check_version(tx: Session, call: Call) -> None:
    """Lock what will change; raises ``NotFound``, or ``StaleVersion`` with what changed.

    Nothing may have read these tickets before in ``tx``, or they would stay as they were read. They
    are locked in one order everywhere, so that two requests never wait for each other.
    """
    order = _order(call, Change)
    for ref in sorted(
        {call.ref, order.other or call.ref}, key=lambda ref: parse_reference(ref) or 0
    ):
        found = get_ticket(tx, ref)
        if not call.caller.may_see(found.client, is_internal=found.is_internal):
            raise no_such_ticket(ref)
    ticket = get_ticket(tx, call.ref)
    if order.version == ticket.version:
        return
    changes = list_entries(
        tx,
        call.ref,
        after=order.version,
        most=MOST_CHANGES,
        only_visible=call.caller.client is not None,
    )
    raise StaleVersion(
        f"{reference(ticket.id or 0)} has version {ticket.version}, not {order.version}: look at"
        " what changed and decide again",
        version=ticket.version,
        changes=entry_documents(changes),
    )


def open_(tx: Session, call: Call) -> TicketRow:
    """Open a ticket for what somebody asks."""
    order, caller = _order(call, Open), call.caller
    refuse_other_client(caller, order.client)
    asker = order.requester
    new = NewRequest(
        client=order.client,
        site=order.site,
        priority=order.priority,
        category=order.category,
        title=order.title,
        text=order.text,
        requester=None if asker is None else Requester(asker.name or "", asker.address),
        source=Source.API,
    )
    return opening.open_request(tx, call.policy, new, actor=caller.actor, at=call.at)


def acknowledge(tx: Session, call: Call) -> TicketRow:
    """Take the ticket."""
    return actions.acknowledge(tx, call.policy, call.ref, actor=call.caller.actor, at=call.at)


def reply(tx: Session, call: Call) -> TicketRow:
    """Send a word to the client."""
    order = _order(call, Reply)
    return actions.reply(
        tx,
        call.policy,
        call.ref,
        text=order.text,
        outlook=Outlook(next_steps=order.next_steps or "", estimate=order.estimate or ""),
        actor=call.caller.actor,
        at=call.at,
    )


def note(tx: Session, call: Call) -> TicketRow:
    """Add a note that only staff see."""
    order = _order(call, Note)
    return actions.note(tx, call.ref, text=order.text, actor=call.caller.actor, at=call.at)


def resolve(tx: Session, call: Call) -> TicketRow:
    """Say that the cause is dealt with."""
    order = _order(call, Resolve)
    return actions.resolve(
        tx,
        call.policy,
        call.ref,
        cause=order.cause,
        done=order.done,
        outcome=order.outcome,
        actor=call.caller.actor,
        at=call.at,
    )


def close(tx: Session, call: Call) -> TicketRow:
    """Close the ticket for good."""
    order = _order(call, Close)
    return actions.close(
        tx,
        call.ref,
        outcome=order.outcome,
        reason=order.reason or "",
        actor=call.caller.actor,
        at=call.at,
    )


def reopen(tx: Session, call: Call) -> TicketRow:
    """Take up a resolved ticket again."""
    order = _order(call, Reopen)
    return actions.reopen(
        tx, call.policy, call.ref, reason=order.reason, actor=call.caller.actor, at=call.at
    )


def priority(tx: Session, call: Call) -> TicketRow:
    """Change the priority."""
    order = _order(call, SetPriority)
    return triage.set_priority(
        tx,
        call.policy,
        call.ref,
        priority=order.priority,
        reason=order.reason,
        actor=call.caller.actor,
        at=call.at,
    )


def category(tx: Session, call: Call) -> TicketRow:
    """Say what a request is about."""
    order = _order(call, SetCategory)
    return triage.set_category(
        tx, call.ref, category=order.category, actor=call.caller.actor, at=call.at
    )


def assign(tx: Session, call: Call) -> TicketRow:
    """Give the ticket to one of the staff, or take it from all."""
    wanted = _order(call, Assign).assignee
    staff_id = None
    if wanted is not None:
        found = [one.id for one in accounts.list_staff(tx) if one.email == wanted.lower()]
        if not found:
            raise Refused(f"the assignee {shown(wanted)} is none of the staff")
        staff_id = found[0]
    return triage.assign(
        tx, call.policy, call.ref, assignee_id=staff_id, actor=call.caller.actor, at=call.at
    )


def wait(tx: Session, call: Call) -> TicketRow:
    """Ask the client and wait."""
    order = _order(call, Wait)
    return waiting.wait(
        tx,
        call.policy,
        call.ref,
        question=order.question,
        resume_on=order.resume_on,
        actor=call.caller.actor,
        at=call.at,
    )


def resume(tx: Session, call: Call) -> TicketRow:
    """Go on with the work."""
    order = _order(call, Resume)
    return waiting.resume(
        tx, call.policy, call.ref, text=order.text or "", actor=call.caller.actor, at=call.at
    )


def merge(tx: Session, call: Call) -> TicketRow:
    """Close the ticket as a duplicate of another."""
    order = _order(call, Merge)
    return relations.merge(
        tx,
        call.policy,
        call.ref,
        into=order.into,
        reason=order.reason or "",
        actor=call.caller.actor,
        at=call.at,
    )


def link(tx: Session, call: Call) -> TicketRow:
    """Say that two tickets belong together."""
    order = _order(call, Link)
    return relations.link(tx, call.ref, other=order.to, actor=call.caller.actor, at=call.at)


def log_time(tx: Session, call: Call) -> TicketRow:
    """Log work on a ticket."""
    order = _order(call, LogTime)
    work = Work(minutes=order.minutes, worked_on=order.worked_on, text=order.text)
    return time_spent.log_time(
        tx, call.policy, call.ref, work=work, actor=call.caller.actor, at=call.at
    )


def _order(call: Call, kind: type[AnyOrder]) -> AnyOrder:
    assert isinstance(call.order, kind)
    return call.order
