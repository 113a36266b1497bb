"""The portal as routes of the web application: its pages, headers and fault pages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, cast

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from tickets.pages.faults import fault_handlers
from tickets.pages.headers import SecurityHeaders
from tickets.portal.answers import Portal
from tickets.portal.context import PortalContext
from tickets.portal.request_receipt import request_routes
from tickets.portal.status_page import status_routes
from tickets.portal.ticket_routes import ticket_routes
from tickets.portal.unsubscribe import unsubscribe_routes
from tickets.rules.colour import darker, readable_on

DARK_GROUND = "#171512"
"""The ground of pages in the dark (see the style sheet)."""


def portal_routes(context: PortalContext) -> Sequence[BaseRoute]:
    """Return the portal's routes, to stand before those of the desk."""
    portal = Portal(context)
    pages = [
        Route("/brand/{client}.css", partial(show_brand, portal)),
        *request_routes(portal),
        *status_routes(portal),
        *ticket_routes(portal),
        *unsubscribe_routes(portal),
        *(Route(f"/{place}/{{client}}/", show_without_slash) for place in ("support", "status")),
    ]
    app = Starlette(
        routes=pages,
        exception_handlers=cast("dict[Any, Any]", fault_handlers(portal.fault_page)),
    )
    app.router.redirect_slashes = False
    guarded = SecurityHeaders(app, is_secure=context.policy.is_secure)
    # A route leaves the path as it is, which a mount would cut; every method reaches the portal.
    firsts = dict.fromkeys(page.path.split("/")[1] for page in pages)
    return [Route(f"/{first}/{{rest:path}}", guarded) for first in firsts]


async def show_without_slash(request: Request) -> Response:
    """Lead from an address that was typed with a slash at its end to the one without."""
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{request.url.path.rstrip('/')}{query}", 308)


async def show_brand(portal: Portal, request: Request) -> Response:
    """Send the client's colour as a style sheet: pages hold no style of their own."""
    face = portal.get_face(request)
    text = ""
    if face.colour is not None:
        light = readable_on(face.colour, DARK_GROUND)
        text = (
            f":root {{ --accent: {face.colour}; --accent-hover: {darker(face.colour)};"
            " --on-accent: #ffffff; }\n"
            "@media (prefers-color-scheme: dark) {\n"
            f"  :root {{ --accent: {light}; --accent-hover: {light};"
            f" --on-accent: {DARK_GROUND}; }}\n}}\n"
        )
    headers = {"Cache-Control": "public, max-age=300"}
    return Response(text, media_type="text/css", headers=headers)
