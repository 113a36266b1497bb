"""A contact's data: who an address is, and everything that is stored about it.

Every function needs a transaction of its caller. The rows of all tables are looked through, so that
no part is forgotten when a table is added: whoever calls has imported the modules of rows. Staff
are no contacts: their accounts and names stay. Erasing is the business of ``tickets.erasure``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlmodel import Session, SQLModel, col, select

from tickets.addresses import canonical_mail_address
from tickets.errors import Refused
from tickets.link_tables import AttachmentRow, TicketLinkRow
from tickets.outbox import SECRET_FACTS
from tickets.request_tables import FormRequestRow
from tickets.rules.pseudonym import Mask, Pseudonym
from tickets.tables import DeliveryRow, MessageRow, StaffRow, TicketRow, WatcherRow

_OF_STAFF = frozenset({"staff", "session", "token", "erasure"})
_OF_NOBODY = frozenset({"reading", "prober", "attachment_content"})
"""Tables without a word about anybody, too large to be read for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What is known of an address: its names, and the tickets (row numbers) it has to do with."""

    address: str
    names: frozenset[str]
    tickets: frozenset[int]


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
        select(AttachmentRow.ticket_id, sa.null()).where(
            lower(col(AttachmentRow.sender_address)) == address
        ),
    ):
        yield from cast("Sequence[tuple[int | None, str | None]]", tx.exec(query).all())
    requests = select(FormRequestRow).where(lower(col(FormRequestRow.address)) == address)
    for row in tx.exec(requests).all():
        yield row.ticket_id, str((row.content or {}).get("name") or "")


def export(tx: Session, person: Person) -> dict[str, list[dict[str, Any]]]:
    """Return every row that names the person, by table; secrets and hashes are left out."""
    found: dict[str, list[dict[str, Any]]] = {}
    for table, row, _changes in masked_rows(tx, person, Pseudonym("x")):
        found.setdefault(table.name, []).append(
            {name: _exported(value) for name, value in row.items() if "hash" not in name}
        )
    return found


def masked_rows(
    tx: Session, person: Person, pseudonym: Pseudonym
) -> Iterator[tuple[sa.Table, dict[str, Any], dict[str, object]]]:
    """Yield each row that names the person, with the columns in which the pseudonym would stand."""
    mask = Mask(person.address, person.names, pseudonym)
    for table, row in _rows(tx, person):
        changes = _masked(table, row, mask, person)
        if changes:
            yield table, row, changes


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
