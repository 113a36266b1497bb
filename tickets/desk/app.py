"""The desk as one ASGI application, to be mounted at ``/``: its routes, headers and fault pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tickets.accounts import SignedIn
from tickets.desk.answers import Desk, see_other
from tickets.desk.calendar_page import show_calendar
from tickets.desk.clients_page import show_clients
from tickets.desk.context import DeskContext
from tickets.desk.new_ticket import open_new_ticket, show_new_ticket
from tickets.desk.outbox_page import intervene, show_outbox
from tickets.desk.queue import show_finished, show_queue
from tickets.desk.sessions import find_reader, sign_in_address
from tickets.desk.sign_in import show_sign_in, sign_in, sign_out
from tickets.desk.site_page import show_site
from tickets.desk.sites_page import show_sites
from tickets.desk.ticket_actions import act
from tickets.desk.ticket_file import show_file
from tickets.desk.ticket_page import show_ticket
from tickets.pages.faults import fault_handlers
from tickets.pages.headers import SecurityHeaders
from tickets.pages.rendering import CONTENT_TYPES, static_files, static_version
from tickets.pages.watch import SiteState

StaffPage = Callable[[Desk, Request, SignedIn], Awaitable[Response]]

_FOR_EVER = "public, max-age=31536000, immutable"

_STAFF_PAGES: dict[str, StaffPage] = {
    "/": show_queue,
    "/tickets": show_queue,
    "/tickets/finished": show_finished,
    "/tickets/new": show_new_ticket,
    "/tickets/{ref}": show_ticket,
    "/tickets/{ref}/files/{file}": show_file,
    "/sites": show_sites,
    "/sites/{slug}": show_site,
    "/clients": show_clients,
    "/outbox": show_outbox,
    "/calendar": show_calendar,
}


def desk_app(context: DeskContext) -> ASGIApp:
    """Return the desk, ready to be mounted at the root after the routes that are not the desk's."""
    desk = Desk(context)
    routes = [
        *(Route(path, partial(_for_staff, desk, page)) for path, page in _STAFF_PAGES.items()),
        Route("/tickets/new", partial(open_new_ticket, desk), methods=["POST"]),
        Route("/tickets/{ref}/{action}", partial(act, desk), methods=["POST"]),
        Route("/outbox/{number:int}/{what}", partial(intervene, desk), methods=["POST"]),
        Route("/sign-in", partial(_sign_in, desk), methods=["GET", "POST"]),
        Route("/sign-out", partial(sign_out, desk), methods=["POST"]),
        Route("/static/{name}", show_static),
        Route("/favicon.svg", partial(show_icon, desk)),
    ]
    handlers = cast("dict[Any, Any]", fault_handlers(desk.fault_page))
    app = Starlette(routes=routes, exception_handlers=handlers)
    # It would build its address from the Host header, which behind a proxy is not ours.
    app.router.redirect_slashes = False
    return SecurityHeaders(app, is_secure=context.policy.is_secure)


async def show_static(request: Request) -> Response:
    """Send a static file; browsers keep it for ever under an address that names its version."""
    name = request.path_params["name"]
    content = static_files().get(name)
    if content is None:
        raise HTTPException(404)
    # The style sheet names its fonts without a version: a new font gets a new name.
    is_current = name.endswith(".woff2") or request.query_params.get("v") == static_version(name)
    return Response(
        content,
        media_type=CONTENT_TYPES.get(name.rpartition(".")[2], "application/octet-stream"),
        headers={"Cache-Control": _FOR_EVER if is_current else "no-cache"},
    )


async def show_icon(desk: Desk, request: Request) -> Response:
    """Draw the icon of the state that the page names in the address; it reads nothing stored."""
    asked = request.query_params.get("state")
    state = next((one for one in SiteState if one.value == asked), None)
    response = desk.page("favicon.svg", state=state)
    response.headers["Content-Type"] = "image/svg+xml"
    response.headers["Cache-Control"] = "public, max-age=86400"
    return response


async def _for_staff(desk: Desk, page: StaffPage, request: Request) -> Response:
    me = await find_reader(desk, request)
    if me is None:
        return see_other(sign_in_address(request))
    return await page(desk, request, me)


async def _sign_in(desk: Desk, request: Request) -> Response:
    view = sign_in if request.method == "POST" else show_sign_in
    return await view(desk, request)
