"""How the portal answers: with a page in the client's own look, or one sentence about a fault."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import jinja2
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tickets.pages.faults import Fault
from tickets.pages.rendering import make_environment, render
from tickets.pages.words import Words
from tickets.portal.context import Face, PortalContext
from tickets.portal.fault_words import for_clients

PRIVATE = {"X-Robots-Tag": "noindex, nofollow", "Referrer-Policy": "no-referrer"}
"""Headers of every page whose address is a secret, beside those of all pages."""


@cache
def _templates() -> jinja2.Environment:
    """Return the templates, compiled once in a process: they hold nothing of any portal."""
    return make_environment(["tickets.portal"])


class Portal:
    """A running portal: its context and its templates."""

    def __init__(self, context: PortalContext) -> None:
        self.context = context
        self._environment = _templates()

    def page(
        self,
        name: str,
        *,
        face: Face | None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **facts: object,
    ) -> Response:
        """Return the page that template ``name`` makes of ``facts``; None is nobody's look."""
        context = self.context
        common: dict[str, object] = {
            "face": face,
            "words": self.words(),
            "policy": context.policy,
            "version": context.version,
        }
        html = render(self._environment, name, common | facts)
        response = HTMLResponse(html, status, dict(headers or {}))
        if face is not None:
            response.headers.setdefault("Content-Security-Policy", face.content_policy)
        return response

    def words(self) -> Words:
        """Return instants and durations in words, as of now."""
        return Words(self.context.policy, self.context.clock.now())

    def text(self, name: str, **facts: object) -> str:
        """Return what template ``name`` makes of ``facts``, for answers that are no page."""
        return render(self._environment, name, dict(facts))

    def fault_page(self, _request: Request, fault: Fault) -> Response:
        """Return a page that says what went wrong, in nobody's look."""
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        told = for_clients(fault, reply_to=self.context.policy.reply_to)
        return self.page(
            "portal/fault.html", face=None, status=fault.status, headers=headers, fault=told
        )

    def get_face(self, request: Request) -> Face:
        """Return the client that the address names; raises ``HTTPException`` 404."""
        face = self.context.find_face(request.path_params["client"])
        if face is None:
            raise HTTPException(404)
        return face
