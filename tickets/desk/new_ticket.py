"""A new ticket on behalf of a client: what somebody asked by telephone or by mail."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tickets.accounts import SignedIn
from tickets.desk.answers import Desk, remember, see_other
from tickets.desk.context import read_page
from tickets.desk.phrases import category_choices
from tickets.desk.sessions import find_reader, refuse_foreign, refuse_wrong_form
from tickets.desk.ticket_actions import refuse_viewer
from tickets.errors import Refused
from tickets.history import Actor
from tickets.opening import NewRequest, Requester, open_request
from tickets.pages.forms import FieldFault, check_texts, read_form
from tickets.policy import Policy
from tickets.rules.hours import OutOfReach
from tickets.rules.promise import deadline
from tickets.rules.ticket import PEOPLE_CATEGORIES, Category, Priority, Source, reference
from tickets.store import Session
from tickets.texts import MAX_TEXT, MAX_TITLE

_CHOICES = {
    "priority": (tuple(Priority), "Choose the priority"),
    "category": (PEOPLE_CATEGORIES, "Choose what it is about"),
}


@dataclass(frozen=True, slots=True)
class PriorityOffer:
    """A priority and the agency's deadline for it if the ticket is opened now."""

    priority: Priority
    respond_by: datetime | None


async def show_new_ticket(desk: Desk, request: Request, me: SignedIn) -> Response:
    """Show the empty form; ``?client=harbour`` chooses the client."""
    refuse_viewer(request, me)
    return await _form(desk, me, fields={"client": request.query_params.get("client", "")})


async def open_new_ticket(desk: Desk, request: Request) -> Response:
    """Take the form: open the ticket once, however often it is sent, and lead to it."""
    refuse_foreign(desk, request)
    fields = await read_form(request)
    remember(request, fields=fields)
    me = await find_reader(desk, request)
    if me is None:
        raise HTTPException(
            401,
            "Your session has ended, so no ticket was opened. Your words stand below: keep them, "
            "sign in, and send them again.",
        )
    refuse_wrong_form(me, fields)
    refuse_viewer(request, me)
    faults = _faults(desk.context.policy, fields)
    if faults:
        return await _form(desk, me, fields=fields, faults=faults, status=422)
    actor = Actor(me.staff.name, staff_id=me.staff.id, address=me.staff.email)
    new, at = _request(fields, me), desk.context.clock.now()
    try:
        ticket = await desk.context.store.awrite(
            partial(open_request, policy=desk.context.policy, new=new, actor=actor, at=at)
        )
    except (Refused, OutOfReach) as refusal:
        return await _form(desk, me, fields=fields, problem=str(refusal), status=422)
    return see_other(f"/tickets/{reference(ticket.id or 0)}?done")


async def _form(
    desk: Desk,
    me: SignedIn,
    *,
    fields: Mapping[str, str],
    faults: Sequence[FieldFault] = (),
    problem: str = "",
    status: int = 200,
) -> Response:
    context = desk.context

    def nothing(_tx: Session) -> None:
        return None

    frame, _ = await read_page(context, me, nothing)
    return desk.page(
        "new_ticket.html",
        frame=frame,
        status=status,
        fields=fields,
        faults={fault.field: fault.message for fault in faults},
        problem=problem,
        key=fields.get("key") or secrets.token_urlsafe(16),
        clients=sorted(context.policy.clients.items(), key=lambda item: item[1].name.casefold()),
        categories=category_choices(),
        offers=_offers(context.policy, now=context.clock.now()),
        most_title=MAX_TITLE,
    )


def _offers(policy: Policy, *, now: datetime) -> Sequence[PriorityOffer]:
    offers: list[PriorityOffer] = []
    for priority in Priority:
        try:
            respond_by = deadline(policy.hours, policy.targets[priority], now).respond_by
        except OutOfReach:
            respond_by = None
        offers.append(PriorityOffer(priority, respond_by))
    return offers


def _faults(policy: Policy, fields: Mapping[str, str]) -> Sequence[FieldFault]:
    faults: list[FieldFault] = []
    if fields.get("client", "") not in policy.clients:
        faults.append(FieldFault("client", "Choose the client"))
    wanted = {"title": "in a few words what is asked", "text": "what is asked"}
    faults += check_texts(fields, wanted, most=MAX_TEXT)
    for name, (choices, sentence) in _CHOICES.items():
        if fields.get(name) not in {choice.value for choice in choices}:
            faults.append(FieldFault(name, sentence))
    if fields.get("requester_name", "").strip() and not fields.get("requester_address", "").strip():
        faults.append(FieldFault("requester_address", "Give the address to which answers go"))
    return faults


def _request(fields: Mapping[str, str], me: SignedIn) -> NewRequest:
    address = fields.get("requester_address", "").strip()
    key = fields.get("key", "").strip()
    return NewRequest(
        client=fields["client"],
        site=fields.get("site") or None,
        priority=Priority(fields["priority"]),
        category=Category(fields["category"]),
        title=fields["title"],
        text=fields["text"],
        requester=Requester(fields.get("requester_name", ""), address) if address else None,
        source=Source.STAFF,
        # A key is good for one person's form: nobody can take up another's.
        key=f"desk:{me.staff.id}:{key}" if key else None,
    )
