"""What people do to a ticket by form: who may, what is missing, and the way back."""

from __future__ import annotations

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tickets.accounts import SignedIn
from tickets.desk.answers import Desk, remember, see_other
from tickets.desk.orders import Order, faults_of
from tickets.desk.sessions import (
    find_reader,
    refuse_foreign,
    refuse_wrong_form,
)
from tickets.desk.sign_in import session_ended
from tickets.desk.ticket_page import Draft, find_action, ticket_page
from tickets.errors import Conflict, NotFound, Refused
from tickets.history import ActionRefused, Actor
from tickets.pages.forms import read_form, read_number
from tickets.pages.origin import address_of
from tickets.refusals import aattempt
from tickets.rules.hours import OutOfReach
from tickets.rules.staff import may_act
from tickets.rules.ticket import parse_reference, reference

_log = structlog.stdlib.get_logger()


async def act(desk: Desk, request: Request) -> Response:
    """Take the form of an action, and answer with the way back to the ticket or with its form.

    The form comes back with every word in it: 409 if the ticket has changed since it was read, 422
    if something is missing, 401 if the session has ended.
    """
    refuse_foreign(desk, request)
    ref, action = request.path_params["ref"], find_action(request.path_params["action"])
    if action is None:
        raise HTTPException(404)
    fields = await read_form(request)
    remember(request, fields=fields)
    me = await find_reader(desk, request)
    if me is None:
        return session_ended(desk, ref=ref, action=action, fields=fields)
    refuse_wrong_form(me, fields)
    refuse_viewer(request, me)
    version = read_number(fields.get("version", ""))
    faults = faults_of(action, fields)
    if version is None or faults:
        problem = "" if faults else "The form was not complete: look at it and send it again."
        draft = Draft(action=action, fields=fields, faults=faults, problem=problem)
        return await ticket_page(desk, me, ref, draft=draft, status=422)
    order = Order(
        policy=desk.context.policy,
        ref=ref,
        action=action,
        fields=fields,
        actor=Actor(me.staff.name, staff_id=me.staff.id, address=me.staff.email),
        at=desk.context.clock.now(),
        version=version,
    )
    try:
        await aattempt(desk.context.store, order.carry_out, at=order.at)
    except ActionRefused as refused:
        draft = Draft(action=action, fields=fields, problem=str(refused))
        return await ticket_page(desk, me, ref, draft=draft, status=409)
    except Conflict as conflict:
        draft = Draft(action=action, fields=fields, problem=str(conflict), seen_version=version)
        return await ticket_page(desk, me, ref, draft=draft, status=409)
    except (Refused, OutOfReach, NotFound) as refusal:
        # Not found may be the other ticket that the form names; the page finds out.
        draft = Draft(action=action, fields=fields, problem=str(refusal))
        return await ticket_page(desk, me, ref, draft=draft, status=422)
    return see_other(f"/tickets/{_tidy(ref)}?done")


def refuse_viewer(request: Request, me: SignedIn) -> None:
    """Raise ``HTTPException`` 403 for somebody who may only read."""
    if may_act(me.staff.role):
        return
    _log.warning(
        "desk.action_refused",
        staff=me.staff.email,
        role=me.staff.role.value,
        address=address_of(request),
    )
    raise HTTPException(
        403, "Your account may read tickets but not change them, so nothing was done."
    )


def _tidy(ref: str) -> str:
    number = parse_reference(ref)
    return reference(number) if number is not None else ""
