"""What programs may do to tickets: the same actions as the desk's, called by their orders.

Every function needs the open write transaction of its caller and commits nothing.
"""

from __future__ import annotations

from typing import TypeVar

from tickets import actions, queries
from tickets.api.calls import Call
from tickets.api.documents import entry_documents
from tickets.api.orders import Change, Close, Note, Order, Reopen, Reply, Resolve
from tickets.api.problems import StaleVersion
from tickets.api.reading import no_such_ticket
from tickets.history import get_ticket
from tickets.store import Session

AnyOrder = TypeVar("AnyOrder", bound=Order)

MOST_CHANGES = 20
"""Most entries that a conflict tells of."""


def check_version(tx: Session, call: Call) -> None:
    """Lock the ticket for change; raises ``NotFound``, or ``StaleVersion`` with what changed."""
    ticket = get_ticket(tx, call.ref)  # before anything else reads it, or it would stay as read
    if not call.caller.may_see(ticket.client):
        raise no_such_ticket(call.ref)
    version = _order(call, Change).version
    if version == ticket.version:
        return
    changes = queries.list_entries(
        tx,
        call.ref,
        after=version,
        most=MOST_CHANGES,
        only_visible=call.caller.client is not None,
    )
    raise StaleVersion(
        f"the ticket has version {ticket.version}, not {version}: look at what changed and decide"
        " again",
        version=ticket.version,
        changes=entry_documents(changes),
    )


def acknowledge(tx: Session, call: Call) -> None:
    """Take the ticket."""
    actions.acknowledge(tx, call.policy, call.ref, actor=call.caller.actor, at=call.at)


def reply(tx: Session, call: Call) -> None:
    """Send a word to the client."""
    order = _order(call, Reply)
    actions.reply(tx, call.policy, call.ref, text=order.text, actor=call.caller.actor, at=call.at)


def note(tx: Session, call: Call) -> None:
    """Add a note that only staff see."""
    order = _order(call, Note)
    actions.note(tx, call.ref, text=order.text, actor=call.caller.actor, at=call.at)


def resolve(tx: Session, call: Call) -> None:
    """Say that the cause is dealt with."""
    order = _order(call, Resolve)
    actions.resolve(
        tx,
        call.policy,
        call.ref,
        cause=order.cause,
        done=order.done,
        actor=call.caller.actor,
        at=call.at,
    )


def close(tx: Session, call: Call) -> None:
    """Close the ticket for good."""
    order = _order(call, Close)
    actions.close(
        tx,
        call.ref,
        outcome=order.outcome,
        reason=order.reason or "",
        actor=call.caller.actor,
        at=call.at,
    )


def reopen(tx: Session, call: Call) -> None:
    """Take up a resolved ticket again."""
    order = _order(call, Reopen)
    actions.reopen(
        tx, call.policy, call.ref, reason=order.reason, actor=call.caller.actor, at=call.at
    )


def _order(call: Call, kind: type[AnyOrder]) -> AnyOrder:
    assert isinstance(call.order, kind)
    return call.order
