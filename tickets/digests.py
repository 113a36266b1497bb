"""The digest: duty is told at 09:00 and 13:00 of requests that are not critical and still wait.

Every function needs an open transaction of its caller. A ticket stands in one digest: a row says
so, written with the messages. A digest that falls into a time when the service is down is made
when it is back, once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from tickets.mail_faults import lock_channel
from tickets.outbox import Recipient, StaffNotice, put_notice
from tickets.outbox_tables import DigestedRow
from tickets.policy import Policy
from tickets.rules.digest import last_digest
from tickets.rules.message import Channel
from tickets.rules.notice import Notice
from tickets.rules.plain_text import one_line
from tickets.rules.ticket import MACHINE_SOURCES, Priority, Status, reference
from tickets.rules.words import format_instant
from tickets.tables import EntryRow, PromiseRow, StaffRow, TicketRow

MOST_LINES = 40
"""Tickets that one digest lists; it counts the others."""

MAX_TITLE = 120


def is_digest_due(tx: Session, policy: Policy, now: datetime) -> bool:
    """Tell whether a ticket waits for the digest that was due last."""
    due = last_digest(policy.hours, now)
    return due is not None and tx.exec(_undigested(due).limit(1)).first() is not None


def tell_digest(tx: Session, policy: Policy, *, at: datetime) -> int:
    """Tell duty of the requests that came until the last digest was due and still wait.

    Who opened a ticket is not told of it. Those that somebody took up meanwhile need no line.
    Returns how many were listed. Locks the mail channel: of several processes one does it.
    """
    lock_channel(tx, Channel.MAIL)
    due = last_digest(policy.hours, at)
    if due is None:
        return 0
    tickets = tx.exec(_undigested(due)).all()
    waiting = [one for one in tickets if one.status is Status.OPEN]
    deadlines = _deadlines(tx, waiting)
    waiting.sort(key=lambda one: (deadlines[one.id or 0], one.id or 0))
    openers = _openers(tx, waiting)
    for person in policy.duty:
        own = person.address.lower()
        lines = [one for one in waiting if openers.get(one.id or 0) != own]
        if lines:
            _tell(tx, policy, person, lines, deadlines=deadlines, due=due, at=at)
    for ticket in tickets:
        assert ticket.id is not None
        tx.add(DigestedRow(ticket_id=ticket.id, at=at))
    return len(waiting)


def _undigested(due: datetime) -> SelectOfScalar[TicketRow]:
    digested = sa.exists().where(col(DigestedRow.ticket_id) == col(TicketRow.id))
    return (
        select(TicketRow)
        .where(
            col(TicketRow.status).in_([one for one in Status if one is not Status.CLOSED]),
            col(TicketRow.opened_at) <= due.astimezone(UTC),
            col(TicketRow.priority) != Priority.CRITICAL,
            col(TicketRow.source).not_in([*MACHINE_SOURCES]),
            ~digested,
        )
        .order_by(col(TicketRow.id))
    )


def _deadlines(tx: Session, tickets: Sequence[TicketRow]) -> dict[int, datetime]:
    query = select(PromiseRow).where(col(PromiseRow.ticket_id).in_([one.id for one in tickets]))
    current = {one.id: one.promise_number for one in tickets}
    return {
        row.ticket_id: row.respond_by
        for row in tx.exec(query).all()
        if current[row.ticket_id] == row.number
    }


def _openers(tx: Session, tickets: Sequence[TicketRow]) -> Mapping[int, str]:
    """Return the address of who opened each ticket that one of the staff opened."""
    query = (
        select(EntryRow.ticket_id, StaffRow.email)
        .join(StaffRow, col(StaffRow.id) == col(EntryRow.staff_id))
        .where(col(EntryRow.ticket_id).in_([one.id for one in tickets]), col(EntryRow.number) == 1)
    )
    return {number: email.lower() for number, email in tx.exec(query).all()}


def _tell(
    tx: Session,
    policy: Policy,
    person: Recipient,
    tickets: Sequence[TicketRow],
    *,
    deadlines: Mapping[int, datetime],
    due: datetime,
    at: datetime,
) -> None:
    def respond_by(ticket: TicketRow) -> str:
        return format_instant(deadlines[ticket.id or 0], policy.zone)

    # A ticket stands in one digest, so its first one names it: what was stored too late for this
    # hour's has another.
    first = tickets[0].id
    told = StaffNotice(
        key=f"digest {due.astimezone(UTC):%Y-%m-%d %H:%M} {person.address.lower()} {first}",
        thread="digest",
        notice=Notice.DIGEST,
        facts={
            "title": "New requests",
            "count": len(tickets),
            "more": max(0, len(tickets) - MOST_LINES),
            "first_by": respond_by(tickets[0]),
            "lines": [
                {
                    "reference": reference(one.id or 0),
                    "client": one_line(one.client_name),
                    "title": one_line(one.title, limit=MAX_TITLE),
                    "priority": one.priority.value,
                    "respond_by": respond_by(one),
                }
                for one in tickets[:MOST_LINES]
            ],
            "until": due.astimezone(UTC).isoformat(),
            "priority": Priority.NORMAL.value,
            "agency_name": policy.agency_name,
            "zone": policy.zone.key,
            "desk_url": f"{policy.base_url}/tickets",
            "at": at.isoformat(),
        },
        priority=Priority.NORMAL,
    )
    put_notice(tx, told, recipients=[person], domain=policy.mail_domain, at=at)
