"""``fettle tickets list`` and ``show``: tickets as text and as JSON."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.commands.promises import calendars
from monitor.commands.screen import Piece, Tone, Toned
from monitor.commands.surroundings import Surroundings, open_store
from monitor.commands.ticket_documents import page_document, ticket_document
from monitor.commands.ticket_page import describe_status, mark_ticket, write_page
from tickets.attachments import AttachmentView, list_attachments
from tickets.queries import MOST_ROWS
from tickets.queries.tickets import get_ticket_page, list_finished, list_queue
from tickets.queries.views import PromiseView, TicketPage, TicketView
from tickets.rules.hours import SupportHours
from tickets.rules.ticket import Status, parse_reference
from tickets.rules.words import describe_time_left, format_short
from tickets.store import Session
from tickets.work import WorkView, list_work


def list_all(surroundings: Surroundings, arguments: Namespace) -> int:
    """List the tickets with work outstanding, and the finished ones if asked."""
    settings = surroundings.load_settings()
    with open_store(settings) as store:
        found = list(store.read(list_queue))
        cut = len(found) == MOST_ROWS
        if arguments.all:
            finished = store.read(list_finished)
            cut = cut or len(finished) == MOST_ROWS
            found += finished
    now = surroundings.clock.now()
    hours_of = calendars(settings, now, *(ticket.promise.respond_by for ticket in found))
    screen = surroundings.screen
    if arguments.json:
        screen.document(
            [ticket_document(ticket, hours_of(ticket.client), now=now) for ticket in found]
        )
    elif found:
        screen.table([_row(ticket, hours_of(ticket.client), now=now) for ticket in found])
    else:
        screen.line("No ticket is open: one opens by itself when a site is down or slow.")
    if cut:
        screen.hint(f"Only the first {MOST_ROWS} are listed.")
    return 0


def show(surroundings: Surroundings, arguments: Namespace) -> int:
    """Show one ticket with its evidence, its history and its messages."""
    settings = surroundings.load_settings()
    now = surroundings.clock.now()
    today = now.astimezone(settings.agency.zone).date()

    def read(tx: Session) -> tuple[TicketPage, WorkView, Sequence[AttachmentView]]:
        page = get_ticket_page(tx, arguments.reference)
        number = parse_reference(arguments.reference) or 0
        return page, list_work(tx, number, today=today), list_attachments(tx, number)

    with open_store(settings) as store:
        page, work, files = store.read(read)
    hours = calendars(settings, now, page.ticket.promise.respond_by)(page.ticket.client)
    if arguments.json:
        surroundings.screen.document(page_document(page, work, hours, files=files, now=now))
    else:
        write_page(surroundings.screen, page, work, hours, files=files, now=now)
    return 0


def _row(ticket: TicketView, hours: SupportHours, *, now: datetime) -> Sequence[Piece]:
    return [
        _time_left(ticket, hours, now=now),
        _promise(ticket.promise, now=now, zone=hours.zone),
        ticket.priority.value,
        mark_ticket(ticket),
        ticket.title,
        Toned(ticket.reference, Tone.STRONG),
        describe_status(ticket),
    ]


def _time_left(ticket: TicketView, hours: SupportHours, *, now: datetime) -> Piece:
    promise = ticket.promise
    if promise.is_answered or ticket.status is Status.CLOSED:
        return "–"
    left = describe_time_left(hours, now=now, respond_by=promise.respond_by)
    return Toned(left, Tone.BAD if promise.is_breached(now) else Tone.STRONG)


def _promise(promise: PromiseView, *, now: datetime, zone: ZoneInfo) -> Piece:
    if promise.answered_at is None:
        return f"respond by {format_short(promise.respond_by, now=now, zone=zone)}"
    kept = "promise kept" if promise.was_kept else "answered late"
    return f"{kept} {format_short(promise.answered_at, now=now, zone=zone)}"
