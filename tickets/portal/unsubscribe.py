"""The two links of a statement's letter: to its page, and to the end of such mail.

Neither asks for a sign-in: whoever holds a link may do what it is for, for its one contact. To look
changes nothing; what ends the mail is a POST, by the button or by the mail program (RFC 8058).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import partial

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tickets.pages.forms import FORM_TYPE, read_form
from tickets.portal.answers import PRIVATE, Portal
from tickets.statements import (
    Standing,
    find_page,
    get_standing,
    resubscribe,
    unsubscribe,
)
from tickets.store import Session


def unsubscribe_routes(portal: Portal) -> Sequence[Route]:
    """Return the routes of both links."""
    return [
        Route("/statement/{token}", partial(show_statement, portal)),
        Route("/unsubscribe/{token}", partial(show_choice, portal), methods=["GET"]),
        Route("/unsubscribe/{token}", partial(make_choice, portal), methods=["POST"]),
    ]


async def show_statement(portal: Portal, request: Request) -> Response:
    """Send the page of a statement as it went out; raises ``HTTPException`` 404."""
    context, token = portal.context, request.path_params["token"]
    now = context.clock.now()
    page = await context.store.aread(lambda tx: find_page(tx, token, now=now))
    if page is None:
        message = "The link is not complete, was never sent, or is too old. Ask us for another."
        raise HTTPException(404, message)
    return HTMLResponse(page, headers={**PRIVATE, "Content-Security-Policy": _page_policy(page)})


async def show_choice(portal: Portal, request: Request) -> Response:
    """Ask whether the mails shall end, or say that they have; raises ``NotFound``."""
    token = request.path_params["token"]
    standing = await portal.context.store.aread(lambda tx: get_standing(tx, token))
    return _choice(portal, standing, is_done=False)


async def make_choice(portal: Portal, request: Request) -> Response:
    """End the mails, or with the field ``again`` take that back; raises ``NotFound``.

    A mail program sends a form of one type or another; all that counts is that it posts.
    """
    context, token = portal.context, request.path_params["token"]
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    fields = await read_form(request) if kind == FORM_TYPE else {}
    now = context.clock.now()

    def choose(tx: Session) -> Standing:
        if "again" in fields:
            resubscribe(tx, token)
        else:
            unsubscribe(tx, token, at=now)
        tx.flush()
        return get_standing(tx, token)

    return _choice(portal, await context.store.awrite(choose), is_done=True)


def _choice(portal: Portal, standing: Standing, *, is_done: bool) -> Response:
    face = portal.context.find_face(standing.client)
    return portal.page(
        "portal/unsubscribe.html", face=face, headers=PRIVATE, standing=standing, is_done=is_done
    )


def _page_policy(page: str) -> str:
    """Return what a browser may do with a statement's page: its own style, our fonts, no more."""
    style = page.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src 'sha256-{digest}'",
            "font-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
