"""Tickets as the queue, the pages of the API and a ticket's own page show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import Select

from tickets.errors import NotFound
from tickets.queries import MOST_ROWS
from tickets.queries.messages import message_view
from tickets.queries.views import EntryView, PromiseView, TicketPage, TicketView
from tickets.rules.evidence import read_evidence
from tickets.rules.ticket import (
    OPEN_STATUSES,
    Priority,
    Source,
    Status,
    parse_reference,
    reference,
)
from tickets.tables import (
    EntryRow,
    MessageRow,
    PromiseRow,
    StaffRow,
    TicketRow,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFilter:
    """Which tickets the queue shows; None means any, the assignee 0 means nobody."""

    client: str | None = None
    priority: Priority | None = None
    source: Source | None = None
    assignee_id: int | None = None
    search: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFilter:
    """Which tickets a page of the API shows; None and empty mean any.

    ``assignee`` is the address of a staff member. ``for_client`` leaves out internal tickets, which
    no client sees.
    """

    statuses: tuple[Status, ...] = ()
    client: str | None = None
    site: str | None = None
    priority: Priority | None = None
    assignee: str | None = None
    for_client: bool = False


_TicketSelect = Select[TicketRow, PromiseRow, str]


def _ticket_select() -> _TicketSelect:
    return (
        select(TicketRow, PromiseRow, col(StaffRow.name))
        .join(
            PromiseRow,
            sa.and_(
                col(PromiseRow.ticket_id) == col(TicketRow.id),
                col(PromiseRow.number) == col(TicketRow.promise_number),
            ),
        )
        .outerjoin(StaffRow, col(StaffRow.id) == col(TicketRow.assignee_id))
    )


def _ticket_view(row: TicketRow, promise: PromiseRow, assignee: str | None) -> TicketView:
    return TicketView(
        reference=reference(row.id or 0),
        title=row.title,
        client=row.client,
        client_name=row.client_name,
        is_internal=row.is_internal,
        site=row.site,
        site_name=row.site_name,
        site_url=row.site_url,
        priority=row.priority,
        status=row.status,
        category=row.category,
        source=row.source,
        outcome=row.outcome,
        opened_at=row.opened_at,
        recovered_at=row.recovered_at,
        resolved_at=row.resolved_at,
        closed_at=row.closed_at,
        update_by=row.update_by,
        resume_at=row.resume_at,
        requester_name=row.requester_name,
        requester_address=row.requester_address,
        next_steps=row.next_steps,
        estimate=row.estimate,
        merged_into=None if row.merged_into_id is None else reference(row.merged_into_id),
        assignee=assignee,
        assignee_id=row.assignee_id,
        version=row.version,
        promise=PromiseView(
            number=promise.number,
            started_at=promise.started_at,
            respond_by=promise.respond_by,
            met_by=promise.met_by,
            derivation=promise.derivation,
            answered_at=promise.answered_at,
            answered_by=promise.answered_by,
            breached_at=promise.breached_at,
        ),
    )


def list_queue(tx: Session, wanted: QueueFilter = QueueFilter()) -> Sequence[TicketView]:
    """Return the tickets with work outstanding: unanswered first, by deadline; then the others."""
    query = _ticket_select().where(col(TicketRow.status).in_([*OPEN_STATUSES]))
    query = _filtered(query, wanted).order_by(
        col(PromiseRow.answered_at).is_not(None),
        col(PromiseRow.respond_by),
        col(TicketRow.id),
    )
    rows = tx.exec(query.limit(MOST_ROWS)).all()
    return [_ticket_view(*row) for row in rows]


def list_finished(tx: Session, wanted: QueueFilter = QueueFilter()) -> Sequence[TicketView]:
    """Return resolved and closed tickets, the newest first."""
    query = _ticket_select().where(col(TicketRow.status).in_([Status.RESOLVED, Status.CLOSED]))
    query = _filtered(query, wanted).order_by(col(TicketRow.id).desc())
    rows = tx.exec(query.limit(MOST_ROWS)).all()
    return [_ticket_view(*row) for row in rows]


def list_page(
    tx: Session, wanted: PageFilter, *, before: int | None, most: int
) -> Sequence[tuple[int, TicketView]]:
    """Return up to ``most`` tickets with their row numbers, the newest first.

    ``before`` is the row number of the last ticket of the page before: what opens meanwhile moves
    no page.
    """
    query = _ticket_select().order_by(col(TicketRow.id).desc()).limit(most)
    if before is not None:
        query = query.where(col(TicketRow.id) < before)
    if wanted.statuses:
        query = query.where(col(TicketRow.status).in_(wanted.statuses))
    if wanted.for_client:
        query = query.where(col(TicketRow.is_internal).is_(False))
    if wanted.site is not None:
        query = query.where(col(TicketRow.site) == wanted.site)
    if wanted.assignee is not None:
        query = query.where(col(StaffRow.email) == wanted.assignee.lower())
    query = _filtered(query, QueueFilter(client=wanted.client, priority=wanted.priority))
    return [(row[0].id or 0, _ticket_view(*row)) for row in tx.exec(query).all()]


def list_entries(
    tx: Session, ref: str, *, after: int, most: int, only_visible: bool = False
) -> Sequence[EntryView]:
    """Return up to ``most`` lines of a ticket's history, the oldest first, beyond number ``after``.

    ``only_visible`` leaves out what the client may not see. There are none on a ticket that does
    not exist.
    """
    query = (
        select(EntryRow)
        .where(col(EntryRow.ticket_id) == parse_reference(ref), col(EntryRow.number) > after)
        .order_by(col(EntryRow.number))
        .limit(most)
    )
    if only_visible:
        query = query.where(col(EntryRow.is_visible))
    return [_entry_view(entry) for entry in tx.exec(query).all()]


def get_ticket_view(tx: Session, ref: str) -> TicketView:
    """Return the ticket that ``ref`` names without its history; raises ``NotFound``."""
    return _ticket_view(*_get_row(tx, ref))


def _filtered(query: _TicketSelect, wanted: QueueFilter) -> _TicketSelect:
    if wanted.client is not None:
        query = query.where(col(TicketRow.client) == wanted.client)
    if wanted.priority is not None:
        query = query.where(col(TicketRow.priority) == wanted.priority)
    if wanted.source is not None:
        query = query.where(col(TicketRow.source) == wanted.source)
    if wanted.assignee_id is not None:
        # A row number is never 0.
        query = query.where(sa.func.coalesce(col(TicketRow.assignee_id), 0) == wanted.assignee_id)
    if wanted.search:
        number = parse_reference(wanted.search)
        query = query.where(
            sa.or_(
                col(TicketRow.title).icontains(wanted.search, autoescape=True),
                col(TicketRow.client_name).icontains(wanted.search, autoescape=True),
                col(TicketRow.id) == number,
            )
        )
    return query


def count_queue(tx: Session) -> int:
    """Count the tickets that ``list_queue`` would list without a filter."""
    open_tickets = col(TicketRow.status).in_([*OPEN_STATUSES])
    return tx.exec(select(sa.func.count()).select_from(TicketRow).where(open_tickets)).one()


def count_open_by_client(tx: Session) -> Mapping[str, int]:
    """Return how many tickets in the queue each client has; clients without any are left out."""
    client, count = col(TicketRow.client), sa.func.count().label("waiting")
    is_open = col(TicketRow.status).in_([*OPEN_STATUSES])
    query = sa.select(client, count).where(is_open).group_by(client)
    return {row.client: row.waiting for row in tx.connection().execute(query)}


def list_clients(tx: Session) -> Sequence[tuple[str, str]]:
    """Return slug and name of every client that has a ticket, by name.

    A client that was renamed since appears once, under the name on its newest ticket.
    """
    newest = select(sa.func.max(col(TicketRow.id))).group_by(col(TicketRow.client))
    query = select(TicketRow.client, TicketRow.client_name).where(col(TicketRow.id).in_(newest))
    return tx.exec(query.order_by(sa.func.lower(col(TicketRow.client_name)))).all()


def get_ticket_page(tx: Session, ref: str) -> TicketPage:
    """Return the ticket that ``ref`` names with its history; raises ``NotFound``."""
    row = _get_row(tx, ref)
    ticket = row[0]
    entries = tx.exec(
        select(EntryRow).where(col(EntryRow.ticket_id) == ticket.id).order_by(col(EntryRow.number))
    ).all()
    messages = tx.exec(
        select(MessageRow)
        .where(col(MessageRow.ticket_id) == ticket.id)
        .order_by(col(MessageRow.id))
    ).all()
    return TicketPage(
        ticket=_ticket_view(*row),
        evidence=read_evidence(ticket.evidence),
        entries=[_entry_view(entry) for entry in entries],
        messages=[message_view(message) for message in messages],
    )


def _get_row(tx: Session, ref: str) -> tuple[TicketRow, PromiseRow, str]:
    number = parse_reference(ref)
    row = None
    if number is not None:
        row = tx.exec(_ticket_select().where(col(TicketRow.id) == number)).first()
    if row is None:
        raise NotFound(f"there is no ticket {ref!r}; a reference looks like {reference(42)}")
    return row


def _entry_view(entry: EntryRow) -> EntryView:
    return EntryView(
        number=entry.number,
        at=entry.at,
        action=entry.action,
        actor=entry.actor,
        text=entry.text,
        is_visible=entry.is_visible,
        before=entry.before,
        after=entry.after,
    )
