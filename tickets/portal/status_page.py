"""A client's status page, the same as JSON and as RSS, and badges for other sites.

Where the page is for those who have its link, the address needs ``?key=``; without it, and for a
client whose page is off, the answer is that of a client that does not exist.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from email.utils import format_datetime
from functools import partial
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tickets.pages.watch import STATE_WORDS, SiteState
from tickets.portal.answers import Portal
from tickets.portal.context import Face
from tickets.portal.status_board import Board, StatusBoards
from tickets.portal.status_document import status_document
from tickets.rules.status_access import StatusAccess

Show = Callable[[Portal, Request, Face, Board], Response]


def status_routes(portal: Portal) -> Sequence[Route]:
    """Return the routes of all status pages."""
    context = portal.context
    boards = StatusBoards(context.store, context.watch, context.clock)
    shown: dict[str, Show] = {
        "/status/{client}.json": show_json,
        "/status/{client}.rss": show_feed,
        "/status/{client}": show_page,
        "/status/{client}/badge.svg": show_badge,
        "/status/{client}/{site}/badge.svg": show_badge,
    }
    return [
        Route(path, partial(_show, portal, boards, show), methods=["GET"])
        for path, show in shown.items()
    ]


async def _show(portal: Portal, boards: StatusBoards, show: Show, request: Request) -> Response:
    face = portal.get_face(request)
    key = _admit(portal, request, face)
    board = await boards.get(face.slug)
    response = show(portal, request, face, board)
    tag = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
    shared = "private" if key else "public"
    headers = {"Cache-Control": f"{shared}, max-age=15", "ETag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response


def _admit(portal: Portal, request: Request, face: Face) -> str | None:
    """Return the key that the page asks for, if any; raises ``HTTPException`` 404 without it."""
    profile = portal.context.policy.clients[face.slug]
    if profile.status_access is StatusAccess.PUBLIC:
        return None
    asked = request.query_params.get("key", "")
    key = profile.status_key
    is_right = key is not None and secrets.compare_digest(asked.encode(), key.encode())
    if profile.status_access is StatusAccess.OFF or not is_right:
        raise HTTPException(404)
    return key


def _query(key: str | None) -> str:
    return "" if key is None else f"?{urlencode({'key': key})}"


def _own_query(portal: Portal, face: Face) -> str:
    return _query(portal.context.policy.clients[face.slug].status_key)


def show_page(portal: Portal, _request: Request, face: Face, board: Board) -> Response:
    """Show the page for people."""
    return portal.page(
        "portal/status.html",
        face=face,
        board=board,
        query=_own_query(portal, face),
    )


def show_json(portal: Portal, _request: Request, face: Face, board: Board) -> Response:
    """Send the page for programs; any site may read it."""
    document = status_document(board, face=face, zone=portal.context.policy.zone)
    return JSONResponse(document, headers=_FOR_ANYBODY)


def show_feed(portal: Portal, _request: Request, face: Face, board: Board) -> Response:
    """Send the incidents as an RSS 2.0 feed, an item when one begins and one when it is over."""
    base = portal.context.policy.base_url
    text = portal.text(
        "portal/status.rss.xml",
        face=face,
        board=board,
        agency=portal.context.policy.agency_name,
        address=f"{base}/status/{face.slug}{_own_query(portal, face)}",
        own_address=f"{base}/status/{face.slug}.rss{_own_query(portal, face)}",
        identity=f"{base}/status/{face.slug}",
        rfc_date=partial(format_datetime, usegmt=True),
        words=portal.words(),
    )
    return Response(text, media_type="application/rss+xml")


def show_badge(portal: Portal, request: Request, face: Face, board: Board) -> Response:
    """Draw how the client's sites stand, or one of them, for a page of somebody else."""
    slug = request.path_params.get("site")
    name, state = face.name, board.state
    if slug is not None:
        site = board.find_site(slug)
        if site is None:
            raise HTTPException(404)
        name, state = site.name, site.state
    word = "nothing watched" if state is None else STATE_WORDS[state].lower()
    name = name if len(name) <= _BADGE_LETTERS else f"{name[: _BADGE_LETTERS - 1]}…"
    text = portal.text(
        "portal/badge.svg",
        label=name,
        word=word,
        colour=_BADGE_COLOURS.get(state, "#5d5d66"),
        left=round(len(name) * _LETTER_WIDTH) + 20,
        right=round(len(word) * _LETTER_WIDTH) + 20,
    )
    return Response(text, media_type="image/svg+xml", headers=_FOR_ANYBODY)


_BADGE_LETTERS = 40
_LETTER_WIDTH = 6.6
_BADGE_COLOURS: dict[SiteState | None, str] = {
    SiteState.UP: "#1c6e43",
    SiteState.SLOW: "#8a5a00",
    SiteState.DOWN: "#b3261e",
    SiteState.UNKNOWN: "#5d5d66",
    SiteState.MAINTENANCE: "#20607f",
}

_FOR_ANYBODY = {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""Badges and JSON are made for the pages of others; they say nothing that the page does not."""
