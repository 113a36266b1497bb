"""Tickets that belong together: duplicates are merged, related ones linked.

Every function needs the open write transaction of its caller and commits nothing. Each change adds
an entry to both tickets.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from tickets.errors import Refused
from tickets.history import Actor, Beside, check_allowed, get_ticket, record, refusal
from tickets.notices import client_recipients, tell_client
from tickets.policy import Policy
from tickets.promises import promise_facts, promise_of, record_breach, take_up
from tickets.rules.notice import Notice
from tickets.rules.ticket import Action, LinkKind, Outcome, Status, parse_reference, reference
from tickets.tables import LinkRow, PromiseRow, TicketRow, WatcherRow
from tickets.texts import checked_text


def merge(
    tx: Session,
    policy: Policy,
    ref: str,
    *,
    into: str,
    reason: str = "",
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> TicketRow:
    """Close a ticket as a duplicate of ``into``, which keeps the earlier deadline of the two.

    Whoever at the client hears of the duplicate is told once and hears of the other from now on.
    Its promise is met by what is done to the other one. Raises ``NotFound``, ``Refused`` for
    itself or another client's ticket, ``Conflict`` when either is closed or ``version`` is stale.
    """
    first, second = _pair(ref, into, verb="merged into")
    # Locked in one order everywhere, so that two merges never wait for each other.
    for number in sorted((first, second)):
        get_ticket(tx, reference(number))
    ticket, promise = take_up(
        tx, reference(first), action=Action.MERGE, actor=actor, at=at, version=version
    )
    survivor = get_ticket(tx, reference(second))
    check_mergeable(ticket, survivor, actor=actor)
    reason = checked_text(reason, field="reason") if reason.strip() else ""
    ours = promise_of(tx, survivor)
    record_breach(tx, survivor, ours, at=at)
    listeners = client_recipients(tx, policy, ticket)
    _add_link(tx, first, second, kind=LinkKind.DUPLICATE)
    record(
        tx,
        ticket,
        action=Action.MERGE,
        actor=actor,
        at=at,
        text=_said(f"A duplicate of {reference(second)}", reason),
        columns={
            "status": Status.CLOSED,
            "outcome": Outcome.DUPLICATE,
            "merged_into_id": second,
            "closed_at": at,
            "update_by": None,
            "resume_at": None,
        },
        beside=Beside(added={"link": reference(second)}),
    )
    record(
        tx,
        survivor,
        action=Action.ABSORB,
        actor=actor,
        at=at,
        text=_said(f"{reference(first)} is a duplicate: {ticket.title}", reason),
        is_visible=False,
        beside=Beside(
            promise=ours, columns=_earlier(ours, promise), added={"link": reference(first)}
        ),
    )
    facts = promise_facts(policy, survivor, ours, at) | {
        "by": actor.name,
        "survivor": reference(second),
        "survivor_title": survivor.title,
        "is_answered": ours.answered_at is not None,
    }
    tell_client(
        tx,
        policy,
        ticket,
        notice=Notice.MERGED,
        facts=facts,
        actor=actor,
        at=at,
        linked=survivor,
    )
    hears = {one.address.lower() for one in client_recipients(tx, policy, survivor)}
    for one in listeners:
        if one.address.lower() not in hears:
            hears.add(one.address.lower())
            tx.add(WatcherRow(ticket_id=second, address=one.address, name=one.name))
    return ticket


def check_mergeable(ticket: TicketRow, survivor: TicketRow, *, actor: Actor) -> None:
    """Raise ``Refused`` or ``ActionRefused`` unless ``ticket`` may be merged into ``survivor``."""
    name, other = reference(ticket.id or 0), reference(survivor.id or 0)
    if ticket.client != survivor.client:
        raise Refused(
            f"{name} cannot be merged into {other}: it is of the client {ticket.client_name}, "
            f"the other of {survivor.client_name}"
        )
    if survivor.is_internal and not ticket.is_internal:
        raise Refused(
            f"{name} cannot be merged into {other}, of which the client never hears: merge the "
            "other way round, or link the two"
        )
    if survivor.status is Status.CLOSED:
        why = f"{name} cannot be merged into it; choose one that is not closed, or link the two"
        raise refusal(survivor, Action.ABSORB, actor, why)


def _earlier(ours: PromiseRow, theirs: PromiseRow) -> dict[str, Any]:
    """Return the columns of our unanswered promise that the earlier deadline of theirs moves."""
    is_standing = ours.answered_at is None and ours.breached_at is None
    if not is_standing or theirs.answered_at is not None or theirs.respond_by >= ours.respond_by:
        return {}
    names = (
        "started_at",
        "target_seconds",
        "counted_in",
        "met_by",
        "respond_by",
        "derivation",
    )
    return {name: getattr(theirs, name) for name in names}


def link(
    tx: Session,
    ref: str,
    *,
    other: str,
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> TicketRow:
    """Say that two tickets belong together; nobody is told.

    Raises ``NotFound``, ``Refused`` for itself or a ticket that is linked already, ``Conflict``.
    """
    first, second = _pair(ref, other, verb="linked to")
    for number in sorted((first, second)):
        get_ticket(tx, reference(number))
    ticket = get_ticket(tx, reference(first), version=version)
    twin = get_ticket(tx, reference(second))
    check_allowed(ticket, Action.LINK, actor=actor)
    if _is_linked(tx, first, second):
        raise Refused(f"{reference(first)} and {reference(second)} are linked already")
    _add_link(tx, first, second, kind=LinkKind.RELATED)
    for one, partner in ((ticket, twin), (twin, ticket)):
        name = reference(partner.id or 0)
        record(
            tx,
            one,
            action=Action.LINK,
            actor=actor,
            at=at,
            text=f"{name}: {partner.title}",
            is_visible=False,
            beside=Beside(added={"link": name}),
        )
    return ticket


def _pair(ref: str, other: str, *, verb: str) -> tuple[int, int]:
    """Return both row numbers; an unknown one is 0, which no ticket has."""
    first, second = parse_reference(ref) or 0, parse_reference(other) or 0
    if first == second and first:
        raise Refused(f"{reference(first)} cannot be {verb} itself: name another ticket")
    return first, second


def _is_linked(tx: Session, first: int, second: int) -> bool:
    pairs = sa.tuple_(col(LinkRow.ticket_id), col(LinkRow.other_id))
    found = select(LinkRow).where(pairs.in_([(first, second), (second, first)]))
    return tx.exec(found).first() is not None


def _add_link(tx: Session, first: int, second: int, *, kind: LinkKind) -> None:
    found = tx.get(LinkRow, (first, second)) or tx.get(LinkRow, (second, first))
    if found is not None:
        tx.delete(found)
        tx.flush()
    tx.add(LinkRow(ticket_id=first, other_id=second, kind=kind))


def _said(sentence: str, reason: str) -> str:
    return f"{sentence}\n{reason}" if reason else sentence
