"""Opening a ticket: the row, its promise, its first entry and the messages, together.

Needs the open write transaction of its caller and commits nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from tickets import outbox
from tickets.history import Actor
from tickets.notices import tell
from tickets.policy import Policy
from tickets.promises import begin_promise, promise_facts
from tickets.rules.evidence import Evidence
from tickets.rules.notice import Notice
from tickets.rules.plain_text import one_line, several_lines
from tickets.rules.ticket import Action, Category, Priority, Source, Status
from tickets.tables import EntryRow, TicketRow


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTicket:
    """What a new ticket is about.

    ``key`` makes two reports the same ticket. ``what`` completes "your website ..." in words for
    the client; ``message`` is the same for staff, with the technical detail. ``since`` is when it
    began, which may lie before the opening.
    """

    key: str | None
    title: str
    client: str
    client_name: str
    site: str | None
    site_name: str | None
    site_url: str | None
    priority: Priority
    category: Category
    source: Source
    notice: Notice
    what: str
    message: str
    since: datetime
    evidence: Evidence = Evidence()


def open_ticket(
    tx: Session, policy: Policy, new: NewTicket, *, actor: Actor, at: datetime
) -> TicketRow:
    """Open a ticket with its promise; contacts and duty are told. Returns the stored row.

    Raises ``sqlalchemy.exc.IntegrityError`` when a ticket that is not closed has the same key.
    """
    ticket = TicketRow(
        key=new.key,
        title=one_line(new.title),
        client=new.client,
        client_name=new.client_name,
        site=new.site,
        site_name=new.site_name,
        site_url=new.site_url,
        priority=new.priority,
        status=Status.OPEN,
        category=new.category,
        source=new.source,
        opened_at=at,
        root_message_id="",
        evidence=new.evidence.document(),
    )
    tx.add(ticket)
    tx.flush()
    assert ticket.id is not None
    ticket.root_message_id = outbox.message_id(ticket.id, policy.mail_domain)
    promise = begin_promise(tx, policy, ticket, number=1, at=at)
    tx.add(
        EntryRow(
            ticket_id=ticket.id,
            number=1,
            at=at,
            action=Action.OPEN,
            actor=actor.name,
            staff_id=actor.staff_id,
            text=several_lines(new.message),
            after={"status": Status.OPEN, "respond_by": promise.respond_by.isoformat()},
        )
    )
    facts = promise_facts(policy, promise, at) | {
        "what": new.what,
        "message": new.message,
        "since": new.since.isoformat(),
    }
    tell(
        tx,
        policy,
        ticket,
        notice=new.notice,
        recipients=(*policy.contacts_of(ticket.client).incidents, *policy.duty),
        facts=facts,
        actor=actor,
        at=at,
    )
    return ticket
