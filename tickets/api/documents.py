"""What the API answers, as models: from these its answers are written and its OpenAPI is made.

Instants are ISO 8601 in UTC, ending in ``Z``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tickets.queries.views import EntryView, TicketView
from tickets.rules.promise import MetBy
from tickets.rules.ticket import Action, Category, Outcome, Priority, Source, Status


class Document(BaseModel):
    """What every answer derives from: fields are read and never changed."""

    model_config = ConfigDict(frozen=True)

    def as_json(self) -> str:
        """Return the document as JSON."""
        return self.model_dump_json()


class TicketDocument(Document):
    """One ticket with its current promise."""

    reference: str = Field(examples=["T-1042"])
    title: str
    client: str = Field(description="The client's slug; `_agency` on a ticket of no client.")
    client_name: str
    site: str | None = Field(description="The site's slug, if the ticket is about one.")
    site_name: str | None
    site_url: str | None
    priority: Priority
    status: Status
    category: Category
    source: Source
    outcome: Outcome | None = Field(description="How it ended; null until it is closed.")
    assignee: str | None = Field(description="Name of the staff member who has it.")
    requester_name: str | None = Field(description="Who asked, on tickets that people opened.")
    requester_address: str | None
    next_steps: str | None = Field(description="As told to the client.")
    estimate: str | None = Field(description="As told to the client.")
    merged_into: str | None = Field(description="Reference of the ticket that this one repeats.")
    opened_at: AwareDatetime
    respond_by: AwareDatetime = Field(description="The response deadline.")
    met_by: MetBy = Field(description="What keeps the promise.")
    is_late: bool = Field(description="Whether the deadline passed before an answer.")
    answered_at: AwareDatetime | None
    answered_by: str | None
    breached_at: AwareDatetime | None
    update_by: AwareDatetime | None = Field(description="When the client's next word is due.")
    resume_at: AwareDatetime | None = Field(description="Until when it waits for the client.")
    recovered_at: AwareDatetime | None = Field(description="When the site was up again.")
    resolved_at: AwareDatetime | None
    closed_at: AwareDatetime | None
    version: int = Field(description="Number of the newest entry; an action must name it.")


class TicketsDocument(Document):
    """One page of tickets, the newest first."""

    tickets: list[TicketDocument]
    next_cursor: str | None = Field(description="Cursor of the next page; null on the last one.")


class EntryDocument(Document):
    """One line of a ticket's history."""

    number: int
    at: AwareDatetime
    actor: str = Field(description="A staff member, a token's name, or a part of Fettle.")
    action: Action
    text: str
    is_visible: bool = Field(description="Whether the client may see it.")
    before: dict[str, Any] = Field(description="What the change moved, as it was.")
    after: dict[str, Any] = Field(description="What the change moved, as it is since.")


class EntriesDocument(Document):
    """One page of a ticket's history, the oldest first."""

    entries: list[EntryDocument]
    next_cursor: str | None = Field(description="Cursor of the next page; null on the last one.")


class FieldFault(Document):
    """What is wrong with one field, header or parameter."""

    field: str
    message: str


class Problem(Document):
    """Why a request was not carried out (RFC 9457)."""

    type: str = Field(examples=["urn:fettle:problem:stale-version"])
    title: str
    status: int
    detail: str
    errors: list[FieldFault] | None = Field(default=None, description="Faults, field by field.")
    version: int | None = Field(default=None, description="The version that the ticket has now.")
    changes: list[EntryDocument] | None = Field(
        default=None, description="Entries since the version that the request named; at most 20."
    )

    def as_json(self) -> str:
        """Return the document as JSON, without what does not apply."""
        return self.model_dump_json(exclude_none=True)


def ticket_document(ticket: TicketView, *, now: datetime) -> TicketDocument:
    """Return a ticket as the API shows it at ``now``."""
    promise = ticket.promise
    return TicketDocument(
        reference=ticket.reference,
        title=ticket.title,
        client=ticket.client,
        client_name=ticket.client_name,
        site=ticket.site,
        site_name=ticket.site_name,
        site_url=ticket.site_url,
        priority=ticket.priority,
        status=ticket.status,
        category=ticket.category,
        source=ticket.source,
        outcome=ticket.outcome,
        assignee=ticket.assignee,
        requester_name=ticket.requester_name,
        requester_address=ticket.requester_address,
        next_steps=ticket.next_steps,
        estimate=ticket.estimate,
        merged_into=ticket.merged_into,
        opened_at=ticket.opened_at,
        respond_by=promise.respond_by,
        met_by=promise.met_by,
        is_late=not promise.was_kept if promise.is_answered else promise.is_breached(now),
        answered_at=promise.answered_at,
        answered_by=promise.answered_by,
        breached_at=promise.breached_at,
        update_by=ticket.update_by,
        resume_at=ticket.resume_at,
        recovered_at=ticket.recovered_at,
        resolved_at=ticket.resolved_at,
        closed_at=ticket.closed_at,
        version=ticket.version,
    )


def entry_documents(entries: Sequence[EntryView]) -> list[EntryDocument]:
    """Return lines of a history as the API shows them."""
    return [
        EntryDocument(
            number=entry.number,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            text=entry.text,
            is_visible=entry.is_visible,
            before=_plain(entry.before),
            after=_plain(entry.after),
        )
        for entry in entries
    ]


def _plain(columns: Mapping[str, Any]) -> dict[str, Any]:
    return dict(columns)
