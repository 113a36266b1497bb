"""Opening a ticket: the row, its promise, its first entry and the messages, together.

Needs the open write transaction of its caller and commits nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from tickets import outbox
from tickets.addresses import canonical_mail_address
from tickets.errors import Refused
from tickets.history import Actor, describe
from tickets.notices import client_recipients, tell
from tickets.numbers import take_number
from tickets.policy import ClientProfile, Policy, SiteName
from tickets.promises import begin_promise, promise_facts
from tickets.rules.closure_ahead import next_closure
from tickets.rules.evidence import Evidence
from tickets.rules.notice import Notice
from tickets.rules.plain_text import one_line, several_lines
from tickets.rules.request import ABOUT
from tickets.rules.ticket import (
    MACHINE_SOURCES,
    PEOPLE_CATEGORIES,
    Action,
    Category,
    Priority,
    Source,
    Status,
)
from tickets.rules.words import describe_week
from tickets.tables import EntryRow, PromiseRow, TicketRow
from tickets.texts import checked_line, checked_text

MAX_KEY = 200
"""Longest key of a request, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTicket:
    """What a new ticket is about.

    ``key`` makes two reports the same ticket. ``what`` completes "your website ..." in words for
    the client; ``message`` is the same for staff, with the technical detail. ``since`` is when it
    began, which may lie before the opening. The client neither hears of an ``is_internal`` ticket
    nor sees it.
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
    is_internal: bool = False


@dataclass(frozen=True, slots=True)
class Requester:
    """Who at the client asks, and where answers go; an empty name is the address."""

    name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRequest:
    """What somebody asks for; ``client`` and ``site`` are slugs of the configuration.

    ``key`` makes a form that is sent twice one ticket. ``number`` was taken for it before (see
    ``tickets.numbers``). ``is_unverified`` says that nobody has shown the address to be theirs.
    """

    client: str
    site: str | None = None
    priority: Priority
    category: Category
    title: str
    text: str
    requester: Requester | None = None
    source: Source = Source.STAFF
    key: str | None = None
    number: int | None = None
    is_unverified: bool = False


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
        is_internal=new.is_internal,
    )
    promise = _begin(tx, policy, ticket, text=new.message, actor=actor, at=at)
    facts = promise_facts(policy, ticket, promise, at) | {
        "what": new.what,
        "message": new.message,
        "since": new.since.isoformat(),
    }
    tell(
        tx,
        policy,
        ticket,
        notice=new.notice,
        recipients=(*client_recipients(tx, policy, ticket), *policy.duty),
        facts=facts,
        actor=actor,
        at=at,
    )
    return ticket


def open_request(
    tx: Session, policy: Policy, new: NewRequest, *, actor: Actor, at: datetime
) -> TicketRow:
    """Open a ticket for what somebody asks; the requester gets a receipt.

    Duty is told at once of what is critical, else by the next digest (see ``tickets.digests``).

    Of two requests with one key the second changes nothing and returns the ticket of the first.
    Raises ``Refused`` for a client, site, category, text or address that is not allowed.
    """
    if new.key is not None:
        if not 0 < len(new.key) <= MAX_KEY:
            raise Refused(f"the key has {len(new.key)} characters; allowed are 1 to {MAX_KEY}")
        if (twin := _find_by_key(tx, new.key)) is not None:
            return twin
    ticket = _request_row(policy, new, at=at)
    text = checked_text(new.text, field="text")
    try:
        with tx.begin_nested():
            promise = _begin(tx, policy, ticket, text=text, actor=actor, at=at)
    except IntegrityError:
        # Somebody else has just sent the same form.
        twin = _find_by_key(tx, new.key or "")
        if twin is None:
            raise
        return twin
    facts = promise_facts(policy, ticket, promise, at) | {
        "text": text,
        "category": ABOUT[new.category],
        "is_unverified": new.is_unverified,
        "closure": next_closure(policy.hours_of(ticket.client), at),
        "support_hours": describe_week(policy.hours_of(ticket.client)),
    }
    # Of what is not critical duty hears in the next digest.
    duty = policy.duty if ticket.priority is Priority.CRITICAL else ()
    recipients = (*client_recipients(tx, policy, ticket), *duty)
    tell(
        tx,
        policy,
        ticket,
        notice=Notice.RECEIVED,
        recipients=recipients,
        facts=facts,
        actor=actor,
        at=at,
    )
    return ticket


def _find_by_key(tx: Session, key: str) -> TicketRow | None:
    query = select(TicketRow).where(col(TicketRow.key) == key).order_by(col(TicketRow.id).desc())
    return tx.exec(query).first()


def _request_row(policy: Policy, new: NewRequest, *, at: datetime) -> TicketRow:
    client = _get_client(policy, new.client)
    site = _get_site(client, new.client, new.site)
    if new.category not in PEOPLE_CATEGORIES:
        allowed = ", ".join(PEOPLE_CATEGORIES)
        raise Refused(f"the category '{new.category}' is for machines: allowed are {allowed}")
    if new.source in MACHINE_SOURCES:
        raise Refused(f"the source '{new.source}' is a machine's: it does not ask for anything")
    requester = None if new.requester is None else _checked_requester(new.requester)
    return TicketRow(
        id=new.number,
        key=new.key,
        title=checked_line(new.title, field="title"),
        client=new.client,
        client_name=client.name,
        site=site.slug if site else None,
        site_name=site.name if site else None,
        site_url=site.url if site else None,
        priority=new.priority,
        status=Status.OPEN,
        category=new.category,
        source=new.source,
        opened_at=at,
        requester_name=requester.name if requester else None,
        requester_address=requester.address if requester else None,
        root_message_id="",
    )


def _get_client(policy: Policy, slug: str) -> ClientProfile:
    client = policy.clients.get(slug)
    if client is None:
        allowed = ", ".join(sorted(policy.clients)) or "none, as no client is configured"
        raise Refused(f"there is no client {one_line(slug, limit=80)!r}: allowed are {allowed}")
    return client


def _get_site(client: ClientProfile, client_slug: str, slug: str | None) -> SiteName | None:
    if slug is None:
        return None
    for site in client.sites:
        if site.slug == slug:
            return site
    allowed = ", ".join(site.slug for site in client.sites) or "none"
    raise Refused(
        f"the client {client_slug} has no site {one_line(slug, limit=80)!r}: allowed are {allowed}"
    )


def _checked_requester(requester: Requester) -> Requester:
    try:
        address = canonical_mail_address(requester.address.strip())
    except ValueError as error:
        raise Refused(f"the requester's address cannot be used: {error}") from error
    name = one_line(requester.name)
    return Requester(checked_line(name, field="requester's name") if name else address, address)


def _begin(
    tx: Session, policy: Policy, ticket: TicketRow, *, text: str, actor: Actor, at: datetime
) -> PromiseRow:
    """Store the ticket with its promise and its first entry, which holds all that may move."""
    if ticket.id is None:
        ticket.id = take_number(tx)
    tx.add(ticket)
    tx.flush()
    ticket.root_message_id = outbox.message_id(ticket.id, policy.mail_domain)
    promise = begin_promise(tx, policy, ticket, number=1, at=at)
    after: dict[str, Any] = describe(ticket, promise)
    tx.add(
        EntryRow(
            ticket_id=ticket.id,
            number=1,
            at=at,
            action=Action.OPEN,
            priority=ticket.priority,
            actor=actor.name,
            staff_id=actor.staff_id,
            text=several_lines(text),
            after=after,
        )
    )
    tx.flush()
    return promise
