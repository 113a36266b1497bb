"""What people do to a ticket by form: acknowledge, reply, note, resolve, close, reopen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tickets import actions
from tickets.accounts import SignedIn
from tickets.actions import MAX_TEXT
from tickets.desk.answers import Desk, remember, see_other
from tickets.desk.forms import FieldFault, check_texts, read_form
from tickets.desk.sessions import (
    address_of,
    find_reader,
    refuse_foreign,
    refuse_wrong_form,
)
from tickets.desk.sign_in import session_ended
from tickets.desk.ticket_page import Draft, find_action, ticket_page
from tickets.errors import Conflict, Refused
from tickets.history import Actor
from tickets.policy import Policy
from tickets.rules.hours import OutOfReach
from tickets.rules.staff import may_act
from tickets.rules.ticket import Action, Outcome, parse_reference, reference
from tickets.store import Session

_log = structlog.stdlib.get_logger()

_TEXTS: Mapping[Action, Mapping[str, str]] = {
    Action.ACKNOWLEDGE: {},
    Action.REPLY: {"text": "what the client should know"},
    Action.NOTE: {"text": "the note"},
    Action.RESOLVE: {"cause": "what the cause was", "done": "what was done"},
    Action.CLOSE: {},
    Action.REOPEN: {"reason": "why the ticket is taken up again"},
}
"""Which texts the form of each action must hold, and what to write there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A form that was read: who does what to which ticket, as read at which version."""

    policy: Policy
    ref: str
    action: Action
    fields: Mapping[str, str]
    actor: Actor
    at: datetime
    version: int

    def carry_out(self, tx: Session) -> None:
        """Do it in the write transaction ``tx``."""
        _DEEDS[self.action](tx, self)


def _acknowledge(tx: Session, order: Order) -> None:
    actions.acknowledge(
        tx, order.policy, order.ref, actor=order.actor, at=order.at, version=order.version
    )


def _reply(tx: Session, order: Order) -> None:
    actions.reply(
        tx,
        order.policy,
        order.ref,
        text=order.fields["text"],
        actor=order.actor,
        at=order.at,
        version=order.version,
    )


def _note(tx: Session, order: Order) -> None:
    actions.note(
        tx,
        order.ref,
        text=order.fields["text"],
        actor=order.actor,
        at=order.at,
        version=order.version,
    )


def _resolve(tx: Session, order: Order) -> None:
    actions.resolve(
        tx,
        order.policy,
        order.ref,
        cause=order.fields["cause"],
        done=order.fields["done"],
        actor=order.actor,
        at=order.at,
        version=order.version,
    )


def _close(tx: Session, order: Order) -> None:
    actions.close(
        tx,
        order.ref,
        outcome=Outcome(order.fields["outcome"]),
        reason=order.fields.get("reason", ""),
        actor=order.actor,
        at=order.at,
        version=order.version,
    )


def _reopen(tx: Session, order: Order) -> None:
    actions.reopen(
        tx,
        order.policy,
        order.ref,
        reason=order.fields["reason"],
        actor=order.actor,
        at=order.at,
        version=order.version,
    )


_DEEDS: Mapping[Action, Callable[[Session, Order], None]] = {
    Action.ACKNOWLEDGE: _acknowledge,
    Action.REPLY: _reply,
    Action.NOTE: _note,
    Action.RESOLVE: _resolve,
    Action.CLOSE: _close,
    Action.REOPEN: _reopen,
}


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
    _refuse_viewer(request, me)
    version = _version(fields)
    faults = _faults(action, fields)
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
        await desk.context.store.awrite(order.carry_out)
    except Conflict as conflict:
        draft = Draft(action=action, fields=fields, problem=str(conflict), seen_version=version)
        return await ticket_page(desk, me, ref, draft=draft, status=409)
    except (Refused, OutOfReach) as refusal:
        draft = Draft(action=action, fields=fields, problem=str(refusal))
        return await ticket_page(desk, me, ref, draft=draft, status=422)
    return see_other(f"/tickets/{_tidy(ref)}?done")


def _refuse_viewer(request: Request, me: SignedIn) -> None:
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


def _version(fields: Mapping[str, str]) -> int | None:
    text = fields.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _faults(action: Action, fields: Mapping[str, str]) -> Sequence[FieldFault]:
    faults = list(check_texts(fields, _TEXTS[action], most=MAX_TEXT))
    if action is Action.CLOSE and fields.get("outcome") not in {one.value for one in Outcome}:
        faults.append(FieldFault("outcome", "Choose how it ended"))
    return faults


def _tidy(ref: str) -> str:
    number = parse_reference(ref)
    return reference(number) if number is not None else ""
