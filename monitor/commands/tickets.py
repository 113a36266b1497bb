"""``fettle tickets list`` and ``show``: tickets as text and as JSON."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.commands.marks import mark
from monitor.commands.promises import support_hours
from monitor.commands.screen import Piece, Screen, Tone, Toned
from monitor.commands.surroundings import Surroundings, open_store
from tickets import queries
from tickets.desk.phrases import DEEDS, OUTCOMES, SOURCES, mark_of
from tickets.queries import EntryView, MessageView, PromiseView, TicketPage, TicketView
from tickets.rules.evidence import Evidence
from tickets.rules.hours import SupportHours
from tickets.rules.ticket import Status
from tickets.rules.words import describe_time_left, format_instant, format_short

_INDENT = "  "


def list_all(surroundings: Surroundings, arguments: Namespace) -> int:
    """List the tickets with work outstanding, and the finished ones if asked."""
    settings = surroundings.load_settings()
    with open_store(settings) as store:
        found = list(store.read(queries.list_queue))
        cut = len(found) == queries.MOST_ROWS
        if arguments.all:
            finished = store.read(queries.list_finished)
            cut = cut or len(finished) == queries.MOST_ROWS
            found += finished
    now = surroundings.clock.now()
    hours = support_hours(settings, now, *(ticket.promise.respond_by for ticket in found))
    screen = surroundings.screen
    if arguments.json:
        screen.document([ticket_document(ticket, hours, now=now) for ticket in found])
    elif found:
        screen.table([_row(ticket, hours, now=now) for ticket in found])
    else:
        screen.line("No ticket is open: one opens by itself when a site is down or slow.")
    if cut:
        screen.hint(f"Only the first {queries.MOST_ROWS} are listed.")
    return 0


def show(surroundings: Surroundings, arguments: Namespace) -> int:
    """Show one ticket with its evidence, its history and its messages."""
    settings = surroundings.load_settings()
    with open_store(settings) as store:
        page = store.read(lambda tx: queries.get_ticket_page(tx, arguments.reference))
    now = surroundings.clock.now()
    hours = support_hours(settings, now, page.ticket.promise.respond_by)
    if arguments.json:
        surroundings.screen.document(page_document(page, hours, now=now))
    else:
        _show(surroundings.screen, page, hours, now=now)
    return 0


def ticket_document(ticket: TicketView, hours: SupportHours, *, now: datetime) -> dict[str, object]:
    """Return a ticket in JSON's types; instants carry the offset of the agency's zone."""
    zone, promise = hours.zone, ticket.promise
    is_waiting = not promise.is_answered and ticket.status is not Status.CLOSED
    return {
        "reference": ticket.reference,
        "title": ticket.title,
        "client": ticket.client,
        "client_name": ticket.client_name,
        "site": ticket.site,
        "site_name": ticket.site_name,
        "site_url": ticket.site_url,
        "priority": ticket.priority.value,
        "status": ticket.status.value,
        "category": ticket.category.value,
        "source": ticket.source.value,
        "outcome": None if ticket.outcome is None else ticket.outcome.value,
        "assignee": ticket.assignee,
        "opened_at": _iso(ticket.opened_at, zone),
        "respond_by": _iso(promise.respond_by, zone),
        "time_left": describe_time_left(hours, now=now, respond_by=promise.respond_by)
        if is_waiting
        else None,
        "is_late": promise.is_overdue(now) if is_waiting else not promise.was_kept,
        "answered_at": _iso(promise.answered_at, zone),
        "answered_by": promise.answered_by,
        "breached_at": _iso(promise.breached_at, zone),
        "update_by": _iso(ticket.update_by, zone),
        "recovered_at": _iso(ticket.recovered_at, zone),
        "resolved_at": _iso(ticket.resolved_at, zone),
        "closed_at": _iso(ticket.closed_at, zone),
        "version": ticket.version,
    }


def page_document(page: TicketPage, hours: SupportHours, *, now: datetime) -> dict[str, object]:
    """Return a ticket with all that belongs to it in JSON's types."""
    zone = hours.zone
    return {
        **ticket_document(page.ticket, hours, now=now),
        "evidence": page.evidence.document(),
        "history": [
            {
                "number": entry.number,
                "at": _iso(entry.at, zone),
                "actor": entry.actor,
                "action": entry.action.value,
                "text": entry.text,
                "is_visible": entry.is_visible,
            }
            for entry in page.entries
        ],
        "messages": [message_document(message, zone) for message in page.messages],
    }


def message_document(message: MessageView, zone: ZoneInfo) -> dict[str, object]:
    """Return a message in JSON's types; instants carry the offset of ``zone``."""
    return {
        "id": message.id,
        "ticket": message.reference,
        "notice": message.notice.value,
        "audience": message.audience.value,
        "name": message.name,
        "address": message.address,
        "state": message.state.value,
        "written_at": _iso(message.written_at, zone),
        "sent_at": _iso(message.sent_at, zone),
        "not_before": _iso(message.not_before, zone),
        "attempts": message.attempts,
        "last_failure": message.last_failure,
    }


def _iso(at: datetime | None, zone: ZoneInfo) -> str | None:
    return None if at is None else at.astimezone(zone).isoformat()


def _row(ticket: TicketView, hours: SupportHours, *, now: datetime) -> Sequence[Piece]:
    return [
        _time_left(ticket, hours, now=now),
        _promise(ticket.promise, now=now, zone=hours.zone),
        ticket.priority.value,
        _mark(ticket),
        f"{ticket.client_name}: {ticket.title}",
        Toned(ticket.reference, Tone.STRONG),
        _status(ticket),
    ]


def _time_left(ticket: TicketView, hours: SupportHours, *, now: datetime) -> Piece:
    promise = ticket.promise
    if promise.is_answered or ticket.status is Status.CLOSED:
        return "–"
    left = describe_time_left(hours, now=now, respond_by=promise.respond_by)
    return Toned(left, Tone.BAD if promise.is_overdue(now) else Tone.STRONG)


def _promise(promise: PromiseView, *, now: datetime, zone: ZoneInfo) -> Piece:
    if promise.answered_at is None:
        return f"respond by {format_short(promise.respond_by, now=now, zone=zone)}"
    kept = "promise kept" if promise.was_kept else "answered late"
    return f"{kept} {format_short(promise.answered_at, now=now, zone=zone)}"


def _mark(ticket: TicketView) -> Toned:
    found = mark_of(ticket)
    return mark(None if found.state is None else found.state.value, found.word)


def _status(ticket: TicketView) -> str:
    if ticket.outcome is not None:
        return f"{ticket.status.value}: {OUTCOMES[ticket.outcome]}"
    return f"{ticket.status.value}, {ticket.assignee}" if ticket.assignee else ticket.status.value


def _show(screen: Screen, page: TicketPage, hours: SupportHours, *, now: datetime) -> None:
    ticket, zone = page.ticket, hours.zone
    screen.line(Toned(f"{ticket.reference}  ", Tone.STRONG), Toned(ticket.title, Tone.STRONG))
    screen.line(_mark(ticket), f"  {ticket.priority.value}  {_status(ticket)}")
    screen.line(*_promise_line(ticket, hours, now=now))
    screen.line()
    screen.table(_facts(ticket, zone))
    _show_evidence(screen, page.evidence)
    screen.line()
    screen.line("History")
    for entry in page.entries:
        _show_entry(screen, entry, zone)
    if page.messages:
        screen.line()
        screen.line("Messages")
        screen.table([["", *message_row(message, zone)] for message in page.messages])


def _promise_line(ticket: TicketView, hours: SupportHours, *, now: datetime) -> Sequence[Piece]:
    promise, zone = ticket.promise, hours.zone
    respond_by = format_instant(promise.respond_by, zone)
    if promise.answered_at is not None:
        kept = "Promise kept" if promise.was_kept else "Answered late"
        at = format_instant(promise.answered_at, zone)
        return [f"{kept}: answered {at} by {promise.answered_by}, promised by {respond_by}"]
    if ticket.status is Status.CLOSED:
        return [f"Closed without an answer, promised by {respond_by}"]
    left = describe_time_left(hours, now=now, respond_by=promise.respond_by)
    if promise.is_overdue(now):
        return [Toned(left, Tone.BAD), f", respond by was {respond_by}"]
    return [Toned(f"{left} left", Tone.STRONG), f", respond by {respond_by}"]


def _facts(ticket: TicketView, zone: ZoneInfo) -> Sequence[Sequence[Piece]]:
    opened = f"{format_instant(ticket.opened_at, zone)} by {SOURCES[ticket.source]}"
    rows: list[Sequence[Piece]] = [["client", f"{ticket.client_name} ({ticket.client})"]]
    if ticket.site is not None:
        rows.append(["site", f"{ticket.site_name} ({ticket.site})  {ticket.site_url}"])
    rows.append(["opened", opened])
    for label, at in (
        ("next word by", ticket.update_by),
        ("recovered", ticket.recovered_at),
        ("resolved", ticket.resolved_at),
        ("closed", ticket.closed_at),
    ):
        if at is not None:
            rows.append([label, format_instant(at, zone)])
    return rows


def _show_evidence(screen: Screen, evidence: Evidence) -> None:
    if not evidence.lines:
        return
    has_before = any(line.before for line in evidence.lines)
    screen.line()
    screen.line("What the probe saw" + (", and when it last worked" if has_before else ""))
    screen.table([["", line.label, line.now, line.before] for line in evidence.lines])
    if evidence.excerpt:
        screen.text(evidence.excerpt, indent=_INDENT * 2)


def _show_entry(screen: Screen, entry: EntryView, zone: ZoneInfo) -> None:
    inside = "" if entry.is_visible else "  (staff only)"
    at = format_instant(entry.at, zone)
    screen.line(_INDENT, Toned(at, Tone.QUIET), f"  {entry.actor} {DEEDS[entry.action]}{inside}")
    if entry.text:
        screen.text(entry.text, indent=_INDENT * 3)


def message_row(message: MessageView, zone: ZoneInfo) -> Sequence[Piece]:
    """Return the cells of a message: its state, notice, addressee, instant and last failure."""
    at = message.sent_at or message.written_at
    return [
        message.state.value,
        message.notice.value,
        f"{message.name} <{message.address}>",
        format_instant(at, zone),
        "" if message.sent_at is not None else message.last_failure or "",
    ]
