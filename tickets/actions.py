"""What people do to a ticket: the ticket, one entry and one message per recipient, together.

Each function needs the open write transaction of its caller and commits nothing. Instants are
arguments, aware UTC. An action that names an older version than the ticket's is a ``Conflict``
that tells what happened since.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Session

from tickets.errors import Refused
from tickets.history import Actor, get_ticket, record
from tickets.notices import tell_all, tell_client
from tickets.policy import Policy
from tickets.promises import answer, begin_promise, promise_facts, promise_of, record_breach
from tickets.rules.notice import Notice
from tickets.rules.plain_text import several_lines
from tickets.rules.ticket import (
    EARLY_OUTCOMES,
    Action,
    Outcome,
    Priority,
    Status,
    is_allowed,
)
from tickets.tables import TicketRow

MAX_TEXT = 20_000
"""Longest text that a person may add to a ticket, in characters."""


def acknowledge(
    tx: Session,
    policy: Policy,
    ref: str,
    *,
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> TicketRow:
    """Record that a named person takes the ticket; keeps a critical promise and tells the client.

    Raises ``NotFound``, or ``Conflict`` when the ticket is not open or ``version`` is stale.
    """
    ticket = get_ticket(tx, ref, version=version)
    record_breach(tx, ticket, promise_of(tx, ticket), at=at)
    next_word_by = policy.hours.add(at, policy.update_every)
    is_critical = ticket.priority is Priority.CRITICAL
    record(
        tx,
        ticket,
        action=Action.ACKNOWLEDGE,
        actor=actor,
        at=at,
        columns={
            "status": Status.ACKNOWLEDGED,
            "assignee_id": ticket.assignee_id or actor.staff_id,
            "update_by": next_word_by if is_critical else None,
        },
    )
    answer(tx, ticket, action=Action.ACKNOWLEDGE, actor=actor, at=at)
    if is_critical:
        facts = {"by": actor.name, "next_word_by": next_word_by.isoformat()}
        tell_client(tx, policy, ticket, notice=Notice.ACKNOWLEDGED, facts=facts, actor=actor, at=at)
    return ticket


def reply(
    tx: Session,
    policy: Policy,
    ref: str,
    *,
    text: str,
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> TicketRow:
    """Send a word to the client; answers the promise and restarts the update clock.

    Raises ``NotFound``, ``Refused`` for an empty or overlong text, or ``Conflict``.
    """
    ticket = get_ticket(tx, ref, version=version)
    record_breach(tx, ticket, promise_of(tx, ticket), at=at)
    text = _checked_text(text, field="reply")
    is_outstanding = ticket.status is not Status.RESOLVED
    next_word_by = policy.hours.add(at, policy.update_every)
    has_clock = ticket.priority is Priority.CRITICAL and is_outstanding
    columns: dict[str, Any] = {"update_by": next_word_by if has_clock else None}
    if ticket.status is Status.OPEN:
        columns["status"] = Status.ACKNOWLEDGED
        columns["assignee_id"] = ticket.assignee_id or actor.staff_id
    record(tx, ticket, action=Action.REPLY, actor=actor, at=at, text=text, columns=columns)
    answer(tx, ticket, action=Action.REPLY, actor=actor, at=at)
    facts: dict[str, Any] = {"by": actor.name, "text": text}
    if has_clock:
        facts["next_word_by"] = next_word_by.isoformat()
    tell_client(tx, policy, ticket, notice=Notice.REPLY, facts=facts, actor=actor, at=at)
    return ticket


def note(
    tx: Session, ref: str, *, text: str, actor: Actor, at: datetime, version: int | None = None
) -> TicketRow:
    """Add a note that only staff see; nobody is told.

    Raises ``NotFound``, ``Refused`` for an empty or overlong text, or ``Conflict``.
    """
    ticket = get_ticket(tx, ref, version=version)
    text = _checked_text(text, field="note")
    record(tx, ticket, action=Action.NOTE, actor=actor, at=at, text=text, is_visible=False)
    return ticket


def resolve(
    tx: Session,
    policy: Policy,
    ref: str,
    *,
    cause: str,
    done: str,
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> TicketRow:
    """Record that the cause is dealt with and tell the client; answers the promise too.

    ``cause`` says what it was and ``done`` what was done, both in words for the client. Raises
    ``NotFound``, ``Refused`` for an empty or overlong text, or ``Conflict``.
    """
    ticket = get_ticket(tx, ref, version=version)
    record_breach(tx, ticket, promise_of(tx, ticket), at=at)
    cause = _checked_text(cause, field="cause")
    done = _checked_text(done, field="what was done")
    record(
        tx,
        ticket,
        action=Action.RESOLVE,
        actor=actor,
        at=at,
        text=f"Cause: {cause}\nDone: {done}",
        columns={
            "status": Status.RESOLVED,
            "resolved_at": at,
            "update_by": None,
            "assignee_id": ticket.assignee_id or actor.staff_id,
        },
    )
    answer(tx, ticket, action=Action.RESOLVE, actor=actor, at=at)
    facts = {"by": actor.name, "cause": cause, "done": done}
    tell_client(tx, policy, ticket, notice=Notice.RESOLVED, facts=facts, actor=actor, at=at)
    return ticket


def close(
    tx: Session,
    ref: str,
    *,
    outcome: Outcome,
    reason: str = "",
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> TicketRow:
    """Close a ticket for good; nobody is told.

    A resolved ticket closes with any outcome; one that is not resolved only as a duplicate or as no
    issue, with a reason. Raises ``NotFound``, ``Refused`` or ``Conflict``.
    """
    ticket = get_ticket(tx, ref, version=version)
    if ticket.status is not Status.RESOLVED and is_allowed(Action.CLOSE, ticket.status):
        if outcome not in EARLY_OUTCOMES:
            allowed = " or ".join(sorted(EARLY_OUTCOMES))
            raise Refused(
                f"{ref} is {ticket.status}, not resolved: it can only be closed as {allowed}"
            )
        reason = _checked_text(reason, field="reason")
    record(
        tx,
        ticket,
        action=Action.CLOSE,
        actor=actor,
        at=at,
        text=reason,
        is_visible=False,
        columns={
            "status": Status.CLOSED,
            "outcome": outcome,
            "closed_at": at,
            "update_by": None,
        },
    )
    return ticket


def reopen(
    tx: Session,
    policy: Policy,
    ref: str,
    *,
    reason: str,
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> TicketRow:
    """Take up a resolved ticket again with a new promise from now; the old one stays as it was.

    The client and, when a machine reopens it, duty are told. Raises ``NotFound``, ``Refused`` or
    ``Conflict``.
    """
    ticket = get_ticket(tx, ref, version=version)
    reason = _checked_text(reason, field="reason")
    status = Status.ACKNOWLEDGED if ticket.assignee_id else Status.OPEN
    record(
        tx,
        ticket,
        action=Action.REOPEN,
        actor=actor,
        at=at,
        text=reason,
        columns={
            "status": status,
            "resolved_at": None,
            "recovered_at": None,
            "promise_number": ticket.promise_number + 1,
        },
    )
    promise = begin_promise(tx, policy, ticket, number=ticket.promise_number, at=at)
    facts = promise_facts(policy, promise, at) | {"message": reason}
    tell_all(
        tx,
        policy,
        ticket,
        notice=Notice.REOPENED,
        facts=facts,
        actor=actor,
        at=at,
    )
    return ticket


def _checked_text(text: str, *, field: str) -> str:
    text = several_lines(text).strip()
    if not text:
        raise Refused(f"the {field} is empty: write at least one word")
    if len(text) > MAX_TEXT:
        raise Refused(f"the {field} has {len(text)} characters; at most {MAX_TEXT} are allowed")
    return text
