"""One ticket: its promise and why, the evidence, the history, and the form of one action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from starlette.requests import Request
from starlette.responses import Response

from tickets.accounts import SignedIn, Staff, list_staff
from tickets.actions import needs_outlook
from tickets.attachments import AttachmentView, list_attachments
from tickets.desk.answers import KEPT_FIELDS, Desk
from tickets.desk.context import read_page
from tickets.desk.orders import WITH_FILES
from tickets.desk.phrases import (
    BUTTONS,
    mark_of,
    next_action,
    offered_actions,
    offered_outcomes,
)
from tickets.desk.queue import urgency_of
from tickets.pages.forms import FieldFault
from tickets.policy import Policy
from tickets.queries.tickets import get_ticket_page
from tickets.queries.views import EntryView, MessageView, TicketPage, TicketView
from tickets.rules.attachment import ACCEPT, ALLOWED, LIMITS
from tickets.rules.hours import OutOfReach
from tickets.rules.promise import Deadline, read_derivation
from tickets.rules.staff import may_act
from tickets.rules.ticket import Action, Status, is_allowed, parse_reference
from tickets.rules.words import format_month
from tickets.store import Session
from tickets.texts import MAX_TEXT
from tickets.waiting import resume_limits
from tickets.work import WorkView, list_work

_JUST_NOW = timedelta(minutes=5)


class Voice(StrEnum):
    """Who speaks in a line of the history."""

    SYSTEM = "system"
    CLIENT = "client"
    STAFF = "staff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What somebody has typed into the form of ``action``, and what was wrong with it.

    ``seen_version`` is the version that they had read, if the ticket has changed since. Files that
    had been chosen are to be chosen again.
    """

    action: Action | None = None
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    faults: Sequence[FieldFault] = ()
    problem: str = ""
    seen_version: int | None = None
    had_files: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the history: who speaks, whether it is new to the reader, what was mailed."""

    entry: EntryView
    voice: Voice
    is_new: bool
    begins_day: bool
    messages: Sequence[MessageView]
    files: Sequence[AttachmentView] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One line of "why?": time that counted and the total by its end, or a day that did not."""

    on: date
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    total: timedelta | None = None
    skipped_for: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the forms of a ticket offer: who may have it, and between which dates it may wait."""

    staff: Sequence[Staff]
    today: date
    first_resume: date
    last_resume: date


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowanceUse:
    """How much of the client's allowance is used this month; without one only the time."""

    month: str
    spent: timedelta
    per_month: timedelta | None
    share: int | None


_VOICES = {
    Action.REPLY: Voice.CLIENT,
    Action.RESOLVE: Voice.CLIENT,
    Action.WAIT: Voice.CLIENT,
    Action.CLIENT_REPLY: Voice.CLIENT,
    Action.NOTE: Voice.STAFF,
    Action.CLOSE: Voice.STAFF,
    Action.PRIORITY: Voice.STAFF,
    Action.LOG_TIME: Voice.STAFF,
    Action.REVOKE_LINKS: Voice.STAFF,
}


async def show_ticket(desk: Desk, request: Request, me: SignedIn) -> Response:
    """Show a ticket; ``?do=reply`` opens the form of that action."""
    action = find_action(request.query_params.get("do", ""))
    return await ticket_page(
        desk,
        me,
        request.path_params["ref"],
        draft=Draft(action=action),
        is_done="done" in request.query_params,
    )


async def ticket_page(
    desk: Desk,
    me: SignedIn,
    ref: str,
    *,
    draft: Draft = Draft(),
    status: int = 200,
    is_done: bool = False,
) -> Response:
    """Return the page of ticket ``ref`` with ``draft`` in its form; raises ``NotFound``.

    ``is_done`` asks for a word of confirmation, which is given if the newest entry is the reader's.
    """
    context = desk.context
    now = context.clock.now()
    today = now.astimezone(context.policy.zone).date()

    def read(
        tx: Session,
    ) -> tuple[TicketPage, WorkView, Sequence[Staff], Sequence[AttachmentView]]:
        page = get_ticket_page(tx, ref)
        number = parse_reference(ref) or 0
        work = list_work(tx, number, today=today)
        return page, work, list_staff(tx), list_attachments(tx, number)

    frame, (page, work, staff, files) = await read_page(context, me, read)
    ticket = page.ticket
    action = draft.action
    may_open = frame.may_act and action is not None and is_allowed(action, ticket.status)
    return desk.page(
        "ticket.html",
        frame=frame,
        status=status,
        ticket=ticket,
        evidence=page.evidence,
        mark=mark_of(ticket),
        offered=offered_actions(ticket) if frame.may_act else [],
        next_action=next_action(ticket),
        work=work,
        use=_allowance_use(context.policy, ticket, work, today),
        offer=_offer(context.policy, ticket, staff, now),
        needs_outlook=needs_outlook(ticket.priority, is_answered=ticket.promise.is_answered),
        kept=[
            (name, label, draft.fields[name])
            for name, label in KEPT_FIELDS.items()
            if draft.fields.get(name)
        ],
        outcomes=offered_outcomes(ticket),
        form_action=action if may_open else None,
        draft=draft,
        faults={fault.field: fault.message for fault in draft.faults},
        most=MAX_TEXT,
        takes_files=action in WITH_FILES,
        accept=ACCEPT,
        files_hint=f"{LIMITS[0].upper()}{LIMITS[1:]}: {ALLOWED}.",
        urgency=urgency_of(context.policy, ticket, now=now),
        promise_title=_promise_title(ticket),
        because=_because(ticket),
        reasons=_reasons(ticket),
        lines=_lines(desk, page, draft, files),
        done=_confirmation(page, me, now) if is_done else None,
    )


def _allowance_use(policy: Policy, ticket: TicketView, work: WorkView, today: date) -> AllowanceUse:
    profile = policy.clients.get(ticket.client)
    allowance = profile.allowance if profile else None
    return AllowanceUse(
        month=format_month(today),
        spent=work.month,
        per_month=allowance.per_month if allowance else None,
        share=allowance.share(work.month) if allowance else None,
    )


def _offer(policy: Policy, ticket: TicketView, staff: Sequence[Staff], now: datetime) -> Offer:
    try:
        today, last = resume_limits(policy.hours_of(ticket.client), now=now)
    except OutOfReach:
        today = last = now.astimezone(policy.zone).date()
    return Offer(
        staff=[one for one in staff if not one.is_disabled and may_act(one.role)],
        today=today,
        first_resume=min(today + timedelta(days=1), last),
        last_resume=last,
    )


def find_action(text: str) -> Action | None:
    """Return the action of the desk that ``text`` names, if it names one."""
    return next((action for action in BUTTONS if action.value == text), None)


def _promise_title(ticket: TicketView) -> str:
    """Return how the promise ended; empty while it stands."""
    promise = ticket.promise
    if promise.was_kept:
        return "Promise kept"
    if promise.is_answered:
        return "Answered late"
    return "Not answered" if ticket.status is Status.CLOSED else ""


def _because(ticket: TicketView) -> Deadline | None:
    try:
        return read_derivation(ticket.promise.derivation)
    except ValueError:
        return None  # written by an older version; the deadline itself stands


def _reasons(ticket: TicketView) -> Sequence[Reason]:
    deadline = _because(ticket)
    if deadline is None:
        return []
    counted = [
        Reason(on=one.on, starts_at=one.starts_at, ends_at=one.ends_at, total=one.total)
        for one in deadline.counted
    ]
    skipped = [Reason(on=day.on, skipped_for=day.why) for day in deadline.skipped]
    return sorted([*counted, *skipped], key=lambda reason: reason.on)


def _lines(
    desk: Desk, page: TicketPage, draft: Draft, files: Sequence[AttachmentView]
) -> Sequence[Line]:
    zone = desk.context.policy.zone
    lines: list[Line] = []
    day: date | None = None
    for entry in page.entries:
        on = entry.at.astimezone(zone).date()
        lines.append(
            Line(
                entry=entry,
                voice=_VOICES.get(entry.action, Voice.SYSTEM) if entry.text else Voice.SYSTEM,
                is_new=draft.seen_version is not None and entry.number > draft.seen_version,
                begins_day=on != day,
                messages=[one for one in page.messages if one.entry_number == entry.number],
                files=[one for one in files if one.entry_number == entry.number],
            )
        )
        day = on
    return lines


def _confirmation(page: TicketPage, me: SignedIn, now: datetime) -> Line | None:
    """Return the newest entry if the reader has just made it: an old link confirms nothing."""
    newest = page.entries[-1]
    if newest.actor != me.staff.name or now - newest.at > _JUST_NOW:
        return None
    return Line(
        entry=newest,
        voice=Voice.SYSTEM,
        is_new=False,
        begins_day=False,
        messages=[one for one in page.messages if one.entry_number == newest.number],
    )
