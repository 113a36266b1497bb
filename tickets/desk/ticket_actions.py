"""What people do to a ticket by form: who may, what is missing, and the way back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tickets.accounts import SignedIn
from tickets.attachments import accept
from tickets.desk.answers import Desk, remember, see_other
from tickets.desk.orders import WITH_FILES, Order, faults_of
from tickets.desk.sessions import (
    find_reader,
    refuse_foreign,
    refuse_wrong_form,
)
from tickets.desk.sign_in import session_ended
from tickets.desk.ticket_page import Draft, find_action, ticket_page
from tickets.errors import Conflict, NotFound, Refused
from tickets.history import ActionRefused, Actor
from tickets.pages.forms import FieldFault, read_form, read_number
from tickets.pages.origin import address_of
from tickets.pages.uploads import SentForm
from tickets.refusals import aattempt
from tickets.rules.attachment import CheckedFile
from tickets.rules.hours import OutOfReach
from tickets.rules.staff import may_act
from tickets.rules.ticket import Action, parse_reference, reference

_log = structlog.stdlib.get_logger()


async def act(desk: Desk, request: Request) -> Response:
    """Take the form of an action, and answer with the way back to the ticket or with its form.

    The form comes back with every word in it: 409 if the ticket has changed since it was read, 422
    if something is missing, 401 if the session has ended.
    """
    refuse_foreign(desk, request)
    action = find_action(request.path_params["action"])
    if action is None:
        raise HTTPException(404)
    if action not in WITH_FILES:
        return await _act(desk, request, action, SentForm(await read_form(request)))
    async with desk.uploads.read(request) as form:
        return await _act(desk, request, action, form)


async def _act(desk: Desk, request: Request, action: Action, form: SentForm) -> Response:
    ref, fields = request.path_params["ref"], form.fields
    remember(request, fields=fields)
    me = await find_reader(desk, request)
    if me is None:
        return session_ended(desk, ref=ref, action=action, fields=fields)
    refuse_wrong_form(me, fields)
    refuse_viewer(request, me)
    version = read_number(fields.get("version", ""))
    file_faults, files = await _checked_files(form)
    faults = [*faults_of(action, fields), *file_faults]
    draft = Draft(action=action, fields=fields, faults=faults, had_files=form.had_files)
    if version is None or faults:
        problem = "" if faults else "The form was not complete: look at it and send it again."
        draft = replace(draft, problem=problem)
        return await ticket_page(desk, me, ref, draft=draft, status=422)
    order = Order(
        policy=desk.context.policy,
        ref=ref,
        action=action,
        fields=fields,
        actor=Actor(me.staff.name, staff_id=me.staff.id, address=me.staff.email),
        at=desk.context.clock.now(),
        version=version,
        files=files,
    )
    try:
        await aattempt(desk.context.store, order.carry_out, at=order.at)
    except ActionRefused as refused:
        draft = replace(draft, problem=str(refused))
        return await ticket_page(desk, me, ref, draft=draft, status=409)
    except Conflict as conflict:
        draft = replace(draft, problem=str(conflict), seen_version=version)
        return await ticket_page(desk, me, ref, draft=draft, status=409)
    except (Refused, OutOfReach, NotFound) as refusal:
        # Not found may be the other ticket that the form names; the page finds out.
        draft = replace(draft, problem=str(refusal))
        return await ticket_page(desk, me, ref, draft=draft, status=422)
    return see_other(f"/tickets/{_tidy(ref)}?done")


async def _checked_files(
    form: SentForm,
) -> tuple[Sequence[FieldFault], Sequence[CheckedFile]]:
    """Return what is wrong with the files of a form, and the files if nothing is."""
    if form.fault:
        return [FieldFault("files", form.fault)], ()
    try:
        return (), await asyncio.to_thread(accept, form.files)
    except Refused as refused:
        sentence = str(refused)
        return [FieldFault("files", f"{sentence[:1].upper()}{sentence[1:]}")], ()


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
