"""The API as a table: every address and method, what it takes, who may use it, what it answers.

Routes, checks and the OpenAPI document are all made from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tickets.api import deeds, orders, reading
from tickets.api.calls import Call
from tickets.api.documents import Document, EntriesDocument, TicketDocument, TicketsDocument
from tickets.api.orders import EntriesQuestion, NoQuestion, Order, Question, TicketsQuestion
from tickets.rules.scope import Scope
from tickets.store import Session
from tickets.tables import TicketRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A GET: answers with a document and changes nothing."""

    path: str
    name: str
    does: str
    work: Callable[[Session, Call], Document]
    answer: type[Document]
    question: type[Question] = NoQuestion

    @property
    def scope(self) -> Scope:
        """What the token must allow."""
        return Scope.TICKETS_READ


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """A POST: changes a ticket, or opens one, and answers with it.

    ``needs_person``: it speaks to the client, or answers, moves or ends a promise, so a named
    person must stand behind the token (decision 41).
    """

    path: str
    name: str
    does: str
    order: type[Order]
    work: Callable[[Session, Call], TicketRow]
    needs_person: bool
    status: int = 200

    @property
    def scope(self) -> Scope:
        """What the token must allow."""
        return Scope.TICKETS_WRITE

    @property
    def answer(self) -> type[Document]:
        """What it answers with."""
        return TicketDocument


Operation = Reading | Doing

READINGS = (
    Reading(
        path="/tickets",
        name="list_tickets",
        does="List tickets, the newest first",
        work=reading.list_tickets,
        answer=TicketsDocument,
        question=TicketsQuestion,
    ),
    Reading(
        path="/tickets/{ref}",
        name="show_ticket",
        does="Show a ticket",
        work=reading.show_ticket,
        answer=TicketDocument,
    ),
    Reading(
        path="/tickets/{ref}/entries",
        name="list_entries",
        does="List a ticket's history, the oldest first",
        work=reading.show_history,
        answer=EntriesDocument,
        question=EntriesQuestion,
    ),
)


def _action(
    order: type[Order], work: Callable[[Session, Call], TicketRow], *, needs_person: bool = True
) -> Doing:
    name = work.__name__
    return Doing(
        path=f"/tickets/{{ref}}/{name}",
        name=name,
        does=_said(order),
        order=order,
        work=work,
        needs_person=needs_person,
    )


def _said(order: type[Order]) -> str:
    return (order.__doc__ or "").strip().rstrip(".")


DOINGS = (
    Doing(
        path="/tickets",
        name="open",
        does=_said(orders.Open),
        order=orders.Open,
        work=deeds.open_,
        needs_person=False,
        status=201,
    ),
    _action(orders.Acknowledge, deeds.acknowledge),
    _action(orders.Reply, deeds.reply),
    _action(orders.Note, deeds.note, needs_person=False),
    _action(orders.Resolve, deeds.resolve),
    _action(orders.Close, deeds.close),
    _action(orders.Reopen, deeds.reopen),
    _action(orders.SetPriority, deeds.priority),
    _action(orders.SetCategory, deeds.category),
    _action(orders.Assign, deeds.assign),
    _action(orders.Wait, deeds.wait),
    _action(orders.Resume, deeds.resume),
    _action(orders.Merge, deeds.merge),
    _action(orders.Link, deeds.link, needs_person=False),
    _action(orders.LogTime, deeds.log_time, needs_person=False),
)

OPERATIONS: tuple[Operation, ...] = (*READINGS, *DOINGS)

PUBLIC = ("/openapi.json",)
"""Addresses that need no token; a new one is added on purpose or not at all."""
