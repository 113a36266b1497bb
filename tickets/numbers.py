"""The number of a ticket's row, from which its reference is made: each is given away once.

A request is told its reference when it is sent, which may be before there is a ticket.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import Session, col, select

from tickets.request_tables import FormRequestRow
from tickets.tables import TicketRow


def take_number(tx: Session) -> int:
    """Return the number of the next ticket, which no other ticket will get.

    Needs the open write transaction of its caller.
    """
    if tx.get_bind().dialect.name == "postgresql":
        sequence = sa.func.pg_get_serial_sequence(TicketRow.__tablename__, "id")
        return tx.exec(select(sa.func.nextval(sequence))).one()
    # SQLite gives out the highest number of a row and one: it must not meet a number given before.
    highest = (
        tx.exec(select(sa.func.max(col(column)))).one() or 0
        for column in (TicketRow.id, FormRequestRow.number)
    )
    return max(highest) + 1
