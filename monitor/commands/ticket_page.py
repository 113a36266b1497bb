"""One ticket as text: its promise, what the probe saw, its history and its messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.commands.marks import mark
from monitor.commands.screen import Piece, Screen, Tone, Toned
from tickets.attachments import AttachmentView
from tickets.desk.phrases import DEEDS, OUTCOMES, SOURCES, mark_of
from tickets.queries.views import EntryView, MessageView, TicketPage, TicketView
from tickets.rules.evidence import Evidence
from tickets.rules.hours import SupportHours
from tickets.rules.ticket import Status
from tickets.rules.words import describe_time_left, format_date, format_hours, format_instant
from tickets.work import WorkView

_INDENT = "  "


def write_page(
    screen: Screen,
    page: TicketPage,
    work: WorkView,
    hours: SupportHours,
    *,
    files: Sequence[AttachmentView],
    now: datetime,
) -> None:
    """Write a ticket with all that belongs to it."""
    ticket, zone = page.ticket, hours.zone
    screen.line(Toned(f"{ticket.reference}  ", Tone.STRONG), Toned(ticket.title, Tone.STRONG))
    screen.line(mark_ticket(ticket), f"  {ticket.priority.value}  {describe_status(ticket)}")
    screen.line(*_promise_line(ticket, hours, now=now))
    screen.line()
    screen.table(_facts(ticket, zone))
    _show_evidence(screen, page.evidence, zone)
    _show_work(screen, work)
    screen.line()
    screen.line("History")
    for entry in page.entries:
        _show_entry(screen, entry, zone)
        for file in files:
            if file.entry_number == entry.number:
                screen.line(_INDENT * 3, f"file: {file.name}  {file.size_bytes} bytes")
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
    if promise.is_breached(now):
        return [Toned(left, Tone.BAD), f", respond by was {respond_by}"]
    return [Toned(f"{left} left", Tone.STRONG), f", respond by {respond_by}"]


def _facts(ticket: TicketView, zone: ZoneInfo) -> Sequence[Sequence[Piece]]:
    opened = f"{format_instant(ticket.opened_at, zone)} by {SOURCES[ticket.source]}"
    rows: list[Sequence[Piece]] = [["client", f"{ticket.client_name} ({ticket.client})"]]
    if ticket.site is not None:
        rows.append(["site", f"{ticket.site_name} ({ticket.site})  {ticket.site_url}"])
    rows.append(["opened", opened])
    for label, text in (
        ("asked by", _requester(ticket)),
        ("with", ticket.assignee),
        ("next steps", ticket.next_steps),
        ("estimate", ticket.estimate),
        ("goes on as", ticket.merged_into),
    ):
        if text:
            rows.append([label, text])
    for label, at in (
        ("next word by", ticket.update_by),
        ("waiting until", ticket.resume_at),
        ("recovered", ticket.recovered_at),
        ("resolved", ticket.resolved_at),
        ("closed", ticket.closed_at),
    ):
        if at is not None:
            rows.append([label, format_instant(at, zone)])
    return rows


def _requester(ticket: TicketView) -> str:
    if not ticket.requester_address:
        return ""
    return f"{ticket.requester_name} <{ticket.requester_address}>"


def _show_work(screen: Screen, work: WorkView) -> None:
    if work.links:
        screen.line()
        screen.line("Belongs with")
        screen.table(
            [["", Toned(one.reference, Tone.STRONG), one.title, one.kind] for one in work.links]
        )
    if work.times:
        screen.line()
        screen.line(f"Time spent: {format_hours(work.spent)}")
        screen.table(
            [
                ["", format_date(one.worked_on), format_hours(one.spent), one.actor, one.text]
                for one in work.times
            ]
        )


def _show_evidence(screen: Screen, evidence: Evidence, zone: ZoneInfo) -> None:
    if not evidence.lines:
        return
    screen.line()
    screen.line("What the probe saw")
    head: list[Piece] = ["", "", Toned(_seen(evidence.seen, zone), Tone.QUIET)]
    if any(line.before for line in evidence.lines):
        last_good = f"when it last worked, {_seen(evidence.last_good, zone)}".removesuffix(", ")
        head.append(Toned(last_good, Tone.QUIET))
    screen.table([head, *(["", line.label, line.now, line.before] for line in evidence.lines)])
    if evidence.excerpt:
        screen.text(evidence.excerpt, indent=_INDENT * 2)


def _seen(at: str, zone: ZoneInfo) -> str:
    """Return an instant of the evidence in words; nothing where it is unknown."""
    return format_instant(datetime.fromisoformat(at), zone) if at else ""


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


def mark_ticket(ticket: TicketView) -> Toned:
    """Return what a ticket is about: how its site stood or stands, else its category."""
    found = mark_of(ticket)
    return mark(None if found.state is None else found.state.value, found.word)


def describe_status(ticket: TicketView) -> str:
    """Return a ticket's status with its outcome or who has it."""
    if ticket.outcome is not None:
        return f"{ticket.status.value}: {OUTCOMES[ticket.outcome]}"
    return f"{ticket.status.value}, {ticket.assignee}" if ticket.assignee else ticket.status.value
