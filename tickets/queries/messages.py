"""Messages as the outbox and a ticket's page show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select

from tickets.errors import NotFound
from tickets.outbox_tables import DEAD, UNSETTLED, InterventionRow
from tickets.queries import MOST_ROWS
from tickets.queries.views import InterventionView, MessageView
from tickets.rules.message import DeliveryOutcome, MessageState
from tickets.rules.ticket import reference
from tickets.tables import DeliveryRow, MessageRow

_BY_INDEX = {
    MessageState.PENDING: UNSETTLED,
    MessageState.SENDING: UNSETTLED,
    MessageState.DEAD: DEAD,
}
"""States whose messages are few among all."""


def list_messages(tx: Session, *, state: MessageState | None = None) -> Sequence[MessageView]:
    """Return the newest messages of the outbox, optionally only those in ``state``."""
    query = select(MessageRow).order_by(col(MessageRow.id).desc()).limit(MOST_ROWS)
    if state is not None:
        query = query.where(col(MessageRow.state) == state)
        if (which := _BY_INDEX.get(state)) is not None:
            # As a query of its own, or SQLite looks for the few among all, for their order's sake.
            few = select(MessageRow.id).where(which).correlate(None)
            query = query.where(col(MessageRow.id).in_(few))
    found = tx.exec(query).all()
    done = _interventions(tx, [row.id for row in found if row.id is not None])
    return [message_view(row, interventions=done.get(row.id or 0, ())) for row in found]


def get_message(tx: Session, message_id: int) -> MessageView:
    """Return a message with what was done to it; raises ``NotFound``."""
    row = tx.get(MessageRow, message_id)
    if row is None:
        raise NotFound(f"there is no message {message_id} in the outbox")
    done = _interventions(tx, [message_id])
    return message_view(row, interventions=done.get(message_id, ()))


def find_last_refusals(tx: Session, addresses: Sequence[str]) -> Mapping[str, datetime]:
    """Return when a mail to each of ``addresses`` (lower case) was last refused for good.

    An address of which no such message stands in the outbox is left out.
    """
    if not addresses:
        return {}
    address = sa.func.lower(col(MessageRow.address))
    query = (
        sa.select(address, sa.func.max(col(DeliveryRow.ended_at)))
        .join(DeliveryRow, col(DeliveryRow.message_id) == col(MessageRow.id))
        .where(DEAD, address.in_(addresses), col(DeliveryRow.outcome) == DeliveryOutcome.REFUSED)
        .group_by(address)
    )
    return {row[0]: row[1] for row in tx.connection().execute(query)}


def _interventions(tx: Session, ids: Sequence[int]) -> dict[int, list[InterventionView]]:
    query = select(InterventionRow).where(col(InterventionRow.message_id).in_(ids))
    found: dict[int, list[InterventionView]] = {}
    for row in tx.exec(query.order_by(col(InterventionRow.id))).all():
        view = InterventionView(row.what, row.at, row.actor)
        found.setdefault(row.message_id, []).append(view)
    return found


def count_undelivered(tx: Session) -> int:
    """Count the messages that will never arrive unless somebody does something."""
    return tx.exec(select(sa.func.count()).select_from(MessageRow).where(DEAD)).one()


def message_view(row: MessageRow, *, interventions: Sequence[InterventionView] = ()) -> MessageView:
    """Return a message as the outbox and its ticket show it."""
    return MessageView(
        id=row.id or 0,
        reference=None if row.ticket_id is None else reference(row.ticket_id),
        entry_number=row.entry_number,
        notice=row.notice,
        audience=row.audience,
        name=row.name,
        address=row.address,
        state=row.state,
        written_at=row.written_at,
        sent_at=row.sent_at,
        not_before=row.not_before,
        attempts=row.attempts,
        last_failure=row.last_failure,
        carrier_id=row.carrier_id,
        held_for=row.held_for,
        interventions=interventions,
    )
