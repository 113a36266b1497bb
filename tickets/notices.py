"""Who is told of a ticket's newest entry: client contacts, the assignee, duty.

Every function needs the open write transaction of its caller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session

from tickets import outbox
from tickets.history import Actor
from tickets.outbox import Recipient
from tickets.policy import Policy
from tickets.rules.notice import Notice
from tickets.rules.ticket import reference
from tickets.tables import StaffRow, TicketRow


def carers(tx: Session, policy: Policy, ticket: TicketRow) -> Sequence[Recipient]:
    """Return who on the staff cares for the ticket: its assignee, else duty."""
    if ticket.assignee_id is None:
        return policy.duty
    staff = tx.get_one(StaffRow, ticket.assignee_id)
    if staff.disabled_at is not None:
        return policy.duty
    return (outbox.staff_recipient(staff.email, staff.name),)


def tell_client(
    tx: Session,
    policy: Policy,
    ticket: TicketRow,
    *,
    notice: Notice,
    facts: Mapping[str, Any],
    actor: Actor,
    at: datetime,
) -> None:
    """Write a message of the newest entry to each contact of the ticket's client."""
    contacts = policy.contacts_of(ticket.client).incidents
    tell(tx, policy, ticket, notice=notice, recipients=contacts, facts=facts, actor=actor, at=at)


def tell_all(
    tx: Session,
    policy: Policy,
    ticket: TicketRow,
    *,
    notice: Notice,
    facts: Mapping[str, Any],
    actor: Actor,
    at: datetime,
) -> None:
    """Write a message to each contact of the client and to the staff who care for the ticket."""
    contacts = policy.contacts_of(ticket.client).incidents
    recipients = (*contacts, *carers(tx, policy, ticket))
    tell(tx, policy, ticket, notice=notice, recipients=recipients, facts=facts, actor=actor, at=at)


def tell(
    tx: Session,
    policy: Policy,
    ticket: TicketRow,
    *,
    notice: Notice,
    recipients: Sequence[Recipient],
    facts: Mapping[str, Any],
    actor: Actor,
    at: datetime,
) -> None:
    """Write the messages of the newest entry; the person who acts is not told."""
    name = reference(ticket.id or 0)
    common = {
        "reference": name,
        "title": ticket.title,
        "client_name": ticket.client_name,
        "site_name": ticket.site_name,
        "site_url": ticket.site_url,
        "priority": ticket.priority.value,
        "agency_name": policy.agency_name,
        "zone": policy.zone.key,
        "desk_url": f"{policy.base_url}/tickets/{name}",
        "at": at.isoformat(),
    }
    own = (actor.address or "").lower()
    outbox.put(
        tx,
        ticket,
        notice=notice,
        recipients=[person for person in recipients if person.address.lower() != own],
        facts={**common, **facts},
        domain=policy.mail_domain,
        at=at,
    )
