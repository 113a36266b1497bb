"""A contact's data: everything that is stored about one address, and its erasure.

Every function needs a transaction of its caller, ``erase`` a write one. The rows of all tables are
looked through, so that no part is forgotten when a table is added: whoever calls has imported the
modules of rows. Staff are no contacts: their accounts and names stay.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlmodel import Session, SQLModel, col, select

from tickets import links
from tickets.addresses import canonical_mail_address
from tickets.contact_tables import ErasureRow
from tickets.errors import Refused
from tickets.link_tables import TicketLinkRow
from tickets.mail_faults import forget_address
from tickets.outbox import SECRET_FACTS, forget_secrets
from tickets.policy import Policy
from tickets.request_tables import FormFileRow, FormRequestRow
from tickets.rules.message import MessageState
from tickets.rules.pseudonym import Mask, Pseudonym, is_pseudonym
from tickets.rules.request import RequestState
from tickets.tables import DeliveryRow, MessageRow, StaffRow, TicketRow, WatcherRow

_OF_STAFF = frozenset({"staff", "session", "token", "erasure"})
_OF_NOBODY = frozenset({"reading", "prober", "attachment_content"})
"""Tables without a word about anybody, too large to be read for nothing."""

_UNDELIVERED = (MessageState.PENDING, MessageState.SENDING)
_UNFINISHED = (RequestState.TAKEN, RequestState.WAITING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What is known of an address: its names, and the tickets (row numbers) it has to do with."""

    address: str
    names: frozenset[str]
    tickets: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What an erasure did: messages cancelled, links shut, rows changed by table."""

    pseudonym: Pseudonym
    cancelled: int
    links: int
    rows: Mapping[str, int]


def find_person(tx: Session, address: str) -> Person:
    """Return what is known of ``address``; raises ``Refused`` for what is no address."""
    try:
        address = canonical_mail_address(address.strip())
    except ValueError as error:
        raise Refused(f"the address cannot be looked up: {error}") from error
    names, tickets = set[str](), set[int]()
    for ticket_id, name in _mentions(tx, address.lower()):
        if ticket_id is not None:
            tickets.add(ticket_id)
        if name and "@" not in name:
            names.add(" ".join(name.split()))
    staff = {name.casefold() for name in tx.exec(select(StaffRow.name)).all()}
    return Person(
        address=address,
        names=frozenset(name for name in names if name.casefold() not in staff),
        tickets=frozenset(tickets),
    )


def _mentions(tx: Session, address: str) -> Iterator[tuple[int | None, str | None]]:
    """Yield the tickets with which an address in lower case has to do, and its name there."""
    lower = sa.func.lower
    for query in (
        select(TicketRow.id, TicketRow.requester_name).where(
            lower(col(TicketRow.requester_address)) == address
        ),
        select(WatcherRow.ticket_id, WatcherRow.name).where(
            lower(col(WatcherRow.address)) == address
        ),
        select(TicketLinkRow.ticket_id, TicketLinkRow.name).where(
            col(TicketLinkRow.address_key) == address
        ),
        select(MessageRow.ticket_id, MessageRow.name).where(
            lower(col(MessageRow.address)) == address
        ),
    ):
        yield from cast("Sequence[tuple[int | None, str | None]]", tx.exec(query).all())
    requests = select(FormRequestRow).where(lower(col(FormRequestRow.address)) == address)
    for row in tx.exec(requests).all():
        yield row.ticket_id, str((row.content or {}).get("name") or "")


def export(tx: Session, person: Person) -> dict[str, list[dict[str, Any]]]:
    """Return every row that names the person, by table; secrets and hashes are left out."""
    mask = Mask(person.address, person.names, Pseudonym("x"))
    found: dict[str, list[dict[str, Any]]] = {}
    for table, row in _rows(tx, person):
        if _masked(table, row, mask, person):
            found.setdefault(table.name, []).append(
                {name: _exported(value) for name, value in row.items() if "hash" not in name}
            )
    return found


def erase(tx: Session, policy: Policy, person: Person, *, at: datetime) -> Erasure:
    """Put a pseudonym in the person's place everywhere; what is queued for them is cancelled.

    Tickets, entries, deliveries and promises stay with all else that they say. Raises ``Refused``
    while the address still stands in the configuration or belongs to an account.
    """
    _refuse_configured(tx, policy, person.address)
    pseudonym = Pseudonym(secrets.token_hex(4))
    row = ErasureRow(pseudonym=pseudonym.token, erased_at=at)
    tx.add(row)
    shut = links.revoke_address(tx, person.address, at=at)
    cancelled = _cancel(tx, person.address.lower())
    forget_address(tx, person.address)
    _drop_requests(tx, person.address.lower())
    tx.flush()
    mask = Mask(person.address, person.names, pseudonym)
    counted: Counter[str] = Counter()
    connection = tx.connection()
    for table, values in list(_rows(tx, person)):
        changes = _masked(table, values, mask, person)
        if changes:
            keys = [column == values[column.name] for column in table.primary_key]
            connection.execute(sa.update(table).where(*keys).values(changes))
            counted[table.name] += 1
    tx.expire_all()
    row.is_finished = True
    tx.add(row)
    return Erasure(pseudonym=pseudonym, cancelled=cancelled, links=shut, rows=dict(counted))


def _refuse_configured(tx: Session, policy: Policy, address: str) -> None:
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


def _cancel(tx: Session, address: str) -> int:
    query = select(MessageRow).where(sa.func.lower(col(MessageRow.address)) == address)
    count = 0
    for message in tx.exec(query.with_for_update()).all():
        forget_secrets(message)
        if message.state in _UNDELIVERED:
            count += 1
            message.state, message.lease_until = MessageState.CANCELLED, None
    return count


def _drop_requests(tx: Session, address: str) -> None:
    """Decline what was asked by the form and has no ticket yet; what was typed goes with it."""
    query = select(FormRequestRow).where(sa.func.lower(col(FormRequestRow.address)) == address)
    for request in tx.exec(query.with_for_update()).all():
        request.content = request.verify_hash = None
        if request.state in _UNFINISHED:
            request.state = RequestState.DECLINED
        tx.exec(sa.delete(FormFileRow).where(col(FormFileRow.request_id) == request.id))


def _rows(tx: Session, person: Person) -> Iterator[tuple[sa.Table, dict[str, Any]]]:
    """Yield the rows that hold the address, and all rows of the person's tickets."""
    escaped = person.address.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    connection = tx.connection()
    for table in SQLModel.metadata.sorted_tables:
        texts = [column for column in table.columns if _is_text(column)]
        if table.name in _OF_STAFF | _OF_NOBODY or not texts:
            continue
        conditions: list[sa.ColumnElement[bool]] = [
            sa.func.lower(sa.cast(column, sa.Text)).like(f"%{escaped}%", escape="\\")
            for column in texts
        ]
        of_tickets = _of_tickets(table, person.tickets)
        if of_tickets is not None:
            conditions.append(of_tickets)
        for row in connection.execute(sa.select(table).where(sa.or_(*conditions))).mappings():
            yield table, dict(row)


def _of_tickets(table: sa.Table, tickets: frozenset[int]) -> sa.ColumnElement[bool] | None:
    if table.name == TicketRow.__tablename__:
        return table.c["id"].in_(tickets)
    if table.name == DeliveryRow.__tablename__:
        messages = sa.select(col(MessageRow.id)).where(col(MessageRow.ticket_id).in_(tickets))
        return table.c["message_id"].in_(messages)
    return table.c["ticket_id"].in_(tickets) if "ticket_id" in table.c else None


def _masked(
    table: sa.Table, row: Mapping[str, Any], mask: Mask, person: Person
) -> dict[str, object]:
    """Return the columns of a row that the mask changes; what staff did keeps their names."""
    ticket_id = row.get("id") if table.name == TicketRow.__tablename__ else row.get("ticket_id")
    is_theirs = ticket_id in person.tickets or table.name == DeliveryRow.__tablename__
    is_addressed = str(row.get("address", "")).lower() == person.address.lower()
    has_names = is_theirs or is_addressed
    changes: dict[str, object] = {}
    for column in table.columns:
        value = row[column.name]
        if not _is_text(column) or value is None:
            continue
        if column.name == "actor" and row.get("staff_id") is not None:
            continue
        hidden = mask.hide(value, field=column.name, has_names=has_names)
        if hidden != value:
            changes[column.name] = hidden
    return changes


def _is_text(column: sa.Column[Any]) -> bool:
    decorated = column.type
    kind = decorated.impl if isinstance(decorated, sa.types.TypeDecorator) else decorated
    is_plain = isinstance(kind, sa.String) and not isinstance(kind, sa.Enum)
    return (is_plain or isinstance(kind, sa.JSON)) and not column.name.endswith("_hash")


def _exported(value: object) -> object:
    """Return a column in JSON's types, without what opens something."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        entries = cast("dict[str, object]", value)
        return {key: each for key, each in entries.items() if key not in SECRET_FACTS}
    if isinstance(value, list):
        return cast("list[object]", value)
    return value if value is None or isinstance(value, str | int | float) else str(value)
