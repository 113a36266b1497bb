"""What the desk, the command line and the metrics read of the ticket store; nothing here writes.

Every function needs an open (read) transaction. Texts come from sites and people and are hostile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import Select

from tickets.errors import NotFound
from tickets.rules.evidence import Evidence, read_evidence
from tickets.rules.message import DeliveryOutcome, FailureReason, MessageState
from tickets.rules.notice import Audience, Notice
from tickets.rules.promise import MetBy
from tickets.rules.ticket import (
    OPEN_STATUSES,
    Action,
    Category,
    Outcome,
    Priority,
    Source,
    Status,
    parse_reference,
    reference,
)
from tickets.tables import (
    DeliveryRow,
    EntryRow,
    MessageRow,
    PromiseRow,
    StaffRow,
    TicketRow,
)

MOST_ROWS = 200
"""Longest list that one page shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseView:
    """The current promise of a ticket: its deadline, and when and by whom it was answered."""

    number: int
    started_at: datetime
    respond_by: datetime
    met_by: MetBy
    derivation: Mapping[str, Any]
    answered_at: datetime | None
    answered_by: str | None
    breached_at: datetime | None

    @property
    def is_answered(self) -> bool:
        """Whether a person has answered, in time or not."""
        return self.answered_at is not None

    def is_breached(self, now: datetime) -> bool:
        """Tell whether the deadline has passed unanswered; true without any sweep."""
        return self.answered_at is None and now > self.respond_by

    @property
    def was_kept(self) -> bool:
        """Whether it was answered at or before its deadline."""
        return self.answered_at is not None and self.answered_at <= self.respond_by


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketView:
    """One ticket as the queue and its own page show it."""

    reference: str
    title: str
    client: str
    client_name: str
    site: str | None
    site_name: str | None
    site_url: str | None
    priority: Priority
    status: Status
    category: Category
    source: Source
    outcome: Outcome | None
    opened_at: datetime
    recovered_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    update_by: datetime | None
    resume_at: datetime | None
    requester_name: str | None
    requester_address: str | None
    next_steps: str | None
    estimate: str | None
    merged_into: str | None
    assignee: str | None
    assignee_id: int | None
    version: int
    promise: PromiseView


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """One line of a ticket's history."""

    number: int
    at: datetime
    action: Action
    actor: str
    text: str
    is_visible: bool
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """One message with how its delivery stands; ``reference`` is None if it is of no ticket."""

    id: int
    reference: str | None
    entry_number: int
    notice: Notice
    audience: Audience
    name: str
    address: str
    state: MessageState
    written_at: datetime
    sent_at: datetime | None
    not_before: datetime
    attempts: int
    last_failure: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketPage:
    """A ticket with its evidence, its history (oldest first) and its messages."""

    ticket: TicketView
    evidence: Evidence
    entries: Sequence[EntryView]
    messages: Sequence[MessageView]


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

    ``assignee`` is the address of a staff member.
    """

    statuses: tuple[Status, ...] = ()
    client: str | None = None
    site: str | None = None
    priority: Priority | None = None
    assignee: str | None = None


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
        messages=[_message_view(message) for message in messages],
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


def list_messages(tx: Session, *, state: MessageState | None = None) -> Sequence[MessageView]:
    """Return the newest messages of the outbox, optionally only those in ``state``."""
    query = select(MessageRow).order_by(col(MessageRow.id).desc()).limit(MOST_ROWS)
    if state is not None:
        query = query.where(col(MessageRow.state) == state)
    return [_message_view(message) for message in tx.exec(query).all()]


def count_undelivered(tx: Session) -> int:
    """Count the messages that will never arrive unless somebody does something."""
    dead = col(MessageRow.state) == MessageState.DEAD
    return tx.exec(select(sa.func.count()).select_from(MessageRow).where(dead)).one()


def _message_view(row: MessageRow) -> MessageView:
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
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketFigures:
    """Counts for the metrics page, taken in one transaction."""

    open_by_priority_status: Mapping[tuple[Priority, Status], int]
    recovered_by_priority: Mapping[Priority, int]
    opened: Mapping[tuple[Priority, Source], int]
    resolved: Mapping[Priority, int]
    reopened: Mapping[Priority, int]
    overdue: Mapping[Priority, int]
    breaches: Mapping[Priority, int]
    next_deadline: Mapping[Priority, datetime]
    sent: Mapping[Notice, int]
    failures: Mapping[tuple[Notice, FailureReason | None], int]
    messages: Mapping[str, int]
    oldest_pending: datetime | None


def count_figures(tx: Session, *, now: datetime) -> TicketFigures:
    """Count tickets, promises and messages for the metrics page."""
    id_, status, priority = col(TicketRow.id), col(TicketRow.status), col(TicketRow.priority)
    is_open = status.in_([*OPEN_STATUSES])
    promises = sa.join(
        TicketRow,
        PromiseRow,
        sa.and_(
            col(PromiseRow.ticket_id) == id_,
            col(PromiseRow.number) == col(TicketRow.promise_number),
        ),
    )
    unanswered = sa.and_(is_open, col(PromiseRow.answered_at).is_(None))
    retrying = sa.case((col(MessageRow.attempts) > 0, "retrying"), else_="pending")
    state = sa.case(
        (col(MessageRow.state) == MessageState.DEAD, "dead"),
        (col(MessageRow.state).in_([MessageState.PENDING, MessageState.SENDING]), retrying),
        else_="other",
    )
    return TicketFigures(
        open_by_priority_status=_counts2(
            tx, sa.select(priority, status, sa.func.count()).where(is_open)
        ),
        recovered_by_priority=_counts(
            tx,
            sa.select(priority, sa.func.count()).where(
                is_open, col(TicketRow.recovered_at).is_not(None)
            ),
        ),
        opened=_counts2(
            tx,
            sa.select(col(EntryRow.priority), col(TicketRow.source), sa.func.count())
            .join(TicketRow, col(EntryRow.ticket_id) == id_)
            .where(col(EntryRow.action) == Action.OPEN),
        ),
        resolved=_entry_counts(tx, Action.RESOLVE),
        reopened=_entry_counts(tx, Action.REOPEN),
        overdue=_counts(
            tx,
            sa.select(priority, sa.func.count())
            .select_from(promises)
            .where(unanswered, col(PromiseRow.respond_by) < now),
        ),
        breaches=_entry_counts(tx, Action.BREACH),
        next_deadline=_counts(
            tx,
            sa.select(priority, sa.func.min(col(PromiseRow.respond_by)))
            .select_from(promises)
            .where(unanswered),
        ),
        sent=_counts(
            tx,
            sa.select(col(DeliveryRow.notice), sa.func.count()).where(
                col(DeliveryRow.outcome) == DeliveryOutcome.SENT
            ),
        ),
        failures=_counts2(
            tx,
            sa.select(col(DeliveryRow.notice), col(DeliveryRow.reason), sa.func.count()).where(
                col(DeliveryRow.reason).is_not(None)
            ),
        ),
        messages=_counts(tx, sa.select(state, sa.func.count())),
        oldest_pending=tx.connection()
        .execute(
            sa.select(sa.func.min(col(MessageRow.written_at))).where(
                col(MessageRow.state).in_([MessageState.PENDING, MessageState.SENDING])
            )
        )
        .scalar_one(),
    )


def _entry_counts(tx: Session, action: Action) -> dict[Priority, int]:
    """Count by the priority of the moment, so that no count falls when a priority changes."""
    query = sa.select(col(EntryRow.priority), sa.func.count())
    return _counts(tx, query.where(col(EntryRow.action) == action))


Key = TypeVar("Key")
Other = TypeVar("Other")
Value = TypeVar("Value")


def _counts(tx: Session, query: sa.Select[Key, Value]) -> dict[Key, Value]:
    key = query.selected_columns[0]
    rows = tx.connection().execute(query.group_by(key)).all()
    return {row[0]: row[1] for row in rows}


def _counts2(tx: Session, query: sa.Select[Key, Other, int]) -> dict[tuple[Key, Other], int]:
    first, second = query.selected_columns[0], query.selected_columns[1]
    rows = tx.connection().execute(query.group_by(first, second)).all()
    return {(row[0], row[1]): row[2] for row in rows}
