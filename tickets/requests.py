"""Requests sent by the form: stored at once, with a reference and a deadline.

What the form's page says must not tell whose address is known. So a request is taken without
looking at its address; ``tickets.settling`` does that afterwards. Functions need the open
transaction of their caller, a write one where they store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from tickets.errors import Refused
from tickets.numbers import take_number
from tickets.policy import Policy
from tickets.request_tables import FormFileRow, FormRequestRow, FormSecretRow
from tickets.rules.attachment import CheckedFile
from tickets.rules.promise import deadline
from tickets.rules.request import UNFINISHED, RequestState
from tickets.rules.ticket import Category, Priority

KEPT_FOR = timedelta(hours=48)
"""How long a request waits for its sender to verify their address."""

SAME_WITHIN = timedelta(hours=1)
"""The same words from the same address within this time are one request, in whatever tab."""

MOST_WAITING_BYTES = 200 * 1024 * 1024
"""Most octets of files that wait with requests."""


class NoRoom(Refused):
    """Too many files wait with requests already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRequest:
    """What somebody sent, checked by the form; ``client`` and ``site`` are slugs."""

    client: str
    priority: Priority
    category: Category
    site: str | None
    title: str
    text: str
    name: str
    address: str
    files: tuple[CheckedFile, ...] = ()

    def words_hash(self) -> str:
        """Return what two requests share that ask the same in the name of one address."""
        kind = (self.client, self.address.lower(), self.priority, self.category, self.site or "")
        return _digest(text.encode() for text in (*kind, self.title, self.text))

    def content_hash(self) -> str:
        """Return ``words_hash`` and, after a dot, what stands for the files, if there are any."""
        if not self.files:
            return f"{self.words_hash()}."
        parts = (part for file in self.files for part in (file.name.encode(), file.content))
        return f"{self.words_hash()}.{_digest(parts)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the sender of a request is told; ``number`` is that of the ticket's row.

    ``category`` is None for a request from before it was kept, ``site`` where none was named.
    """

    request_id: int
    number: int
    client: str
    address: str
    priority: Priority
    category: Category | None
    site: str | None
    sent_at: datetime
    respond_by: datetime


def hashed(token: str) -> str:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def form_secret(tx: Session) -> bytes:
    """Return what the form's stamps are signed with; the schema's step made it."""
    return bytes.fromhex(tx.get_one(FormSecretRow, 1).secret)


def take_request(
    tx: Session, policy: Policy, sent: SentRequest, *, token: str, at: datetime
) -> Receipt:
    """Store what was sent and return its receipt; sent again, the same words get the first one.

    ``token`` finds the receipt again (``find_receipt``). Raises ``NoRoom`` when its files find no
    place, ``OutOfReach`` when the calendar has no deadline for it.
    """
    if (known := find_receipt(tx, token)) is not None:
        return known
    first = _find_same(tx, sent, since=at - SAME_WITHIN)
    row = _new_row(tx, policy, sent, at=at) if first is None else _repeated(first, at=at)
    row.page_hash, row.content_hash = hashed(token), sent.content_hash()
    try:
        with tx.begin_nested():
            tx.add(row)
            tx.flush()
    except IntegrityError:
        # Another process has just taken the same form.
        known = find_receipt(tx, token)
        if known is None:
            raise
        return known
    if first is None:
        _keep_files(tx, row, sent)
    return receipt_of(row)


def find_receipt(tx: Session, token: str) -> Receipt | None:
    """Return the receipt of the request that was taken with ``token``; None if there is none."""
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
        category=row.category,
        site=row.site_name,
        sent_at=row.sent_at,
        respond_by=row.respond_by,
    )


def _keep_files(tx: Session, row: FormRequestRow, sent: SentRequest) -> None:
    if not sent.files:
        return
    size = sa.func.length(col(FormFileRow.content))
    waiting = tx.exec(select(sa.func.coalesce(sa.func.sum(size), 0))).one()
    if waiting + sum(len(file.content) for file in sent.files) > MOST_WAITING_BYTES:
        raise NoRoom("no more files can be taken at this moment: send your request without them")
    assert row.id is not None
    for place, file in enumerate(sent.files):
        held = {"name": file.name, "media_type": file.media_type, "content": file.content}
        tx.exec(sa.insert(FormFileRow).values(request_id=row.id, place=place, **held))


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
        category=sent.category,
        site_name=_site_name(policy, sent),
        content={
            "name": sent.name,
            "address": sent.address,
            "title": sent.title,
            "text": sent.text,
            "site": sent.site,
            "category": sent.category.value,
        },
        sent_at=at,
        expires_at=at + KEPT_FOR,
        respond_by=deadline(policy.hours_of(sent.client), target, at).respond_by,
    )


def _site_name(policy: Policy, sent: SentRequest) -> str | None:
    sites = policy.clients[sent.client].sites
    return next((site.name for site in sites if site.slug == sent.site), None)


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
        category=first.category,
        site_name=first.site_name,
        sent_at=first.sent_at,
        expires_at=at + KEPT_FOR,
        respond_by=first.respond_by,
    )


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _find_same(tx: Session, sent: SentRequest, *, since: datetime) -> FormRequestRow | None:
    """Return the request that asked the same lately.

    Not every browser keeps the files of a form to which somebody goes back: without files, the same
    words are the same request.
    """
    stored = col(FormRequestRow.content_hash)
    is_same = stored == sent.content_hash() if sent.files else stored.startswith(sent.words_hash())
    query = (
        select(FormRequestRow)
        .where(
            is_same,
            col(FormRequestRow.sent_at) > since,
            col(FormRequestRow.state).in_([*UNFINISHED, RequestState.OPENED]),
        )
        .order_by(col(FormRequestRow.id))
    )
    return tx.exec(query).first()
