"""Erases a contact: a pseudonym in every history, what they sent and what waits for them deleted.

Tickets, entries, deliveries and promises stay with all else that they say, so that statements and
figures are what they were. Every function needs a transaction of its caller, ``erase`` a write one;
whoever calls has imported the modules of rows.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select

from tickets import links
from tickets.contact_files import erase_files, list_files
from tickets.contact_tables import ErasureRow
from tickets.contacts import Person, masked_rows
from tickets.errors import Refused
from tickets.link_tables import AttachmentRow
from tickets.mail_faults import forget_address
from tickets.outbox import forget_secrets
from tickets.policy import Policy
from tickets.request_tables import FormFileRow, FormRequestRow
from tickets.rules.message import MessageState
from tickets.rules.pseudonym import Pseudonym, is_pseudonym
from tickets.rules.request import RequestState
from tickets.tables import MessageRow, StaffRow

_UNDELIVERED = (MessageState.PENDING, MessageState.SENDING)
_UNFINISHED = (RequestState.TAKEN, RequestState.WAITING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What an erasure finds of a person.

    ``rows`` counts by table the rows that name them, ``messages`` the mails that wait for them,
    ``links`` those in force, ``requests`` those without a ticket yet, ``files`` what they sent,
    of ``file_bytes`` together.
    """

    rows: Mapping[str, int]
    messages: int
    links: int
    requests: int
    files: int
    file_bytes: int

    @property
    def is_nothing(self) -> bool:
        """Tell whether nothing was found."""
        return not self.rows and not self.files


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What an erasure did: what stands in the person's place, and what it found and changed."""

    pseudonym: Pseudonym
    holdings: Holdings


def check_erasable(tx: Session, policy: Policy, address: str) -> None:
    """Raise ``Refused`` while the address stands in the configuration or belongs to an account."""
    if is_pseudonym(address):
        raise Refused(f"{address} stands for somebody who was erased already")
    places = [
        f"a contact of {slug}, in clients[].contacts"
        for slug, profile in policy.clients.items()
        if any(one.address.lower() == address.lower() for one in profile.everyone)
    ]
    if any(one.address.lower() == address.lower() for one in (*policy.duty, *policy.lead)):
        places.append("one of staff_channels")
    if places:
        raise Refused(
            f"{address} still stands in the configuration, as {' and '.join(places)}: take it out, "
            "restart the service so that it writes there no more, then erase it"
        )
    account = tx.exec(select(StaffRow.id).where(col(StaffRow.email) == address.lower())).first()
    if account is not None:
        raise Refused(
            f"{address} belongs to one of the staff, whose name stands for what they did; "
            "`fettle staff disable` shuts the account"
        )


def survey(tx: Session, person: Person, *, now: datetime) -> Holdings:
    """Return what an erasure would find at ``now``; changes nothing."""
    files = list_files(tx, person.address)
    address, keys = person.address.lower(), {file.key for file in files}
    rows = Counter(
        table.name
        for table, row, _changes in masked_rows(tx, person, Pseudonym("x"))
        if table.name != AttachmentRow.__tablename__ or row["id"] not in keys  # those are deleted
    )
    return Holdings(
        rows=dict(rows),
        messages=_count(tx, MessageRow, address, col(MessageRow.state).in_(_UNDELIVERED)),
        links=links.count_links_of(tx, address, now=now),
        requests=_count(tx, FormRequestRow, address, col(FormRequestRow.state).in_(_UNFINISHED)),
        files=len(files),
        file_bytes=sum(file.size_bytes for file in files),
    )


def erase(tx: Session, policy: Policy, person: Person, *, at: datetime) -> Erasure:
    """Erase the person for good; raises ``Refused`` as ``check_erasable`` does."""
    check_erasable(tx, policy, person.address)
    found = survey(tx, person, now=at)
    pseudonym = Pseudonym(secrets.token_hex(4))
    row = ErasureRow(pseudonym=pseudonym.token, erased_at=at)
    tx.add(row)
    links.revoke_address(tx, person.address, at=at)
    _cancel(tx, person.address.lower())
    forget_address(tx, person.address)
    _drop_requests(tx, person.address.lower())
    erase_files(tx, person.address)
    tx.flush()
    connection = tx.connection()
    for table, values, changes in list(masked_rows(tx, person, pseudonym)):
        keys = [column == values[column.name] for column in table.primary_key]
        connection.execute(sa.update(table).where(*keys).values(changes))
    tx.expire_all()
    row.is_finished = True
    tx.add(row)
    return Erasure(pseudonym=pseudonym, holdings=found)


def _count(
    tx: Session,
    row: type[MessageRow] | type[FormRequestRow],
    address: str,
    which: sa.ColumnElement[bool],
) -> int:
    theirs = sa.func.lower(col(row.address)) == address
    return tx.exec(select(sa.func.count()).select_from(row).where(theirs, which)).one()


def _cancel(tx: Session, address: str) -> None:
    query = select(MessageRow).where(sa.func.lower(col(MessageRow.address)) == address)
    for message in tx.exec(query.with_for_update()).all():
        forget_secrets(message)
        if message.state in _UNDELIVERED:
            message.state, message.lease_until = MessageState.CANCELLED, None


def _drop_requests(tx: Session, address: str) -> None:
    """Decline what was asked by the form and has no ticket yet; what was typed goes with it."""
    query = select(FormRequestRow).where(sa.func.lower(col(FormRequestRow.address)) == address)
    for request in tx.exec(query.with_for_update()).all():
        request.content = request.verify_hash = None
        if request.state in _UNFINISHED:
            request.state = RequestState.DECLINED
        tx.exec(sa.delete(FormFileRow).where(col(FormFileRow.request_id) == request.id))
