"""The outbox: what was mailed to whom, what waits and why, and what staff do to it by hand."""

from __future__ import annotations

from functools import partial

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tickets.accounts import SignedIn
from tickets.desk.answers import Desk, remember, see_other
from tickets.desk.clients_page import find_clients
from tickets.desk.context import read_page
from tickets.desk.sessions import find_reader, refuse_foreign, refuse_wrong_form
from tickets.desk.ticket_actions import refuse_viewer
from tickets.errors import Conflict
from tickets.history import Actor
from tickets.interventions import cancel, requeue
from tickets.pages.forms import read_form
from tickets.queries import MOST_ROWS
from tickets.queries.messages import list_messages
from tickets.rules.message import Intervention, MessageState, may_cancel, may_requeue

_log = structlog.stdlib.get_logger()

_DEEDS = {Intervention.REQUEUE: requeue, Intervention.CANCEL: cancel}


async def show_outbox(desk: Desk, request: Request, me: SignedIn) -> Response:
    """Show the newest messages; ``?state=dead`` only those in that state."""
    asked = request.query_params.get("state")
    state = next((one for one in MessageState if one.value == asked), None)
    return await _page(desk, me, state=state)


async def intervene(desk: Desk, request: Request) -> Response:
    """Send a message again or cancel it, and lead back to the outbox.

    409, with the outbox as it is by now, where its state does not allow that (any more).
    """
    refuse_foreign(desk, request)
    asked, number = request.path_params["what"], request.path_params["number"]
    what = next((one for one in Intervention if one.value == asked), None)
    if what is None or number > _MOST_NUMBER:
        raise HTTPException(404)
    fields = await read_form(request)
    remember(request, fields=fields)
    me = await find_reader(desk, request)
    if me is None:
        raise HTTPException(401, "Your session has ended, so nothing was done. Sign in again.")
    refuse_wrong_form(me, fields)
    refuse_viewer(request, me)
    state = next((one for one in MessageState if one.value == fields.get("state")), None)
    actor = Actor(me.staff.name, staff_id=me.staff.id, address=me.staff.email)
    at = desk.context.clock.now()
    try:
        await desk.context.store.awrite(
            partial(_DEEDS[what], message_id=number, actor=actor, at=at)
        )
    except Conflict as conflict:
        return await _page(desk, me, state=state, problem=str(conflict), status=409)
    _log.info("desk.message_changed", message=number, what=what, staff=me.staff.email)
    return see_other("/outbox" if state is None else f"/outbox?state={state}")


_MOST_NUMBER = 2**63 - 1


async def _page(
    desk: Desk,
    me: SignedIn,
    *,
    state: MessageState | None,
    problem: str = "",
    status: int = 200,
) -> Response:
    frame, messages = await read_page(desk.context, me, partial(list_messages, state=state))
    now = desk.context.clock.now()
    return desk.page(
        "outbox.html",
        frame=frame,
        status=status,
        messages=messages,
        state=state,
        states=list(MessageState),
        most=MOST_ROWS,
        problem=problem,
        clients_of={
            one.address: find_clients(desk.context.policy, one.address)
            for one in frame.mail.undeliverable
        },
        requeueable={
            one.id for one in messages if may_requeue(one.state, is_due=one.not_before <= now)
        },
        cancellable={one.id for one in messages if may_cancel(one.state)},
    )
