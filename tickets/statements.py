"""Monthly statements as they go out: a copy for each contact, once, and who wants none any more.

What a statement says is for others to make; here it is a page and the facts of its letter. Of the
links in a letter, 128 random bits each, the tables keep only a SHA-256. Every function needs an
open transaction, those that change something a write transaction.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from tickets.errors import NotFound
from tickets.outbox import Recipient, StaffNotice, forget_secrets, put_notice
from tickets.policy import Policy
from tickets.rules.message import MessageState
from tickets.rules.notice import Notice
from tickets.rules.ticket import Priority
from tickets.statement_tables import StatementCopyRow, StatementRow, UnsubscribedRow
from tickets.tables import MessageRow

PAGE_FOR = timedelta(days=400)
"""How long the link to a statement's page works: until after the next year's is out."""

_TOKEN = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """A statement that goes out: whose, of which month (``2026-03``), its page and its facts.

    ``facts`` are those of the letter but for its links.
    """

    client: str
    month: str
    page: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Whether a contact gets statements; ``unsubscribed_at`` is None as long as they do.

    ``last_month`` is the month of the newest that was written to them.
    """

    client: str
    name: str
    address: str
    unsubscribed_at: datetime | None
    last_month: str | None


def list_waiting(tx: Session, policy: Policy, client: str, month: str) -> Sequence[Recipient]:
    """Return the contacts of ``client`` who are still to get the statement for ``month``."""
    wanting = policy.contacts_of(client).statement
    copies = select(StatementCopyRow.address).where(
        col(StatementCopyRow.client) == client, col(StatementCopyRow.month) == month
    )
    gone = select(UnsubscribedRow.address).where(col(UnsubscribedRow.client) == client)
    left_out = {*tx.exec(copies).all(), *tx.exec(gone).all()}
    return [one for one in wanting if one.address.lower() not in left_out]


def hand_out(tx: Session, policy: Policy, issue: Issue, *, at: datetime) -> int:
    """Write a copy and a message for each contact who waits; return how many there were.

    Copies and messages are of one transaction, and whoever else writes one at the same time finds
    it there: nobody gets a statement twice.
    """
    key = {"client": issue.client, "month": issue.month}
    waiting = list_waiting(tx, policy, issue.client, issue.month)
    if waiting:
        _insert_new(tx, StatementRow, {**key, "made_at": at, "page": issue.page})
    written = 0
    for recipient in waiting:
        page, unsubscribe = _token(), _token()
        copy = {
            **key,
            "address": recipient.address.lower(),
            "written_at": at,
            "page_hash": _hash(page),
            "unsubscribe_hash": _hash(unsubscribe),
        }
        if not _insert_new(tx, StatementCopyRow, copy):
            continue
        written += 1
        links = {
            "action": "See the whole statement",
            "action_url": f"{policy.base_url}/statement/{page}",
            "unsubscribe_url": f"{policy.base_url}/unsubscribe/{unsubscribe}",
            "link_until": (at + PAGE_FOR).isoformat(),
        }
        series = f"statement:{issue.client}:{issue.month}"
        told = StaffNotice(
            key=f"{series}:{_hash(recipient.address.lower())[:32]}",
            thread=series,
            notice=Notice.STATEMENT,
            facts={**issue.facts, **links},
            priority=Priority.LOW,
        )
        put_notice(tx, told, recipients=[recipient], domain=policy.mail_domain, at=at)
    return written


def find_page(tx: Session, token: str, *, now: datetime) -> str | None:
    """Return the page that the link with ``token`` leads to; None if it leads nowhere any more."""
    copy = _find_copy(tx, token, "page_hash")
    if copy is None or now - copy.written_at > PAGE_FOR:
        return None
    row = tx.get(StatementRow, (copy.client, copy.month))
    return None if row is None else row.page


def get_standing(tx: Session, token: str) -> Standing:
    """Return how the contact stands whose letter holds ``token``; raises ``NotFound``."""
    copy = _get_copy(tx, token)
    return _standing(tx, copy.client, name="", address=copy.address)


def unsubscribe(tx: Session, token: str, *, at: datetime) -> None:
    """Send the contact whose letter holds ``token`` no more statements; raises ``NotFound``.

    One that still waits in the outbox is cancelled.
    """
    copy = _get_copy(tx, token)
    values = {"client": copy.client, "address": copy.address, "unsubscribed_at": at}
    _insert_new(tx, UnsubscribedRow, values)
    _cancel_waiting(tx, copy.client, copy.address)


def _cancel_waiting(tx: Session, client: str, address: str) -> None:
    """Cancel what is not delivered; an attempt that is on its way is not repeated."""
    query = select(MessageRow).where(
        col(MessageRow.notice) == Notice.STATEMENT,
        col(MessageRow.key).startswith(f"statement:{client}:", autoescape=True),
        sa.func.lower(col(MessageRow.address)) == address.lower(),
        col(MessageRow.state).not_in([MessageState.SENT, MessageState.CANCELLED]),
    )
    for message in tx.exec(query.with_for_update()).all():
        message.state, message.lease_until, message.held_for = MessageState.CANCELLED, None, None
        forget_secrets(message)


def resubscribe(tx: Session, token: str) -> None:
    """Take an ``unsubscribe`` back; raises ``NotFound``."""
    copy = _get_copy(tx, token)
    row = tx.get(UnsubscribedRow, (copy.client, copy.address))
    if row is not None:
        tx.delete(row)


def list_standings(tx: Session, policy: Policy) -> Sequence[Standing]:
    """Return the contacts for whom the configuration asks for statements, and how they stand."""
    return [
        _standing(tx, client, name=contact.name, address=contact.address)
        for client, contacts in policy.contacts.items()
        for contact in contacts.statement
    ]


def _standing(tx: Session, client: str, *, name: str, address: str) -> Standing:
    gone = tx.get(UnsubscribedRow, (client, address.lower()))
    months = select(StatementCopyRow.month).where(
        col(StatementCopyRow.client) == client, col(StatementCopyRow.address) == address.lower()
    )
    return Standing(
        client=client,
        name=name,
        address=address,
        unsubscribed_at=None if gone is None else gone.unsubscribed_at,
        last_month=max(tx.exec(months).all(), default=None),
    )


def _insert_new(tx: Session, row: type[SQLModel], values: Mapping[str, object]) -> bool:
    """Insert a row unless one with its key is there; tell whether it was inserted."""
    dialect = sqlite if tx.connection().dialect.name == "sqlite" else postgresql
    insert = dialect.insert(row).values(**values).on_conflict_do_nothing()
    inserted = tx.connection().execute(insert.returning(sa.literal(1)))
    return inserted.first() is not None


def _get_copy(tx: Session, token: str) -> StatementCopyRow:
    copy = _find_copy(tx, token, "unsubscribe_hash")
    if copy is None:
        raise NotFound("the link is not complete, or was never sent")
    return copy


def _find_copy(tx: Session, token: str, column: str) -> StatementCopyRow | None:
    if not _TOKEN.fullmatch(token):
        return None
    hashed = getattr(StatementCopyRow, column)
    return tx.exec(select(StatementCopyRow).where(hashed == _hash(token))).first()


def _token() -> str:
    return secrets.token_hex(16)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
