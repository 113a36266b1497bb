"""What becomes of a request once it is taken: a contact's is opened, a stranger's is verified.

Done after the sender was answered, in a transaction of its own, and repeated by the sweep until it
is done. Functions need the open write transaction of their caller.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from tickets import outbox
from tickets.attachments import keep
from tickets.history import Actor
from tickets.notices import client_facts
from tickets.opening import NewRequest, Requester, open_request
from tickets.outbox import Recipient, StaffNotice
from tickets.policy import Policy
from tickets.request_tables import FormFileRow, FormRequestRow
from tickets.requests import hashed
from tickets.rules.attachment import CheckedFile
from tickets.rules.notice import Audience, Notice
from tickets.rules.request import RequestState
from tickets.rules.ticket import Category, Priority, Source
from tickets.tables import TicketRow

ASKED_EVERY = timedelta(hours=24)
"""An unknown address is written to once in this time, whoever sends what in its name."""

ASKED_IN_AN_HOUR = 30
"""Most unknown addresses that are written to within an hour; the others wait for the next."""

FORM = Actor("Request form")
"""The part that opens tickets for what clients send."""


def settle_request(tx: Session, policy: Policy, request_id: int, *, at: datetime) -> RequestState:
    """Open the ticket of a request from a contact, or ask its sender to verify the address.

    A request that stays ``TAKEN`` has to wait because too many strangers were written to. One that
    is settled already is left as it is. A contact's clock runs from when the request was sent.
    """
    row = lock_request(tx, request_id)
    if row.state is not RequestState.TAKEN:
        return row.state
    if row.client not in policy.clients:
        finish(tx, row, RequestState.EXPIRED)
    elif is_contact(policy, row.client, row.address):
        open_for(tx, policy, row, at=row.sent_at)
    elif row.expires_at <= at:
        finish(tx, row, RequestState.EXPIRED)
    elif _was_asked(tx, row.address, since=at - ASKED_EVERY):
        row.state = RequestState.WAITING
    elif _may_ask(tx, at):
        _ask(tx, policy, row, at=at)
        row.state = RequestState.WAITING
    return row.state


def list_unsettled(
    tx: Session, policy: Policy, *, at: datetime, most: int
) -> Sequence[tuple[int, int]]:
    """Return the requests that are to be settled now and their numbers, the oldest first."""
    query = (
        select(FormRequestRow.id, FormRequestRow.number)
        .where(col(FormRequestRow.state) == RequestState.TAKEN)
        .order_by(col(FormRequestRow.sent_at))
        .limit(most)
    )
    if not _may_ask(tx, at):
        # Strangers wait, however many they are; a contact's request does not wait behind them.
        everyone = (contact for one in policy.clients.values() for contact in one.everyone)
        is_known = col(FormRequestRow.address).in_({one.address.lower() for one in everyone})
        query = query.where(sa.or_(is_known, col(FormRequestRow.expires_at) <= at))
    return [(id_, number) for id_, number in tx.exec(query).all() if id_ is not None]


def is_contact(policy: Policy, client: str, address: str) -> bool:
    """Tell whether ``address`` is one of the contacts of the client."""
    profile = policy.clients.get(client)
    contacts: Iterable[Recipient] = () if profile is None else profile.everyone
    return address.lower() in {contact.address.lower() for contact in contacts}


def lock_request(tx: Session, request_id: int) -> FormRequestRow:
    """Return a request, locked for change."""
    query = select(FormRequestRow).where(col(FormRequestRow.id) == request_id)
    return tx.exec(query.with_for_update()).one()


def open_for(tx: Session, policy: Policy, row: FormRequestRow, *, at: datetime) -> TicketRow:
    """Open the ticket of ``row`` with its number; its words and files go with it."""
    content = row.content or {}
    sites = {site.slug for site in policy.clients[row.client].sites}
    new = NewRequest(
        client=row.client,
        # The site may have been removed since the request was sent.
        site=content["site"] if content["site"] in sites else None,
        priority=row.priority,
        category=Category(content["category"]),
        title=content["title"],
        text=content["text"],
        requester=Requester(content["name"], content["address"]),
        source=Source.PORTAL,
        key=f"portal:{row.number}",
        number=row.number,
        is_unverified=row.verified_at is None,
    )
    ticket = open_request(tx, policy, new, actor=FORM, at=at)
    assert ticket.id is not None
    keep(
        tx,
        ticket.id,
        entry_number=1,
        files=_files_of(tx, row),
        sender_address=content["address"],
        at=at,
    )
    row.ticket_id = ticket.id
    finish(tx, row, RequestState.OPENED)
    return ticket


def finish(tx: Session, row: FormRequestRow, state: RequestState) -> None:
    """Note how a request ended and forget what was typed."""
    row.state, row.content = state, None
    tx.exec(sa.delete(FormFileRow).where(col(FormFileRow.request_id) == row.id))


def _files_of(tx: Session, row: FormRequestRow) -> Sequence[CheckedFile]:
    query = select(FormFileRow).where(col(FormFileRow.request_id) == row.id)
    files = tx.exec(query.order_by(col(FormFileRow.place))).all()
    return [CheckedFile(file.name, file.media_type, file.content) for file in files]


def _was_asked(tx: Session, address: str, *, since: datetime) -> bool:
    query = select(FormRequestRow.id).where(
        col(FormRequestRow.address) == address, col(FormRequestRow.asked_at) > since
    )
    return tx.exec(query.limit(1)).first() is not None


def _may_ask(tx: Session, at: datetime) -> bool:
    recent = col(FormRequestRow.asked_at) > at - timedelta(hours=1)
    return tx.exec(select(sa.func.count()).where(recent)).one() < ASKED_IN_AN_HOUR


def _ask(tx: Session, policy: Policy, row: FormRequestRow, *, at: datetime) -> None:
    """Write to the address: fixed words and a link, nothing of what was typed."""
    token = secrets.token_urlsafe(16)
    row.verify_hash, row.asked_at = hashed(token), at
    address = (row.content or {})["address"]
    facts = {
        "client_name": policy.clients[row.client].name,
        "agency_name": policy.agency_name,
        "agency_url": policy.agency_url,
        "zone": policy.zone.key,
        "at": at.isoformat(),
        "until": row.expires_at.isoformat(),
        **client_facts(policy, row.client),
        "action": "Verify your address",
        "action_url": f"{policy.support_url(row.client)}/verify/{token}",
    }
    told = StaffNotice(
        key=f"verify:{row.id}",
        thread=f"verify:{row.id}",
        notice=Notice.VERIFY,
        facts=facts,
        # Never before what a known client waits for, whatever a stranger claims.
        priority=Priority.LOW,
    )
    recipients = [Recipient(address, address, Audience.CLIENT)]
    outbox.put_notice(tx, told, recipients=recipients, domain=policy.mail_domain, at=at)
