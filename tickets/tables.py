"""Rows of the ticket store: tickets, promises, entries, messages, deliveries, staff, sessions.

Rows carry no behaviour. Every instant is aware UTC. Each index is named for the query it serves.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from tickets.rules.message import (
    Channel,
    DeliveryOutcome,
    FailureReason,
    HoldReason,
    MessageState,
)
from tickets.rules.notice import Audience, Notice
from tickets.rules.promise import CountedIn, MetBy
from tickets.rules.staff import Role
from tickets.rules.ticket import Action, Category, LinkKind, Outcome, Priority, Source, Status
from tickets.store import Instant, Json, Row, stored_enum


class StaffRow(Row, table=True):
    """One of the agency's people; ``email`` is lower case and unique."""

    id: int | None = Field(default=None, primary_key=True)
    email: str = Field(unique=True)
    name: str
    role: Role = Field(sa_type=stored_enum(Role, "role"))
    password_hash: str
    created_at: datetime = Field(sa_type=Instant)
    disabled_at: datetime | None = Field(default=None, sa_type=Instant)


class SessionRow(Row, table=True):
    """A signed-in browser: only a hash of its token is kept."""

    __table_args__ = (sa.Index("ix_session_expiry", "expires_at"),)

    token_hash: str = Field(primary_key=True)
    staff_id: int = Field(foreign_key="staff.id", index=True)
    form_token: str
    created_at: datetime = Field(sa_type=Instant)
    seen_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)


class TicketRow(Row, table=True):
    """The promise and the work for one incident or request.

    ``version`` equals the number of the newest entry: every change adds one of each. ``key`` is
    what makes two reports the same ticket; at most one ticket that is not closed carries it.
    Names of client and site stay as they were when the ticket opened. ``requester_...`` is who
    asked, on tickets that people opened. ``resume_at`` is when work resumes on a waiting ticket.
    Of an ``is_internal`` ticket no client ever hears, nor sees that it exists.
    ``evidence`` is what was seen, as rows for the desk (see ``tickets.rules.evidence``).
    """

    __table_args__ = (
        sa.Index(
            "uq_ticket_key_not_closed",
            "key",
            unique=True,
            sqlite_where=sa.text("status <> 'closed'"),
            postgresql_where=sa.text("status <> 'closed'"),
        ),
        sa.Index("ix_ticket_queue", "status", "id"),
        sa.Index("ix_ticket_client", "client", "id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    key: str | None = None
    title: str
    client: str
    client_name: str
    site: str | None = None
    site_name: str | None = None
    site_url: str | None = None
    priority: Priority = Field(sa_type=stored_enum(Priority, "priority"))
    status: Status = Field(sa_type=stored_enum(Status, "status"))
    category: Category = Field(sa_type=stored_enum(Category, "category"))
    source: Source = Field(sa_type=stored_enum(Source, "source"))
    outcome: Outcome | None = Field(default=None, sa_type=stored_enum(Outcome, "outcome"))
    opened_at: datetime = Field(sa_type=Instant)
    promise_number: int = 1
    assignee_id: int | None = Field(default=None, foreign_key="staff.id")
    requester_name: str | None = None
    requester_address: str | None = None
    next_steps: str | None = None
    estimate: str | None = None
    update_by: datetime | None = Field(default=None, sa_type=Instant)
    resume_at: datetime | None = Field(default=None, sa_type=Instant)
    merged_into_id: int | None = Field(default=None, foreign_key="ticket.id")
    recovered_at: datetime | None = Field(default=None, sa_type=Instant)
    resolved_at: datetime | None = Field(default=None, sa_type=Instant)
    closed_at: datetime | None = Field(default=None, sa_type=Instant)
    root_message_id: str
    is_internal: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})
    evidence: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    version: int = 1


class PromiseRow(Row, table=True):
    """The response target as it stood when a ticket opened or reopened; its deadline is frozen.

    ``target_seconds`` is counted in ``counted_in``. ``answered_at`` is when a person answered,
    in time or not; ``breached_at`` is set once, when the deadline passed unanswered.
    """

    __table_args__ = (
        sa.Index(
            "ix_promise_due",
            "respond_by",
            sqlite_where=sa.text("answered_at IS NULL AND breached_at IS NULL"),
            postgresql_where=sa.text("answered_at IS NULL AND breached_at IS NULL"),
        ),
    )

    ticket_id: int = Field(primary_key=True, foreign_key="ticket.id")
    number: int = Field(primary_key=True)
    started_at: datetime = Field(sa_type=Instant)
    target_seconds: int
    counted_in: CountedIn = Field(sa_type=stored_enum(CountedIn, "counted_in"))
    met_by: MetBy = Field(sa_type=stored_enum(MetBy, "met_by"))
    respond_by: datetime = Field(sa_type=Instant)
    derivation: dict[str, Any] = Field(sa_type=Json)
    answered_at: datetime | None = Field(default=None, sa_type=Instant)
    answered_by: str | None = None
    answered_with: Action | None = Field(default=None, sa_type=stored_enum(Action, "answered_with"))
    breached_at: datetime | None = Field(default=None, sa_type=Instant)


class EscalationRow(Row, table=True):
    """A step of a promise's escalation that staff were told of, once.

    ``step`` is a share of the promise such as ``50%``, or ``update`` with the instant by which the
    client was to have the next word.
    """

    ticket_id: int = Field(primary_key=True, foreign_key="ticket.id")
    promise_number: int = Field(primary_key=True)
    step: str = Field(primary_key=True)
    told_at: datetime = Field(sa_type=Instant)


class EntryRow(Row, table=True):
    """One line of a ticket's history; rows are added, never changed or deleted.

    ``actor`` is a staff member's name, or the name of the part that acted. ``before`` and ``after``
    hold the columns of the ticket and of its current promise that the change moved, ``after`` also
    what it added (see ``tickets.rules.replay``). ``priority`` is the ticket's after the change.
    ``is_visible`` entries may be shown to the client.
    """

    ticket_id: int = Field(primary_key=True, foreign_key="ticket.id")
    number: int = Field(primary_key=True)
    at: datetime = Field(sa_type=Instant)
    action: Action = Field(sa_type=stored_enum(Action, "action"))
    priority: Priority = Field(sa_type=stored_enum(Priority, "priority"))
    actor: str
    staff_id: int | None = Field(default=None, foreign_key="staff.id")
    text: str = ""
    is_visible: bool = True
    before: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    after: dict[str, Any] = Field(default_factory=dict, sa_type=Json)


class WatcherRow(Row, table=True):
    """Somebody at the client who hears of a ticket beside its requester."""

    ticket_id: int = Field(primary_key=True, foreign_key="ticket.id")
    address: str = Field(primary_key=True)
    name: str


class LinkRow(Row, table=True):
    """Two tickets that belong together; of a duplicate, ``ticket_id`` is the duplicate."""

    ticket_id: int = Field(primary_key=True, foreign_key="ticket.id")
    other_id: int = Field(primary_key=True, foreign_key="ticket.id", index=True)
    kind: LinkKind = Field(sa_type=stored_enum(LinkKind, "kind"))


class TimeSpentRow(Row, table=True):
    """Minutes that somebody worked on a ticket on a local date.

    ``is_counted`` tells whether they use up the client's monthly allowance, as was set when they
    were logged.
    """

    __table_args__ = (sa.Index("ix_time_spent_month", "client", "worked_on"),)

    ticket_id: int = Field(primary_key=True, foreign_key="ticket.id")
    entry_number: int = Field(primary_key=True)
    client: str
    worked_on: date
    minutes: int
    actor: str
    staff_id: int | None = Field(default=None, foreign_key="staff.id")
    text: str
    is_counted: bool


class AllowanceWarningRow(Row, table=True):
    """A share (per cent) of a client's allowance in a month (``2026-03``) that was told of."""

    client: str = Field(primary_key=True)
    month: str = Field(primary_key=True)
    share: int = Field(primary_key=True)
    told_at: datetime = Field(sa_type=Instant)


class RefusalRow(Row, table=True):
    """An attempt at what the ticket's status did not allow; rows are added, never changed."""

    id: int | None = Field(default=None, primary_key=True)
    ticket_id: int = Field(foreign_key="ticket.id", index=True)
    at: datetime = Field(sa_type=Instant)
    action: Action = Field(sa_type=stored_enum(Action, "action"))
    actor: str
    staff_id: int | None = Field(default=None, foreign_key="staff.id")
    reason: str


class MessageRow(Row, table=True):
    """One notice to one contact, written in the transaction of its cause and delivered after.

    ``facts`` is everything that the letter needs, frozen; with ``header_id`` (the Message-ID) and
    ``written_at`` (the Date) it makes every attempt the same mail. ``rank`` 0 leaves first.

    A message belongs to an entry of a ticket, or to no ticket: then ``entry_number`` is 0 and
    ``key`` names what it tells, once per address.

    A message with a ``carrier_id`` goes in that message's mail and shares its fate. From its first
    claim on a message is sealed: nothing joins it any more. ``held_for`` says why ``not_before``
    lies ahead where that is no back-off. ``forgiven`` are attempts that count for nothing:
    those before it was requeued, and those that met no mail server. ``told_at`` is when staff were
    told that it is dead.
    """

    __table_args__ = (
        sa.UniqueConstraint("ticket_id", "entry_number", "address"),
        sa.Index(
            "ix_message_due",
            "rank",
            "not_before",
            sqlite_where=sa.text("state IN ('pending', 'sending')"),
            postgresql_where=sa.text("state IN ('pending', 'sending')"),
        ),
        sa.Index("ix_message_newest", "written_at"),
        sa.Index("ix_message_sent", "sent_at"),
        sa.Index(
            "ix_message_dead",
            "told_at",
            sqlite_where=sa.text("state = 'dead'"),
            postgresql_where=sa.text("state = 'dead'"),
        ),
        # Partial, or else SQLite takes it to find the many rows that have no carrier.
        sa.Index(
            "ix_message_carrier",
            "carrier_id",
            sqlite_where=sa.text("carrier_id IS NOT NULL"),
            postgresql_where=sa.text("carrier_id IS NOT NULL"),
        ),
        sa.Index("uq_message_key_address", "key", "address", unique=True),
    )

    id: int | None = Field(default=None, primary_key=True)
    ticket_id: int | None = Field(default=None, foreign_key="ticket.id", index=True)
    entry_number: int = 0
    key: str | None = None
    notice: Notice = Field(sa_type=stored_enum(Notice, "notice"))
    audience: Audience = Field(sa_type=stored_enum(Audience, "audience"))
    name: str
    address: str
    channel: Channel = Field(default=Channel.MAIL, sa_type=stored_enum(Channel, "channel"))
    priority: Priority = Field(sa_type=stored_enum(Priority, "priority"))
    rank: int
    header_id: str
    thread_id: str
    written_at: datetime = Field(sa_type=Instant)
    facts: dict[str, Any] = Field(sa_type=Json)
    state: MessageState = Field(
        default=MessageState.PENDING, sa_type=stored_enum(MessageState, "state")
    )
    not_before: datetime = Field(sa_type=Instant)
    attempts: int = 0
    lease_until: datetime | None = Field(default=None, sa_type=Instant)
    claimed_by: str | None = None
    sent_at: datetime | None = Field(default=None, sa_type=Instant)
    last_failure: str | None = None
    carrier_id: int | None = Field(default=None, foreign_key="message.id")
    is_sealed: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})
    held_for: HoldReason | None = Field(default=None, sa_type=stored_enum(HoldReason, "held_for"))
    forgiven: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    requeued_at: datetime | None = Field(default=None, sa_type=Instant)
    told_at: datetime | None = Field(default=None, sa_type=Instant)


class DeliveryRow(Row, table=True):
    """One attempt to send a message, with the mail server's answer."""

    message_id: int = Field(primary_key=True, foreign_key="message.id")
    number: int = Field(primary_key=True)
    notice: Notice = Field(sa_type=stored_enum(Notice, "notice"))
    ended_at: datetime = Field(sa_type=Instant)
    outcome: DeliveryOutcome = Field(sa_type=stored_enum(DeliveryOutcome, "outcome"))
    reason: FailureReason | None = Field(default=None, sa_type=stored_enum(FailureReason, "reason"))
    answer: str = ""


class CalendarRow(Row, table=True):
    """A calendar of support hours as it was put into use; ``client`` is empty for the agency's own.

    ``days`` names its holidays and closures by ISO date from ``first`` to ``last``, ``week`` lists
    each weekday's intervals, and ``digest`` tells both from another version's. ``change`` is what
    this version changed (see ``tickets.rules.calendar``).
    """

    client: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    made_at: datetime = Field(sa_type=Instant)
    digest: str
    source: str
    first: date
    last: date
    week: dict[str, Any] = Field(sa_type=Json)
    days: dict[str, Any] = Field(sa_type=Json)
    change: dict[str, Any] = Field(sa_type=Json)
