"""What was worked on a ticket and what belongs to it: time, links, watchers, refused attempts.

Nothing here writes. Every function needs an open (read) transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from tickets.request_tables import FormRequestRow
from tickets.rules.ticket import Action, LinkKind, Status, reference
from tickets.tables import LinkRow, RefusalRow, TicketRow, TimeSpentRow, WatcherRow

MOST_REFUSALS = 50
"""Newest refused attempts that are shown of one ticket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkView:
    """A ticket that belongs to the one shown.

    ``kind`` is how; of a duplicate, ``is_survivor`` tells whether it is the one that goes on.
    """

    reference: str
    title: str
    status: Status
    kind: LinkKind
    is_survivor: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeView:
    """Work on a ticket on one local date."""

    worked_on: date
    spent: timedelta
    actor: str
    text: str
    is_counted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalView:
    """An attempt that the ticket's status did not allow."""

    at: datetime
    action: Action
    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkView:
    """All of it; ``month`` is the counted time of its client in the month that was asked for.

    ``is_unverified`` says that the requester's address was typed into the form and nothing more.
    """

    links: Sequence[LinkView]
    times: Sequence[TimeView]
    month: timedelta
    watchers: Sequence[str]
    is_unverified: bool
    refusals: Sequence[RefusalView]

    @property
    def spent(self) -> timedelta:
        """All time spent on the ticket, counted or not."""
        return sum((one.spent for one in self.times), timedelta())


def list_work(tx: Session, ticket_id: int, *, today: date) -> WorkView:
    """Return what belongs to the ticket with row number ``ticket_id``; empty if there is none."""
    times = select(TimeSpentRow).where(col(TimeSpentRow.ticket_id) == ticket_id)
    watchers = select(WatcherRow.address).where(col(WatcherRow.ticket_id) == ticket_id)
    refusals = select(RefusalRow).where(col(RefusalRow.ticket_id) == ticket_id)
    client = tx.exec(select(TicketRow.client).where(col(TicketRow.id) == ticket_id)).first()
    return WorkView(
        links=_list_links(tx, ticket_id),
        times=[
            TimeView(
                worked_on=row.worked_on,
                spent=timedelta(minutes=row.minutes),
                actor=row.actor,
                text=row.text,
                is_counted=row.is_counted,
            )
            for row in tx.exec(
                times.order_by(col(TimeSpentRow.worked_on), col(TimeSpentRow.entry_number))
            ).all()
        ],
        month=counted_time(tx, client or "", today),
        watchers=tx.exec(watchers.order_by(col(WatcherRow.address))).all(),
        is_unverified=_is_unverified(tx, ticket_id),
        refusals=[
            RefusalView(at=row.at, action=row.action, actor=row.actor, reason=row.reason)
            for row in tx.exec(
                refusals.order_by(col(RefusalRow.id).desc()).limit(MOST_REFUSALS)
            ).all()
        ],
    )


def _is_unverified(tx: Session, ticket_id: int) -> bool:
    query = select(FormRequestRow.id).where(
        col(FormRequestRow.ticket_id) == ticket_id, col(FormRequestRow.verified_at).is_(None)
    )
    return tx.exec(query.limit(1)).first() is not None


def _list_links(tx: Session, ticket_id: int) -> Sequence[LinkView]:
    query = (
        select(LinkRow, TicketRow)
        .join(
            TicketRow,
            sa.or_(
                sa.and_(
                    col(LinkRow.ticket_id) == ticket_id, col(TicketRow.id) == col(LinkRow.other_id)
                ),
                sa.and_(
                    col(LinkRow.other_id) == ticket_id, col(TicketRow.id) == col(LinkRow.ticket_id)
                ),
            ),
        )
        .order_by(col(TicketRow.id))
    )
    return [
        LinkView(
            reference=reference(other.id or 0),
            title=other.title,
            status=other.status,
            kind=row.kind,
            is_survivor=row.kind is LinkKind.DUPLICATE and row.other_id == other.id,
        )
        for row, other in tx.exec(query).all()
    ]


def counted_time(tx: Session, client: str, on: date) -> timedelta:
    """Return the counted time of ``client`` in the calendar month of the local date ``on``."""
    first = on.replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    query = select(sa.func.coalesce(sa.func.sum(col(TimeSpentRow.minutes)), 0)).where(
        col(TimeSpentRow.client) == client,
        col(TimeSpentRow.worked_on) >= first,
        col(TimeSpentRow.worked_on) < following,
        col(TimeSpentRow.is_counted),
    )
    return timedelta(minutes=int(tx.exec(query).one()))
