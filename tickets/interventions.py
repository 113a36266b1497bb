"""What staff do to messages by hand: send again, or cancel; each with who and when.

Every function needs the open write transaction of its caller.
"""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, select

from tickets.errors import Conflict, NotFound
from tickets.history import Actor
from tickets.mail_faults import clear_undeliverable
from tickets.outbox import forget_secrets, share_fate
from tickets.outbox_tables import InterventionRow
from tickets.rules.message import Channel, Intervention, MessageState, may_cancel, may_requeue
from tickets.rules.pseudonym import is_pseudonym
from tickets.tables import MessageRow


def requeue(tx: Session, message_id: int, *, actor: Actor, at: datetime) -> MessageRow:
    """Put a message up for sending now, with its back-off and its time to give up begun anew.

    For what is dead, and for what waits for a later attempt, for support hours or for a limit; it
    leaves as the same mail, and past the limits per address. The mark of an address that was
    refused is taken off. Raises ``NotFound``, or ``Conflict`` in any other state and for somebody
    who was erased.
    """
    message = _get(tx, message_id)
    if is_pseudonym(message.address):
        raise Conflict(f"message {message_id} is to somebody whose data was erased")
    if not may_requeue(message.state, is_due=message.not_before <= at):
        raise Conflict(
            f"message {message_id} {_STANDS[message.state]}: only what is not delivered, or waits "
            "for later, can be sent again"
        )
    _record(tx, message, Intervention.REQUEUE, actor=actor, at=at)
    message.state, message.not_before = MessageState.PENDING, at
    message.held_for, message.requeued_at, message.told_at = None, at, None
    message.forgiven = message.attempts
    if message.channel is Channel.MAIL:
        clear_undeliverable(tx, message.address, at=at)
    share_fate(tx, message)
    return message


def cancel(tx: Session, message_id: int, *, actor: Actor, at: datetime) -> MessageRow:
    """Decide that a message will never be sent, nor what goes in its mail; this is final.

    Raises ``NotFound``, or ``Conflict`` for a message that is sent, being sent or cancelled.
    """
    message = _get(tx, message_id)
    if not may_cancel(message.state):
        raise Conflict(
            f"message {message_id} {_STANDS[message.state]}: only what waits or is not delivered "
            "can be cancelled"
        )
    _record(tx, message, Intervention.CANCEL, actor=actor, at=at)
    message.state, message.held_for = MessageState.CANCELLED, None
    forget_secrets(message)
    share_fate(tx, message)
    return message


_STANDS = {
    MessageState.PENDING: "is due already",
    MessageState.SENDING: "is being sent at this moment",
    MessageState.SENT: "has been sent",
    MessageState.DEAD: "is not delivered",
    MessageState.CANCELLED: "was cancelled",
}


def _get(tx: Session, message_id: int) -> MessageRow:
    """Return a message, or the one in whose mail it goes, locked."""
    found = _locked(tx, message_id)
    if found is not None and found.carrier_id is not None:
        found = _locked(tx, found.carrier_id)
    if found is None:
        raise NotFound(f"there is no message {message_id} in the outbox")
    return found


def _locked(tx: Session, message_id: int) -> MessageRow | None:
    # Only once it is locked is it known whether a sender has just put it into another's mail.
    query = select(MessageRow).where(col(MessageRow.id) == message_id).with_for_update()
    return tx.exec(query.execution_options(populate_existing=True)).first()


def _record(
    tx: Session, message: MessageRow, what: Intervention, *, actor: Actor, at: datetime
) -> None:
    assert message.id is not None
    tx.add(
        InterventionRow(
            message_id=message.id,
            at=at,
            what=what,
            state_before=message.state,
            actor=actor.name,
            staff_id=actor.staff_id,
        )
    )
