"""The queue: what must be answered next, by its deadline; and the tickets that are finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from tickets.accounts import SignedIn, Staff, list_staff
from tickets.desk.answers import Desk
from tickets.desk.context import read_page
from tickets.desk.phrases import Mark, mark_of, next_action
from tickets.pages.forms import plain_text, read_number
from tickets.policy import Policy
from tickets.queries.tickets import QueueFilter, list_clients, list_finished, list_queue
from tickets.queries.views import TicketView
from tickets.rules.hours import OutOfReach
from tickets.rules.staff import may_act
from tickets.rules.ticket import Action, Priority, Source
from tickets.store import Session

LONGEST_SEARCH = 100
"""Most characters of a search."""

_SOON = 0.25
"""Share of the promise below which its time is running out."""

Choice = TypeVar("Choice", bound=StrEnum)


class Urgency(StrEnum):
    """How loud a ticket's time is."""

    OVER = "over"
    SOON = "soon"
    STANDING = "standing"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """One ticket in the list, with what it shows beside its own facts."""

    ticket: TicketView
    mark: Mark
    urgency: Urgency
    next_action: Action | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the reader asked for, as the form shows it again; empty text means any."""

    mine: bool
    assignee: str
    client: str
    priority: Priority | None
    source: Source | None
    search: str

    @property
    def is_any(self) -> bool:
        """Whether nothing narrows the list."""
        return self == NOTHING_WANTED

    def filter(self, me: SignedIn) -> QueueFilter:
        """Return the same as the store's filter for this reader."""
        return QueueFilter(
            client=self.client or None,
            priority=self.priority,
            source=self.source,
            assignee_id=me.staff.id if self.mine else read_number(self.assignee),
            search=self.search,
        )


NOTHING_WANTED = Wanted(mine=False, assignee="", client="", priority=None, source=None, search="")


async def show_queue(desk: Desk, request: Request, me: SignedIn) -> Response:
    """Show the tickets with work outstanding, the next deadline first."""
    return await _list_page(desk, request, me, is_finished=False)


async def show_finished(desk: Desk, request: Request, me: SignedIn) -> Response:
    """Show the tickets that are resolved or closed, the newest first."""
    return await _list_page(desk, request, me, is_finished=True)


async def _list_page(desk: Desk, request: Request, me: SignedIn, *, is_finished: bool) -> Response:
    context = desk.context
    wanted = read_wanted(request.query_params)

    def read(
        tx: Session,
    ) -> tuple[Sequence[TicketView], Sequence[tuple[str, str]], Sequence[Staff]]:
        list_tickets = list_finished if is_finished else list_queue
        return list_tickets(tx, wanted.filter(me)), list_clients(tx), list_staff(tx)

    frame, (tickets, clients, staff) = await read_page(context, me, read)
    now = context.clock.now()
    return desk.page(
        "queue.html",
        frame=frame,
        rows=[queue_row(context.policy, ticket, now=now) for ticket in tickets],
        clients=clients,
        staff=[one for one in staff if may_act(one.role)],
        wanted=wanted,
        priorities=list(Priority),
        sources=list(Source),
        is_finished=is_finished,
    )


def queue_row(policy: Policy, ticket: TicketView, *, now: datetime) -> QueueRow:
    """Return a ticket as a row of the queue at ``now``."""
    return QueueRow(
        ticket=ticket,
        mark=mark_of(ticket),
        urgency=urgency_of(policy, ticket, now=now),
        next_action=next_action(ticket),
    )


def read_wanted(query: QueryParams) -> Wanted:
    """Return the filters that an address asks for; what is not allowed is left out."""
    assignee = query.get("assignee", "")
    return Wanted(
        mine=query.get("mine") == "1",
        assignee=assignee if read_number(assignee) is not None else "",
        client=plain_text(query.get("client", ""))[:LONGEST_SEARCH],
        priority=_choice(Priority, query.get("priority")),
        source=_choice(Source, query.get("source")),
        search=plain_text(query.get("search", "")).strip()[:LONGEST_SEARCH],
    )


def _choice(choices: type[Choice], text: str | None) -> Choice | None:
    return next((choice for choice in choices if choice.value == text), None)


def urgency_of(policy: Policy, ticket: TicketView, *, now: datetime) -> Urgency:
    """Return how loud a ticket's time is at ``now``."""
    promise = ticket.promise
    if promise.is_answered or ticket.closed_at is not None:
        return Urgency.ANSWERED
    if now > promise.respond_by:
        return Urgency.OVER
    hours = policy.hours_of(ticket.client)
    try:
        whole = hours.elapsed(promise.started_at, promise.respond_by)
        left = hours.elapsed(now, promise.respond_by)
    except OutOfReach:
        return Urgency.STANDING
    return Urgency.SOON if left <= whole * _SOON else Urgency.STANDING
