"""Signing in and out. Every refusal reads the same, whether the account exists or not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import structlog
from starlette.requests import Request
from starlette.responses import Response

from tickets.accounts import (
    NewSession,
    begin_session,
    end_session,
    find_credentials,
    hash_password,
    is_outdated,
    verify_password,
)
from tickets.desk.answers import KEPT_FIELDS, Desk, see_other
from tickets.desk.sessions import (
    find_reader,
    give_cookie,
    refuse_foreign,
    refuse_wrong_form,
    safe_next,
    session_token,
    take_cookie,
)
from tickets.desk.ticket_page import Draft, find_action, ticket_page
from tickets.errors import NotFound
from tickets.pages.forms import read_form
from tickets.pages.origin import address_of

_log = structlog.stdlib.get_logger()

_WRONG = "The e-mail address and password do not match an account."


async def show_sign_in(desk: Desk, request: Request) -> Response:
    """Show the sign-in page, or go on if somebody is signed in already."""
    onward = safe_next(request.query_params.get("next", "/"))
    if await find_reader(desk, request) is not None:
        return see_other(onward)
    return _form(desk, onward=onward)


async def sign_in(desk: Desk, request: Request) -> Response:
    """Begin a session for whoever gives the right password, and go on to where they were going."""
    refuse_foreign(desk, request)
    fields = await read_form(request)
    email, address = fields.get("email", "").strip(), address_of(request)
    account = email.casefold()[:300]
    wait = desk.throttle.admit(account=account, address=address, now=desk.context.clock.monotonic())
    if wait > 0:
        _log.warning("desk.sign_in_throttled", address=address)
        return _too_many(desk, fields, wait=wait)
    session = await _begin(desk, request, email=email, password=fields.get("password", ""))
    if session is None:
        _log.warning("desk.sign_in_refused", address=address)
        return _form(desk, status=401, problem=_WRONG, typed=fields)
    desk.throttle.forgive(account=account, address=address)
    _log.info("desk.signed_in", staff=session.staff.email, address=address)
    response = await _onward(desk, fields, session=session)
    give_cookie(desk, response, session)
    return response


async def sign_out(desk: Desk, request: Request) -> Response:
    """End the session and take its cookie."""
    refuse_foreign(desk, request)
    me = await find_reader(desk, request)
    token = session_token(desk, request)
    response = see_other("/sign-in")
    if me is None or token is None:
        return response
    refuse_wrong_form(me, await read_form(request))
    await desk.context.store.awrite(partial(end_session, token=token))
    _log.info("desk.signed_out", staff=me.staff.email, address=address_of(request))
    take_cookie(desk, response)
    return response


def session_ended(desk: Desk, *, ref: str, action: str, fields: Mapping[str, str]) -> Response:
    """Ask whoever sent a form without a session to sign in; their words wait on that page."""
    onward = safe_next(f"/tickets/{ref}")
    problem = "Your session has ended, so nothing was sent. Sign in to go on."
    draft = {name: fields[name] for name in KEPT_FIELDS if fields.get(name)}
    if draft:
        problem += " Your words are kept."
    typed = {**draft, "draft_ref": ref, "draft_action": action}
    return _form(desk, status=401, onward=onward, problem=problem, typed=typed)


async def _begin(desk: Desk, request: Request, *, email: str, password: str) -> NewSession | None:
    store, clock = desk.context.store, desk.context.clock
    credentials = await store.aread(partial(find_credentials, email=email))
    if not await desk.hashing.run(partial(verify_password, credentials, password)):
        return None
    new_hash = None
    if is_outdated(credentials):
        new_hash = await desk.hashing.run(partial(hash_password, password))
    return await store.awrite(
        partial(
            begin_session,
            credentials=credentials,
            at=clock.now(),
            new_hash=new_hash,
            replaces=session_token(desk, request),
        )
    )


async def _onward(desk: Desk, fields: Mapping[str, str], *, session: NewSession) -> Response:
    """Go on after sign-in; words that were typed before the session ended are shown again."""
    action = find_action(fields.get("draft_action", ""))
    if action is not None and any(fields.get(name) for name in KEPT_FIELDS):
        draft = Draft(action=action, fields=fields, problem="Not sent yet: look at it again.")
        try:
            return await ticket_page(desk, session, fields.get("draft_ref", ""), draft=draft)
        except NotFound:
            pass
    return see_other(safe_next(fields.get("next", "/")))


def _too_many(desk: Desk, fields: Mapping[str, str], *, wait: float) -> Response:
    minutes = max(1, math.ceil(wait / 60))
    problem = (
        "There were too many attempts to sign in. Wait"
        f" {minutes} {'minute' if minutes == 1 else 'minutes'} and try again."
    )
    headers = {"Retry-After": str(math.ceil(wait))}
    return _form(desk, status=429, problem=problem, typed=fields, headers=headers)


def _form(
    desk: Desk,
    *,
    status: int = 200,
    onward: str | None = None,
    problem: str = "",
    typed: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    typed = typed or {}
    return desk.page(
        "sign_in.html",
        status=status,
        headers=headers,
        onward=onward if onward is not None else safe_next(typed.get("next", "/")),
        problem=problem,
        email=typed.get("email", "")[:300],
        draft={
            name: typed[name]
            for name in (*KEPT_FIELDS, "draft_ref", "draft_action")
            if typed.get(name)
        },
    )
