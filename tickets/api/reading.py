"""What programs may read: a page of tickets, one ticket, a page of its history.

Every function needs an open transaction. Rows that the caller may not see do not exist for it.
"""

from __future__ import annotations

from tickets.api.calls import Call
from tickets.api.documents import (
    EntriesDocument,
    TicketDocument,
    TicketsDocument,
    entry_documents,
    ticket_document,
)
from tickets.api.orders import EntriesQuestion, TicketsQuestion
from tickets.api.problems import rejected
from tickets.errors import NotFound
from tickets.queries.tickets import PageFilter, get_ticket_view, list_entries, list_page
from tickets.queries.views import TicketView
from tickets.rules.ticket import reference
from tickets.store import Session
from tickets.tokens import Caller


def list_tickets(tx: Session, call: Call) -> TicketsDocument:
    """Return one page of tickets, the newest first."""
    question = call.question
    assert isinstance(question, TicketsQuestion)
    client = question.client or call.caller.client
    if client is not None:
        refuse_other_client(call.caller, client)
    wanted = PageFilter(
        statuses=question.status,
        client=client,
        site=question.site,
        priority=question.priority,
        assignee=question.assignee,
        for_client=call.caller.client is not None,
    )
    before = None if question.cursor is None else int(question.cursor)
    found = list_page(tx, wanted, before=before, most=question.limit + 1)
    page = found[: question.limit]
    return TicketsDocument(
        tickets=[ticket_document(ticket, now=call.at) for _, ticket in page],
        next_cursor=str(page[-1][0]) if len(found) > len(page) else None,
    )


def show_ticket(tx: Session, call: Call) -> TicketDocument:
    """Return one ticket; raises ``NotFound``."""
    return ticket_document(get_visible(tx, call), now=call.at)


def show_history(tx: Session, call: Call) -> EntriesDocument:
    """Return one page of a ticket's history, the oldest first; raises ``NotFound``."""
    question = call.question
    assert isinstance(question, EntriesQuestion)
    ticket = get_visible(tx, call)
    found = list_entries(
        tx,
        ticket.reference,
        after=int(question.cursor or 0),
        most=question.limit + 1,
        only_visible=call.caller.client is not None,
    )
    page = found[: question.limit]
    return EntriesDocument(
        entries=entry_documents(page),
        next_cursor=str(page[-1].number) if len(found) > len(page) else None,
    )


def get_visible(tx: Session, call: Call) -> TicketView:
    """Return the ticket that the address names.

    Raises ``NotFound``, also for another client's ticket and for one that no client sees.
    """
    ticket = get_ticket_view(tx, call.ref)
    if not call.caller.may_see(ticket.client, is_internal=ticket.is_internal):
        raise no_such_ticket(call.ref)
    return ticket


def refuse_other_client(caller: Caller, client: str) -> None:
    """Raise ``Rejected`` 403 when the caller's token is for another client alone."""
    if not caller.may_see(client):
        detail = f"This token is for the tickets of the client '{caller.client}' only."
        raise rejected(403, "other-client", detail)


def no_such_ticket(ref: str) -> NotFound:
    """Return the very error that a ticket gives which does not exist."""
    return NotFound(f"there is no ticket {ref!r}; a reference looks like {reference(42)}")
