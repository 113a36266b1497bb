"""Who asks, and does the request come from our own pages? Asked before anything else is done."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from urllib.parse import quote

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tickets.accounts import (
    ABSOLUTE_LIFE,
    TOUCH_EVERY,
    NewSession,
    SignedIn,
    find_session,
    touch_session,
)
from tickets.desk.answers import Desk, remember
from tickets.errors import Unavailable
from tickets.pages.origin import address_of, is_foreign, split_url

SECURE_COOKIE = "__Host-fettle-desk"
"""Name of the session's cookie where browsers reach us by https; bound to the very host."""

PLAIN_COOKIE = "fettle-desk"
"""Name of the session's cookie by plain http, which is for loopback."""

REFRESH_HEADER = "fettle-refresh"
"""Marks a request that a page makes by itself: it does not count as use of the session."""

_SAFE_IN_PATH = "/-._~!$&'()*+,;=:@?%"

_log = structlog.stdlib.get_logger()


def session_token(desk: Desk, request: Request) -> str | None:
    """Return the session token that the browser sent, if it sent one."""
    return request.cookies.get(_cookie_name(desk)) or None


async def find_reader(desk: Desk, request: Request) -> SignedIn | None:
    """Return who asks, and keep the session alive; None if nobody is signed in."""
    token = session_token(desk, request)
    if token is None:
        return None
    now = desk.context.clock.now()
    me = await desk.context.store.aread(partial(find_session, token=token, now=now))
    if me is None:
        return None
    remember(request, me=me)
    if now - me.seen_at >= TOUCH_EVERY and REFRESH_HEADER not in request.headers:
        with suppress(Unavailable):  # reading goes on while the store takes no writes
            await desk.context.store.awrite(partial(touch_session, token=token, now=now))
    return me


def give_cookie(desk: Desk, response: Response, session: NewSession) -> None:
    """Hand the session's token to the browser."""
    response.set_cookie(
        _cookie_name(desk),
        session.token,
        max_age=int(ABSOLUTE_LIFE.total_seconds()),
        path="/",
        secure=desk.context.policy.is_secure,
        httponly=True,
        samesite="lax",  # strict would show a sign-in page to whoever comes from a mail
    )


def take_cookie(desk: Desk, response: Response) -> None:
    """Take the session's token from the browser."""
    response.delete_cookie(
        _cookie_name(desk),
        path="/",
        secure=desk.context.policy.is_secure,
        httponly=True,
        samesite="lax",
    )


def refuse_foreign(desk: Desk, request: Request) -> None:
    """Raise ``HTTPException`` 403 when a form was not sent from a page of ours."""
    if not is_foreign(request, base_url=desk.context.policy.base_url):
        return
    _log.warning("desk.foreign_form_refused", path=request.url.path, address=address_of(request))
    raise HTTPException(
        403,
        "This form was sent from another website, so nothing was done. The desk's address is"
        f" {desk.context.policy.base_url} (web.base_url in the configuration).",
    )


def refuse_wrong_form(me: SignedIn, fields: Mapping[str, str]) -> None:
    """Raise ``HTTPException`` 403 unless the form belongs to the session of ``me``."""
    if not hmac.compare_digest(fields.get("form_token", "").encode(), me.form_token.encode()):
        raise HTTPException(
            403, "This form belongs to a session that has ended, so nothing was done."
        )


def safe_next(text: str) -> str:
    """Return where to go after sign-in: a path on this site, else the queue.

    Browsers drop tabs and line ends and read a backslash as a slash, so none of them may stand
    anywhere in it.
    """
    is_path = text.startswith("/") and not text.startswith("//")
    if not is_path or "\\" in text or not text.isprintable() or " " in text or len(text) > 2000:
        return "/"
    parts = split_url(text)
    if parts is None or parts.scheme or parts.netloc:
        return "/"
    return quote(text, safe=_SAFE_IN_PATH + "#")


def sign_in_address(request: Request) -> str:
    """Return the address of the sign-in page that leads back to what was asked for."""
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return "/sign-in" if asked == "/" else f"/sign-in?next={quote(safe_next(asked), safe='')}"


def _cookie_name(desk: Desk) -> str:
    return SECURE_COOKIE if desk.context.policy.is_secure else PLAIN_COOKIE
