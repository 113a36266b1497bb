"""What is read of a ticket, its promise, its history and its messages, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tickets.rules.evidence import Evidence
from tickets.rules.message import HoldReason, Intervention, MessageState
from tickets.rules.notice import Audience, Notice
from tickets.rules.promise import MetBy
from tickets.rules.ticket import (
    Action,
    Category,
    Outcome,
    Priority,
    Source,
    Status,
)


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
    is_internal: bool
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


@dataclass(frozen=True, slots=True)
class InterventionView:
    """What somebody did to a message by hand."""

    what: Intervention
    at: datetime
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """One message with how its delivery stands; ``reference`` is None if it is of no ticket.

    ``carrier_id`` is the message in whose mail it goes, ``held_for`` why it waits though nothing
    failed.
    """

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
    carrier_id: int | None = None
    held_for: HoldReason | None = None
    interventions: Sequence[InterventionView] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketPage:
    """A ticket with its evidence, its history (oldest first) and its messages."""

    ticket: TicketView
    evidence: Evidence
    entries: Sequence[EntryView]
    messages: Sequence[MessageView]
