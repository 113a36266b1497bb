"""Requests sent by the form: stored with a reference at once, then opened, or verified first.

What the form's page says must not tell whose address is known. So a request is taken without
looking at its address; ``settle_request`` does that afterwards, in a transaction of its own, and
can be repeated by the sweep. Functions need the open write transaction of their caller.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from tickets import outbox
from tickets.history import Actor
from tickets.notices import client_facts
from tickets.numbers import take_number
from tickets.opening import NewRequest, Requester, open_request
from tickets.outbox import Recipient, StaffNotice
from tickets.policy import Policy
from tickets.promises import support_facts
from tickets.request_tables import FormFileRow, FormRequestRow
from tickets.rules.notice import Audience, Notice
from tickets.rules.promise import deadline
from tickets.rules.request import UNFINISHED, RequestState
from tickets.rules.ticket import Category, Priority, Source
from tickets.tables import TicketRow

KEPT_FOR = timedelta(hours=48)
"""How long a request waits for its sender to verify their address."""

ASKED_EVERY = timedelta(hours=24)
"""An unknown address is written to once in this time, whoever sends what in its name."""

ASKED_IN_AN_HOUR = 60
"""Most unknown addresses that are written to within an hour; the others wait for the next."""

SAME_WITHIN = timedelta(hours=1)
"""The same words from the same address within this time are one request, in whatever tab."""

FORGOTTEN_AFTER = timedelta(days=7)
"""When a finished request loses its address and its receipt page."""

MOST_WAITING_BYTES = 200 * 1024 * 1024
"""Most octets of files that wait with requests."""

FORM = Actor("Request form")
"""The part that opens tickets for what clients send."""


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file as it was sent; ``name`` is the sender's word for it."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRequest:
    """What somebody sent, checked by the form; ``token`` is the receipt page's, for its sender."""

    token: str
    client: str
    priority: Priority
    category: Category
    site: str | None
    title: str
    text: str
    name: str
    address: str
    files: tuple[SentFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the receipt page of a request tells; ``address`` is empty once it is forgotten."""

    request_id: int
    number: int
    client: str
    address: str
    priority: Priority
    sent_at: datetime
    respond_by: datetime


def hashed(token: str) -> str:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def has_room(tx: Session, size: int) -> bool:
    """Tell whether ``size`` octets of files may wait beside those that do."""
    held = tx.exec(select(sa.func.coalesce(sa.func.sum(sa.func.length(FormFileRow.content)), 0)))
    return held.one() + size <= MOST_WAITING_BYTES


def take_request(tx: Session, policy: Policy, sent: SentRequest, *, at: datetime) -> Receipt:
    """Store what was sent and return its receipt; sent again, the same words get the first one.

    Raises ``OutOfReach`` when the calendar has no deadline for it.
    """
    page_hash, content_hash = hashed(sent.token), _content_hash(sent)
    query = select(FormRequestRow).where(col(FormRequestRow.page_hash) == page_hash)
    row = tx.exec(query).first()
    if row is not None:
        return receipt_of(row)
    first = _find_same(tx, content_hash, since=at - SAME_WITHIN)
    row = _new_row(tx, policy, sent, at=at) if first is None else _repeated(first, at=at)
    row.page_hash, row.content_hash = page_hash, content_hash
    try:
        with tx.begin_nested():
            tx.add(row)
            tx.flush()
    except IntegrityError:
        # Another process has just taken the same page.
        return receipt_of(tx.exec(query).one())
    assert row.id is not None
    if first is None:
        for place, file in enumerate(sent.files):
            kept = FormFileRow(request_id=row.id, place=place, name=file.name, content=file.content)
            tx.add(kept)
    return receipt_of(row)


def find_receipt(tx: Session, token: str) -> Receipt | None:
    """Return the receipt whose page has ``token``; None if there is none (any more)."""
    query = select(FormRequestRow).where(col(FormRequestRow.page_hash) == hashed(token))
    row = tx.exec(query).first()
    return None if row is None or not row.address else receipt_of(row)


def receipt_of(row: FormRequestRow) -> Receipt:
    """Return what a row tells its sender."""
    assert row.id is not None
    return Receipt(
        request_id=row.id,
        number=row.number,
        client=row.client,
        address=row.address,
        priority=row.priority,
        sent_at=row.sent_at,
        respond_by=row.respond_by,
    )


def settle_request(tx: Session, policy: Policy, request_id: int, *, at: datetime) -> RequestState:
    """Open the ticket of a request from a contact, or ask its sender to verify the address.

    A request that stays ``TAKEN`` has to wait because too many strangers were written to. One that
    is settled already is left as it is. A contact's clock runs from when the request was sent.
    """
    row = lock_request(tx, request_id)
    if row.state is not RequestState.TAKEN:
        return row.state
    if is_contact(policy, row.client, row.address):
        open_for(tx, policy, row, at=row.sent_at)
    elif _was_asked(tx, row.address, since=at - ASKED_EVERY):
        row.state = RequestState.WAITING
    elif _count_asked(tx, since=at - timedelta(hours=1)) < ASKED_IN_AN_HOUR:
        _ask(tx, policy, row, at=at)
        row.state = RequestState.WAITING
    return row.state


def list_unsettled(tx: Session, *, most: int) -> Sequence[int]:
    """Return the requests that nobody has settled yet, the oldest first."""
    query = (
        select(FormRequestRow.id)
        .where(col(FormRequestRow.state) == RequestState.TAKEN)
        .order_by(col(FormRequestRow.sent_at))
        .limit(most)
    )
    return [number for number in tx.exec(query).all() if number is not None]


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
    row.ticket_id = ticket.id
    finish(tx, row, RequestState.OPENED)
    return ticket


def finish(tx: Session, row: FormRequestRow, state: RequestState) -> None:
    """Note how a request ended and forget what was typed."""
    row.state, row.content = state, None
    tx.exec(sa.delete(FormFileRow).where(col(FormFileRow.request_id) == row.id))


def _new_row(tx: Session, policy: Policy, sent: SentRequest, *, at: datetime) -> FormRequestRow:
    target = policy.targets_of(sent.client)[sent.priority]
    return FormRequestRow(
        page_hash="",
        content_hash="",
        number=take_number(tx),
        client=sent.client,
        address=sent.address.lower(),
        state=RequestState.TAKEN,
        priority=sent.priority,
        content=_content(sent),
        sent_at=at,
        expires_at=at + KEPT_FOR,
        respond_by=deadline(policy.hours_of(sent.client), target, at).respond_by,
    )


def _repeated(first: FormRequestRow, *, at: datetime) -> FormRequestRow:
    """Return a row that leads to the receipt of the ``first`` and does nothing else."""
    return FormRequestRow(
        page_hash="",
        content_hash="",
        number=first.number,
        client=first.client,
        address=first.address,
        state=RequestState.REPEATED,
        priority=first.priority,
        sent_at=first.sent_at,
        expires_at=at + KEPT_FOR,
        respond_by=first.respond_by,
    )


def _content(sent: SentRequest) -> dict[str, object]:
    return {
        "name": sent.name,
        "address": sent.address,
        "title": sent.title,
        "text": sent.text,
        "site": sent.site,
        "category": sent.category.value,
    }


def _content_hash(sent: SentRequest) -> str:
    digest = hashlib.sha256()
    parts = (sent.client, sent.address.lower(), sent.priority, sent.category, sent.site or "")
    texts = (*parts, sent.title, sent.text)
    files = (part for file in sent.files for part in (file.name.encode(), file.content))
    for part in (*(text.encode() for text in texts), *files):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _find_same(tx: Session, content_hash: str, *, since: datetime) -> FormRequestRow | None:
    query = (
        select(FormRequestRow)
        .where(
            col(FormRequestRow.content_hash) == content_hash,
            col(FormRequestRow.sent_at) > since,
            col(FormRequestRow.state).in_([*UNFINISHED, RequestState.OPENED]),
        )
        .order_by(col(FormRequestRow.id))
    )
    return tx.exec(query).first()


def _was_asked(tx: Session, address: str, *, since: datetime) -> bool:
    query = select(FormRequestRow.id).where(
        col(FormRequestRow.address) == address, col(FormRequestRow.asked_at) > since
    )
    return tx.exec(query.limit(1)).first() is not None


def _count_asked(tx: Session, *, since: datetime) -> int:
    query = select(sa.func.count()).where(col(FormRequestRow.asked_at) > since)
    return tx.exec(query).one()


def _ask(tx: Session, policy: Policy, row: FormRequestRow, *, at: datetime) -> None:
    """Write to the address: fixed words and a link, nothing of what was typed."""
    token = secrets.token_urlsafe(16)
    row.verify_hash, row.asked_at = hashed(token), at
    address = (row.content or {})["address"]
    facts = {
        "client_name": policy.clients[row.client].name,
        "agency_name": policy.agency_name,
        "zone": policy.zone.key,
        "at": at.isoformat(),
        "until": row.expires_at.isoformat(),
        **support_facts(policy.hours_of(row.client), at),
        **client_facts(policy, row.client),
        "action": "Verify your address",
        "action_url": f"{policy.base_url}/support/{row.client}/verify/{token}",
    }
    outbox.put_notice(
        tx,
        StaffNotice(
            key=f"verify:{row.id}",
            thread=f"verify:{row.id}",
            notice=Notice.VERIFY,
            facts=facts,
            # Never before what a known client waits for, whatever a stranger claims.
            priority=Priority.LOW,
        ),
        recipients=[Recipient(address, address, Audience.CLIENT)],
        domain=policy.mail_domain,
        at=at,
    )
