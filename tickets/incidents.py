"""What an incident does to its ticket: it recovers, relapses, worsens, is given up.

These are a machine's facts. Whether the work is done is for people to say (decision 8): recovery
never resolves a ticket. Every function needs the open write transaction of its caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from tickets.actions import reopen
from tickets.errors import Conflict
from tickets.history import MONITOR, SWEEP, Actor, get_ticket, record
from tickets.notices import tell_all
from tickets.policy import Policy
from tickets.promises import promise_facts, promise_of
from tickets.rules.notice import Notice
from tickets.rules.ticket import Action, Category, Status, reference
from tickets.tables import TicketRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Who sees an incident end, in which words, and which letter tells it."""

    by: Actor
    recovery: str
    notice: Notice


PROBES = Seen(by=MONITOR, recovery="The site answers well again", notice=Notice.RECOVERED)
"""The probes, who see sites."""


def recover(
    tx: Session,
    policy: Policy,
    ticket_id: int,
    *,
    since: datetime,
    until: datetime,
    is_told: bool,
    at: datetime,
    seen: Seen = PROBES,
) -> TicketRow:
    """Record that what was wrong is well again; the ticket stays with the people.

    ``since`` and ``until`` bound the incident. If ``is_told``, contacts hear of it, and the
    assignee or else duty. ``seen`` is who saw it.
    """
    ticket = get_ticket(tx, reference(ticket_id))
    record(
        tx,
        ticket,
        action=Action.RECOVER,
        actor=seen.by,
        at=at,
        text=seen.recovery,
        columns={"recovered_at": at},
    )
    if not is_told:
        return ticket
    next_word = ticket.update_by if ticket.update_by and ticket.update_by > at else None
    tell_all(
        tx,
        policy,
        ticket,
        notice=seen.notice,
        facts=promise_facts(policy, ticket, promise_of(tx, ticket), at)
        | {
            "since": since.isoformat(),
            "until": until.isoformat(),
            "duration_seconds": max((until - since).total_seconds(), 0.0),
            "is_outstanding": ticket.status not in {Status.RESOLVED, Status.CLOSED},
            "next_word_by": next_word.isoformat() if next_word else None,
        },
        actor=seen.by,
        at=at,
    )
    return ticket


def relapse(
    tx: Session,
    policy: Policy,
    ticket_id: int,
    *,
    message: str,
    at: datetime,
    seen: Seen = PROBES,
) -> TicketRow:
    """Record that the same incident goes on: no new ticket and no mail.

    A ticket that was resolved meanwhile is reopened instead, with a new promise, and people are
    told. Raises ``Conflict`` when the ticket is closed.
    """
    ticket = get_ticket(tx, reference(ticket_id))
    if ticket.status is Status.RESOLVED:
        reason = f"It happens again: {message}"
        return reopen(tx, policy, reference(ticket_id), reason=reason, actor=seen.by, at=at)
    if ticket.status is Status.CLOSED:
        raise Conflict(f"{reference(ticket_id)} is closed and cannot take up a relapse")
    record(
        tx,
        ticket,
        action=Action.RELAPSE,
        actor=seen.by,
        at=at,
        text=message,
        columns={"recovered_at": None},
    )
    return ticket


def worsen(
    tx: Session,
    policy: Policy,
    ticket_id: int,
    *,
    title: str,
    what: str,
    message: str,
    since: datetime,
    at: datetime,
) -> TicketRow:
    """Record that a slow site is now down: same ticket, same promise; people are told."""
    ticket = get_ticket(tx, reference(ticket_id))
    record(
        tx,
        ticket,
        action=Action.WORSEN,
        actor=MONITOR,
        at=at,
        text=message,
        columns={"title": title, "category": Category.OUTAGE},
    )
    facts = promise_facts(policy, ticket, promise_of(tx, ticket), at) | {
        "what": what,
        "message": message,
        "since": since.isoformat(),
    }
    tell_all(
        tx,
        policy,
        ticket,
        notice=Notice.DOWN,
        facts=facts,
        actor=MONITOR,
        at=at,
    )
    return ticket


SITE_GONE = "The site is no longer watched: it was removed from the configuration"


def unwatch(tx: Session, ticket_id: int, *, at: datetime, text: str = SITE_GONE) -> TicketRow:
    """Record that nobody watches any more: the incident ended, the ticket stays."""
    ticket = get_ticket(tx, reference(ticket_id))
    record(tx, ticket, action=Action.UNWATCH, actor=SWEEP, at=at, text=text, is_visible=False)
    return ticket
