"""The outbox: what was mailed to whom, what waits for another attempt, and what never arrived."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from tickets.accounts import SignedIn
from tickets.desk.answers import Desk
from tickets.desk.context import read_page
from tickets.queries import MOST_ROWS
from tickets.queries.messages import list_messages
from tickets.rules.message import MessageState


async def show_outbox(desk: Desk, request: Request, me: SignedIn) -> Response:
    """Show the newest messages; ``?state=dead`` only those in that state."""
    asked = request.query_params.get("state")
    state = next((one for one in MessageState if one.value == asked), None)
    frame, messages = await read_page(desk.context, me, partial(list_messages, state=state))
    return desk.page(
        "outbox.html",
        frame=frame,
        messages=messages,
        state=state,
        states=list(MessageState),
        most=MOST_ROWS,
    )
