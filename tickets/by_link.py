"""What somebody at a client does by the link that they were sent: look, reply, say it is solved.

A link lets in whom we would still write to about its ticket; everybody else finds nothing. Whoever
acts is the person of the link. Functions that change something need the open write transaction of
their caller and commit nothing; a form that comes twice is carried out once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tickets import actions, attachments, links, outbox, relations
from tickets.errors import Conflict
from tickets.history import ActionRefused, Actor, get_ticket
from tickets.link_tables import SentFormRow
from tickets.links import TicketLink
from tickets.notices import client_recipients, ticket_facts
from tickets.opening import NewRequest, Requester, open_request
from tickets.outbox import Recipient, StaffNotice
from tickets.policy import Policy
from tickets.rules.attachment import CheckedFile
from tickets.rules.notice import Audience, Notice
from tickets.rules.plain_text import one_line
from tickets.rules.ticket import (
    PEOPLE_CATEGORIES,
    Category,
    Priority,
    Source,
    Status,
    reference,
)
from tickets.store import Session
from tickets.tables import TicketRow
from tickets.texts import MAX_TITLE, checked_text
from tickets.verification import note_verified
from tickets.waiting import client_reply

SOLVED = "The client says that it is solved"
"""What the entry says by which a client closes a ticket."""


class Done(StrEnum):
    """What became of a form."""

    REPLIED = "replied"
    REOPENED = "reopened"
    SOLVED = "solved"
    ASKED_AGAIN = "again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody whose link opens a ticket."""

    link: TicketLink

    @property
    def ref(self) -> str:
        """The reference of the ticket that the link opens."""
        return reference(self.link.ticket_id)

    @property
    def actor(self) -> Actor:
        """The visitor as one who acts."""
        return Actor(self.link.name, address=self.link.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A form as it was sent: ``key`` is the random text that its page wrote into it."""

    key: str
    text: str
    files: Sequence[CheckedFile] = ()


def find_visitor(tx: Session, policy: Policy, token: str, *, now: datetime) -> Visitor | None:
    """Return whom ``token`` lets in; None for a link that is none or no longer works.

    Changes nothing, so that whatever follows links in mails does no harm.
    """
    link = links.find_link(tx, token, now=now)
    if link is None or not hears_of(tx, policy, link):
        return None
    return Visitor(link=link)


def hears_of(tx: Session, policy: Policy, link: TicketLink) -> bool:
    """Tell whether the address of a link is one to which we would write about its ticket today.

    That is its requester, its watchers, and every contact that the client has now.
    """
    return _hears(tx, policy, link.address, tx.get_one(TicketRow, link.ticket_id))


def _hears(tx: Session, policy: Policy, address: str, ticket: TicketRow) -> bool:
    if ticket.is_internal:
        return False
    profile = policy.clients.get(ticket.client)
    everyone = () if profile is None else profile.everyone
    people = (*client_recipients(tx, policy, ticket), *everyone)
    return address.lower() in {person.address.lower() for person in people}


def find_survivor(tx: Session, policy: Policy, visitor: Visitor) -> TicketRow | None:
    """Return the ticket as which a duplicate goes on, if the visitor hears of that one too."""
    number = tx.get_one(TicketRow, visitor.link.ticket_id).merged_into_id
    if number is None:
        return None
    survivor = tx.get_one(TicketRow, number)
    return survivor if _hears(tx, policy, visitor.link.address, survivor) else None


def reply(tx: Session, policy: Policy, visitor: Visitor, sent: Reply, *, at: datetime) -> Done:
    """Record what the visitor writes, with its files; staff who care for the ticket are told.

    A waiting ticket resumes and a resolved one is taken up again. A closed one stays closed: the
    words become a new request, linked to it. Raises ``Refused`` for an empty or overlong text, or
    for more files than a ticket holds.
    """
    text = checked_text(sent.text, field="reply")
    ticket = _locked(tx, visitor)
    if (before := tx.get(SentFormRow, (ticket.id, sent.key))) is not None:
        return Done.REPLIED if before.opened_id is None else Done.ASKED_AGAIN
    was_resolved = ticket.status is Status.RESOLVED
    if ticket.status is Status.CLOSED:
        return _ask_again(tx, policy, visitor, ticket, sent=sent, text=text, at=at)
    try:
        names = [file.name for file in sent.files]
        client_reply(tx, policy, visitor.ref, text=text, files=names, actor=visitor.actor, at=at)
    except ActionRefused:
        # Too late to reopen, and nothing was written yet.
        return _ask_again(tx, policy, visitor, ticket, sent=sent, text=text, at=at)
    _note_form(tx, ticket, sent.key, at=at)
    note_verified(tx, visitor.link.ticket_id, address=visitor.link.address, at=at)
    _keep_files(tx, visitor, ticket, sent, at=at)
    return Done.REOPENED if was_resolved else Done.REPLIED


def solved(tx: Session, visitor: Visitor, key: str, *, at: datetime) -> Done:
    """Close a resolved ticket because the client says that it is solved.

    Raises ``Conflict`` when it was taken up again meanwhile. One that is closed stays so.
    """
    ticket = _locked(tx, visitor)
    if ticket.status is Status.CLOSED or tx.get(SentFormRow, (ticket.id, key)) is not None:
        return Done.SOLVED
    if ticket.status is not Status.RESOLVED:
        raise Conflict(f"{visitor.ref} has been taken up again meanwhile, so it was not closed")
    note_verified(tx, visitor.link.ticket_id, address=visitor.link.address, at=at)
    actions.close(tx, visitor.ref, reason=SOLVED, actor=visitor.actor, at=at)
    _note_form(tx, ticket, key, at=at)
    return Done.SOLVED


def send_new_link(tx: Session, policy: Policy, token: str, *, at: datetime) -> bool:
    """Mail a new link to the address of an old one, at most one an hour; tell whether it was.

    ``token`` may have expired or been revoked. Of a duplicate the new link opens the ticket as
    which it goes on. Nothing is sent to an address that does not hear of the ticket any more, nor
    when the new link would not work.
    """
    link = links.find_issued(tx, token)
    if link is None:
        return False
    ticket = tx.get_one(TicketRow, link.ticket_id)
    if ticket.merged_into_id is not None:
        ticket = tx.get_one(TicketRow, ticket.merged_into_id)
    until = links.works_until(at, ticket.closed_at)
    if until <= at or not _hears(tx, policy, link.address, ticket):
        return False
    number = ticket.id or 0
    get_ticket(tx, reference(number))  # one at a time: two at once send one mail
    digest = hashlib.sha256(link.address.lower().encode()).hexdigest()[:32]
    key = f"new_link:{number}:{digest}:{at:%Y%m%d%H}"
    if outbox.is_told(tx, key):
        return False
    fresh = links.issue(tx, number, address=link.address, name=link.name, at=at)
    facts = ticket_facts(policy, ticket, at) | {
        "expires_at": until.isoformat(),
        "ticket_url": links.ticket_address(policy.base_url, fresh),
    }
    told = StaffNotice(
        key=key,
        thread=f"new_link:{number}",
        notice=Notice.NEW_LINK,
        facts=facts,
        priority=Priority.NORMAL,
    )
    recipient = Recipient(link.name, link.address, Audience.CLIENT)
    return outbox.put_notice(tx, told, recipients=[recipient], domain=policy.mail_domain, at=at)


def _locked(tx: Session, visitor: Visitor) -> TicketRow:
    """Return the ticket, locked for change and as it is by now: it was read before, unlocked."""
    tx.expire_all()
    return get_ticket(tx, visitor.ref)


def _ask_again(
    tx: Session,
    policy: Policy,
    visitor: Visitor,
    ticket: TicketRow,
    *,
    sent: Reply,
    text: str,
    at: datetime,
) -> Done:
    """Open a request that is linked to the ticket; its receipt goes to the visitor."""
    profile = policy.clients.get(ticket.client)
    sites = () if profile is None else profile.sites
    category = ticket.category if ticket.category in PEOPLE_CATEGORIES else Category.BUG_FIX
    # Without the address: the receipt is the mail that carries the link to the new ticket.
    actor = Actor(visitor.link.name)
    opened = open_request(
        tx,
        policy,
        NewRequest(
            client=ticket.client,
            site=ticket.site if ticket.site in {site.slug for site in sites} else None,
            priority=Priority.NORMAL,
            category=category,
            title=one_line(f"Again: {ticket.title.removeprefix('Again: ')}", limit=MAX_TITLE),
            text=text,
            requester=Requester(visitor.link.name, visitor.link.address),
            source=Source.PORTAL,
            key=f"again:{ticket.id}:{sent.key}",
        ),
        actor=actor,
        at=at,
    )
    number = opened.id or 0
    _keep_files(tx, visitor, opened, sent, at=at)
    relations.link(tx, reference(number), other=visitor.ref, actor=actor, at=at)
    _note_form(tx, ticket, sent.key, at=at, opened_id=number)
    return Done.ASKED_AGAIN


def _keep_files(
    tx: Session, visitor: Visitor, ticket: TicketRow, sent: Reply, *, at: datetime
) -> None:
    """Store the files of a form as those of the ticket's newest entry."""
    attachments.keep(
        tx,
        ticket.id or 0,
        entry_number=ticket.version,
        files=sent.files,
        sender_address=visitor.link.address,
        at=at,
    )


def _note_form(
    tx: Session, ticket: TicketRow, key: str, *, at: datetime, opened_id: int | None = None
) -> None:
    assert ticket.id is not None
    tx.add(
        SentFormRow(
            ticket_id=ticket.id,
            key=key,
            sent_at=at,
            entry_number=ticket.version,
            opened_id=opened_id,
        )
    )
    tx.flush()
