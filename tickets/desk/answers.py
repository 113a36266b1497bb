"""How the desk answers: with a page, a way on, or one clear sentence about what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TypeVar

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tickets.accounts import SignedIn
from tickets.desk import phrases
from tickets.desk.context import DeskContext, Frame
from tickets.errors import Unavailable
from tickets.pages.faults import Fault
from tickets.pages.rendering import make_environment, render
from tickets.pages.throttle import SignInThrottle
from tickets.pages.uploads import Uploads
from tickets.pages.words import Words

Result = TypeVar("Result")

MOST_WAITING = 20
"""How many sign-ins may wait for their password to be hashed."""

KEPT_FIELDS = {
    "text": "What you wrote",
    "cause": "The cause",
    "done": "What was done",
    "reason": "The reason",
    "question": "Your question",
    "next_steps": "Next steps",
    "estimate": "The estimate",
    "title": "The title",
}
"""Fields that hold somebody's words: they are shown again whatever goes wrong."""


class Hashing:
    """Works on passwords in threads, two at a time: each takes 64 MiB and most of a core."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(2)
        self._waiting = 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """Return what ``work`` returns; raises ``Unavailable`` when too many wait already."""
        if self._waiting >= MOST_WAITING:
            raise Unavailable("many people are signing in at this moment")
        self._waiting += 1
        try:
            async with self._free:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1


@cache
def _templates() -> jinja2.Environment:
    """Return the templates, compiled once in a process: they hold nothing of any desk."""
    return make_environment(["tickets.desk"], names={"phrases": phrases})


class Desk:
    """A running desk: its context and what it keeps between requests."""

    def __init__(self, context: DeskContext) -> None:
        self.context = context
        self.throttle = SignInThrottle()
        self.hashing = Hashing()
        self.uploads = Uploads()
        self._environment = _templates()

    def page(
        self,
        name: str,
        *,
        frame: Frame | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **facts: object,
    ) -> Response:
        """Return the page that template ``name`` makes of ``facts`` in ``frame``."""
        context = self.context
        words = Words(context.policy, context.clock.now())
        common: dict[str, object] = {
            "frame": frame,
            "words": words,
            "policy": context.policy,
            "version": context.version,
        }
        html = render(self._environment, name, common | facts)
        return HTMLResponse(html, status, dict(headers or {}))

    def fault_page(self, request: Request, fault: Fault) -> Response:
        """Return a page that says what went wrong and shows what had been typed."""
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        return self.page(
            "fault.html",
            status=fault.status,
            headers=headers,
            fault=fault,
            me=who_asks(request),
            kept=kept_words(request),
        )


def see_other(address: str) -> Response:
    """Return the answer to a form that was taken: go there and read."""
    return RedirectResponse(address, 303)


def remember(
    request: Request, *, me: SignedIn | None = None, fields: Mapping[str, str] | None = None
) -> None:
    """Note on the request who asks and what was typed, for the page of a fault further on."""
    if me is not None:
        request.scope["desk.me"] = me
    if fields is not None:
        request.scope["desk.fields"] = fields


def who_asks(request: Request) -> SignedIn | None:
    """Return who asks, if that is known by now."""
    return request.scope.get("desk.me")


def kept_words(request: Request) -> Sequence[tuple[str, str]]:
    """Return the words that were typed into the request's form, each with its label."""
    fields: Mapping[str, str] = request.scope.get("desk.fields", {})
    return [(label, text) for name, label in KEPT_FIELDS.items() if (text := fields.get(name, ""))]
