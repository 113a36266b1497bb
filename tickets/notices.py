"""Who is told of a ticket's newest entry: client contacts, the assignee, duty.

Every function needs the open write transaction of its caller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from tickets import links, outbox
from tickets.history import Actor
from tickets.outbox import Recipient
from tickets.policy import Policy
from tickets.promises import support_facts
from tickets.rules.hours import OutOfReach
from tickets.rules.message import Channel
from tickets.rules.notice import NOTICES_FOR_HOURS, Audience, Notice
from tickets.rules.pseudonym import is_pseudonym
from tickets.rules.ticket import MACHINE_SOURCES, Priority, reference
from tickets.tables import StaffRow, TicketRow, WatcherRow


def carers(tx: Session, policy: Policy, ticket: TicketRow) -> Sequence[Recipient]:
    """Return who on the staff cares for the ticket: its assignee, else duty."""
    if ticket.assignee_id is None:
        return policy.duty
    staff = tx.get_one(StaffRow, ticket.assignee_id)
    if staff.disabled_at is not None:
        return policy.duty
    return (outbox.staff_recipient(staff.email, staff.name),)


def client_recipients(tx: Session, policy: Policy, ticket: TicketRow) -> Sequence[Recipient]:
    """Return who at the client hears of the ticket.

    Of a ticket that a machine opened: the contacts for incidents. Of another: who asked, or where
    nobody is known (any more), the contacts for tickets. Watchers hear of both. Of an internal one:
    nobody.
    """
    if ticket.is_internal:
        return ()
    query = select(WatcherRow).where(col(WatcherRow.ticket_id) == ticket.id)
    watchers = [
        Recipient(row.name, row.address, Audience.CLIENT)
        for row in tx.exec(query.order_by(col(WatcherRow.address))).all()
        if not is_pseudonym(row.address)
    ]
    contacts = policy.contacts_of(ticket.client)
    if ticket.source in MACHINE_SOURCES:
        return (*contacts.incidents, *watchers)
    if ticket.requester_address is None or is_pseudonym(ticket.requester_address):
        return (*contacts.tickets, *watchers)
    name = ticket.requester_name or ticket.requester_address
    return (Recipient(name, ticket.requester_address, Audience.CLIENT), *watchers)


def tell_client(
    tx: Session,
    policy: Policy,
    ticket: TicketRow,
    *,
    notice: Notice,
    facts: Mapping[str, Any],
    actor: Actor,
    at: datetime,
    linked: TicketRow | None = None,
) -> None:
    """Write a message of the newest entry to each who hears of the ticket at its client.

    Its link leads to ``linked``, if that is another ticket.
    """
    tell(
        tx,
        policy,
        ticket,
        notice=notice,
        recipients=client_recipients(tx, policy, ticket),
        facts=facts,
        actor=actor,
        at=at,
        linked=linked,
    )


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
    """Write a message to each who hears of it at the client and the staff who care for it."""
    recipients = (*client_recipients(tx, policy, ticket), *carers(tx, policy, ticket))
    tell(tx, policy, ticket, notice=notice, recipients=recipients, facts=facts, actor=actor, at=at)


def tell(  # noqa: PLR0913  (what is told to whom, each by its name)
    tx: Session,
    policy: Policy,
    ticket: TicketRow,
    *,
    notice: Notice,
    recipients: Sequence[Recipient],
    facts: Mapping[str, Any],
    actor: Actor,
    at: datetime,
    linked: TicketRow | None = None,
) -> None:
    """Write the messages of the newest entry; the person who acts is not told.

    Each mail to the client carries a link of its own to the ticket, or to ``linked``.
    """
    own = (actor.address or "").lower()
    goal = (linked or ticket).id or 0
    outbox.put(
        tx,
        ticket,
        notice=notice,
        recipients=[person for person in recipients if person.address.lower() != own],
        facts={**ticket_facts(policy, ticket, at), **facts},
        own_facts=lambda person: _link_of(tx, policy, person, ticket_id=goal, at=at),
        staff_from=_staff_from(policy, ticket, notice, at),
        domain=policy.mail_domain,
        at=at,
    )


def ticket_facts(policy: Policy, ticket: TicketRow, at: datetime) -> dict[str, Any]:
    """Return what every letter about a ticket says."""
    name = reference(ticket.id or 0)
    return {
        "reference": name,
        "title": ticket.title,
        "client_name": ticket.client_name,
        "site_name": ticket.site_name,
        "site_url": ticket.site_url,
        "priority": ticket.priority.value,
        "is_incident": ticket.source in MACHINE_SOURCES,
        "agency_name": policy.agency_name,
        "agency_url": policy.agency_url,
        "zone": policy.zone.key,
        "desk_url": f"{policy.base_url}/tickets/{name}",
        "at": at.isoformat(),
        **support_facts(policy.hours_of(ticket.client), at),
        **client_facts(policy, ticket.client),
    }


def _staff_from(policy: Policy, ticket: TicketRow, notice: Notice, at: datetime) -> datetime | None:
    """Return when support opens for the ticket's client, if staff need not hear before; else None.

    Of a critical ticket they hear at once.
    """
    if ticket.priority is Priority.CRITICAL or notice not in NOTICES_FOR_HOURS:
        return None
    hours = policy.hours_of(ticket.client)
    try:
        return None if hours.is_open(at) else hours.next_open(at)
    except OutOfReach:
        return None


def _link_of(
    tx: Session, policy: Policy, person: Recipient, *, ticket_id: int, at: datetime
) -> dict[str, Any]:
    if person.audience is not Audience.CLIENT or person.channel is not Channel.MAIL:
        return {}
    token = links.issue(tx, ticket_id, address=person.address, name=person.name, at=at)
    return {"ticket_url": links.ticket_address(policy.base_url, token)}


def client_facts(policy: Policy, client: str) -> dict[str, Any]:
    """Return what letters to a client show of itself: its branding as it is now, and its pages.

    Nothing where the client is not configured (any more): it has no pages then.
    """
    profile = policy.clients.get(client)
    if profile is None:
        return {}
    return {
        "brand_name": profile.branding.name,
        "brand_colour": profile.branding.colour,
        "status_url": policy.status_url(client),
        "support_url": policy.support_url(client),
    }
