"""Tickets and messages in JSON's types, as every ``--json`` of ``fettle tickets`` prints them.

Instants are ISO 8601 with the offset of the agency's zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tickets.attachments import AttachmentView
from tickets.queries.views import MessageView, TicketPage, TicketView
from tickets.rules.hours import SupportHours
from tickets.rules.ticket import Status
from tickets.rules.words import describe_time_left
from tickets.work import WorkView


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
        "requester_name": ticket.requester_name,
        "requester_address": ticket.requester_address,
        "next_steps": ticket.next_steps,
        "estimate": ticket.estimate,
        "merged_into": ticket.merged_into,
        "opened_at": iso(ticket.opened_at, zone),
        "respond_by": iso(promise.respond_by, zone),
        "time_left": describe_time_left(hours, now=now, respond_by=promise.respond_by)
        if is_waiting
        else None,
        "is_late": promise.is_breached(now) if is_waiting else not promise.was_kept,
        "answered_at": iso(promise.answered_at, zone),
        "answered_by": promise.answered_by,
        "breached_at": iso(promise.breached_at, zone),
        "update_by": iso(ticket.update_by, zone),
        "resume_at": iso(ticket.resume_at, zone),
        "recovered_at": iso(ticket.recovered_at, zone),
        "resolved_at": iso(ticket.resolved_at, zone),
        "closed_at": iso(ticket.closed_at, zone),
        "version": ticket.version,
    }


def page_document(
    page: TicketPage,
    work: WorkView,
    hours: SupportHours,
    *,
    files: Sequence[AttachmentView],
    now: datetime,
) -> dict[str, object]:
    """Return a ticket with all that belongs to it in JSON's types."""
    zone = hours.zone
    return {
        **ticket_document(page.ticket, hours, now=now),
        "evidence": page.evidence.document(),
        "history": [
            {
                "number": entry.number,
                "at": iso(entry.at, zone),
                "actor": entry.actor,
                "action": entry.action.value,
                "text": entry.text,
                "is_visible": entry.is_visible,
            }
            for entry in page.entries
        ],
        "files": [
            {
                "entry": file.entry_number,
                "name": file.name,
                "media_type": file.media_type,
                "size_bytes": file.size_bytes,
            }
            for file in files
        ],
        "links": [
            {"reference": one.reference, "kind": one.kind.value, "is_survivor": one.is_survivor}
            for one in work.links
        ],
        "time_spent": [
            {
                "worked_on": one.worked_on.isoformat(),
                "minutes": one.spent // timedelta(minutes=1),
                "by": one.actor,
                "text": one.text,
                "is_counted": one.is_counted,
            }
            for one in work.times
        ],
        "refused": [
            {
                "at": iso(one.at, zone),
                "action": one.action.value,
                "by": one.actor,
                "reason": one.reason,
            }
            for one in work.refusals
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
        "written_at": iso(message.written_at, zone),
        "sent_at": iso(message.sent_at, zone),
        "not_before": iso(message.not_before, zone),
        "attempts": message.attempts,
        "last_failure": message.last_failure,
        "goes_with": message.carrier_id,
        "held_for": None if message.held_for is None else message.held_for.value,
        "interventions": [
            {"what": each.what.value, "at": iso(each.at, zone), "by": each.actor}
            for each in message.interventions
        ],
    }


def iso(at: datetime | None, zone: ZoneInfo) -> str | None:
    """Return an aware instant with the offset of ``zone``."""
    return None if at is None else at.astimezone(zone).isoformat()
