"""Links that open one ticket's page at the portal, without a sign-in: issued, found, revoked.

A link is 128 random bits, of which only a SHA-256 is stored: a copy of the database opens nothing.
It belongs to one address and works as long as we would still write to that address about the
ticket. Finding one changes nothing. Functions need an open transaction, a write one where they
change rows, and commit nothing.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from tickets.history import Actor, get_ticket, record
from tickets.link_tables import TicketLinkRow
from tickets.rules.ticket import Action
from tickets.tables import TicketRow

LIVES_FOR = timedelta(days=90)
"""How long a link works after it was issued."""

OUTLIVES_TICKET_BY = timedelta(days=30)
"""How long a link works after its ticket closed, if it lives so long."""

_FORM = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketLink:
    """A link as it was issued: to which ticket (its row number), and to whom it was sent.

    ``expires_at`` is the earlier of its two ends.
    """

    ticket_id: int
    address: str
    name: str
    expires_at: datetime
    revoked_at: datetime | None

    def is_in_force(self, now: datetime) -> bool:
        """Tell whether it is neither revoked nor expired."""
        return self.revoked_at is None and now < self.expires_at


def issue(tx: Session, ticket_id: int, *, address: str, name: str, at: datetime) -> str:
    """Store a new link to the ticket for ``address`` and return its token, known nowhere else."""
    token = secrets.token_hex(16)
    tx.add(
        TicketLinkRow(
            token_hash=_hash(token),
            ticket_id=ticket_id,
            address=address,
            address_key=address.lower(),
            name=name,
            issued_at=at,
            expires_at=at + LIVES_FOR,
        )
    )
    return token


def ticket_address(base_url: str, token: str) -> str:
    """Return the web address that a token makes."""
    return f"{base_url}/t/{token}"


def works_until(issued_at: datetime, closed_at: datetime | None) -> datetime:
    """Return until when a link works that is issued at ``issued_at`` to such a ticket."""
    expires_at = issued_at + LIVES_FOR
    return expires_at if closed_at is None else min(expires_at, closed_at + OUTLIVES_TICKET_BY)


def find_issued(tx: Session, token: str) -> TicketLink | None:
    """Return the link that ``token`` once was, in force or not; None if we never issued it.

    To an internal ticket there is no link.
    """
    if not _FORM.fullmatch(token):
        return None
    query = (
        select(TicketLinkRow, TicketRow)
        .join(TicketRow, col(TicketRow.id) == col(TicketLinkRow.ticket_id))
        .where(col(TicketLinkRow.token_hash) == _hash(token), col(TicketRow.is_internal).is_(False))
    )
    found = tx.exec(query).first()
    if found is None:
        return None
    link, ticket = found
    return TicketLink(
        ticket_id=link.ticket_id,
        address=link.address,
        name=link.name,
        expires_at=works_until(link.issued_at, ticket.closed_at),
        revoked_at=link.revoked_at,
    )


def find_link(tx: Session, token: str, *, now: datetime) -> TicketLink | None:
    """Return the link that ``token`` is; None if it is none, expired or revoked.

    Whether its address may still see the ticket is for the caller to ask (``tickets.by_link``).
    """
    link = find_issued(tx, token)
    return link if link is not None and link.is_in_force(now) else None


def revoke_links(tx: Session, ticket_id: int, *, at: datetime) -> int:
    """Shut every link to a ticket from the next request on; return how many were in force."""
    return _revoke(tx, col(TicketLinkRow.ticket_id) == ticket_id, at=at)


def revoke_address(tx: Session, address: str, *, at: datetime) -> int:
    """Shut every link that was sent to ``address``; return how many were in force."""
    return _revoke(tx, col(TicketLinkRow.address_key) == address.strip().lower(), at=at)


def count_links_of(tx: Session, address: str, *, now: datetime) -> int:
    """Count the links of ``address`` that are neither revoked nor past their own end."""
    which = _in_force(col(TicketLinkRow.address_key) == address.strip().lower(), now)
    return tx.exec(select(sa.func.count()).select_from(TicketLinkRow).where(which)).one()


def _in_force(which: sa.ColumnElement[bool], at: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        which, col(TicketLinkRow.revoked_at).is_(None), col(TicketLinkRow.expires_at) > at
    )


def _revoke(tx: Session, which: sa.ColumnElement[bool], *, at: datetime) -> int:
    shut = sa.update(TicketLinkRow).where(_in_force(which, at)).values(revoked_at=at)
    return tx.exec(shut).rowcount


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("ascii")).hexdigest()


def shut_links(
    tx: Session, ref: str, *, actor: Actor, at: datetime, version: int | None = None
) -> TicketRow:
    """Revoke every link to a ticket, with an entry for staff; later mails carry new ones.

    Raises ``NotFound``, or ``Conflict`` for a stale ``version``.
    """
    ticket = get_ticket(tx, ref, version=version)
    count = revoke_links(tx, ticket.id or 0, at=at)
    record(
        tx,
        ticket,
        action=Action.REVOKE_LINKS,
        actor=actor,
        at=at,
        text=f"{count} {'link' if count == 1 else 'links'} that had been sent no longer work",
        is_visible=False,
    )
    return ticket
