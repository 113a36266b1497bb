"""The forms of a ticket's page by link: a reply, "this is solved", a new link.

Each comes from a page of ours, is bounded while it is read, and is carried out once. Whatever goes
wrong, what was typed comes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tickets.attachments import accept
from tickets.by_link import Done, Reply, find_visitor, reply, send_new_link, solved
from tickets.errors import Conflict, Refused, Unavailable
from tickets.pages.forms import check_texts, read_form
from tickets.pages.origin import address_of, is_foreign
from tickets.pages.throttle import Allowance, network_of
from tickets.pages.uploads import SentForm, Uploads
from tickets.portal.answers import PRIVATE, Portal
from tickets.portal.ticket_page import (
    KEY,
    Draft,
    dead_link,
    shown_token,
    ticket_page,
)
from tickets.rules.attachment import CheckedFile
from tickets.store import Session
from tickets.texts import MAX_TEXT

_log = structlog.stdlib.get_logger()

_INCOMPLETE = "The form was not complete. Look at it and send it again"
_TOO_MANY = "Many forms were sent with this link. Wait a minute, then send this again"
_AWAY = (
    "Your words could not be stored just now and have not reached us. They stand below: wait a few"
    " seconds, then send them again"
)
_OPEN_AGAIN = "The ticket was taken up again meanwhile, so it was not closed"


class TicketForms:
    """Takes the forms of all links: how many at once, and how many of one sender."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._uploads = Uploads()
        self._by_link = Allowance(burst=10, refill=timedelta(minutes=1))
        self._by_network = Allowance(burst=5, refill=timedelta(minutes=2))

    async def take_reply(self, request: Request) -> Response:
        """Take what somebody writes, with its files."""
        portal, token = self._portal, request.path_params["token"]
        refuse_foreign(portal, request)
        async with self._uploads.read(request) as form:
            fields = form.fields
            draft = Draft(text=fields.get("text", ""), key=_key_of(fields.get("key", "")))
            try:
                return await self._reply(token, form, draft)
            except Unavailable as error:
                _log.warning("portal.reply_not_taken", reason=str(error))
        return await self._not_stored(token, draft)

    async def _reply(self, token: str, form: SentForm, draft: Draft) -> Response:
        portal = self._portal
        if not self._admit(token):
            draft = replace(draft, problem=_TOO_MANY)
            return await ticket_page(portal, token, draft=draft, status=429)
        faults, files = await _checked(form)
        if faults or not draft.key:
            draft = replace(draft, faults=faults, problem="" if faults else _INCOMPLETE)
            return await ticket_page(portal, token, draft=draft, status=422)
        try:
            sent = Reply(key=draft.key, text=draft.text, files=files)
            done = await self._carry_out(token, sent)
        except Refused as refused:
            draft = replace(draft, faults={"files": _sentence(refused)})
            return await ticket_page(portal, token, draft=draft, status=422)
        if done is None:
            return dead_link(portal, token, kept=draft.text)
        return _further(token, done)

    async def _not_stored(self, token: str, draft: Draft) -> Response:
        """Return the form with its words: on the ticket's page, or alone if that cannot be read."""
        try:
            draft = replace(draft, problem=_AWAY)
            return await ticket_page(self._portal, token, draft=draft, status=503)
        except Unavailable:
            return self._portal.page(
                "portal/not_stored.html",
                face=None,
                status=503,
                headers={**PRIVATE, "Retry-After": "5"},
                token=shown_token(token),
                draft=draft,
            )

    async def take_solved(self, request: Request) -> Response:
        """Close the ticket, as the client says that it is solved."""
        portal, token = self._portal, request.path_params["token"]
        refuse_foreign(portal, request)
        key = _key_of((await read_form(request)).get("key", ""))
        if not key:
            draft = Draft(problem=_INCOMPLETE)
            return await ticket_page(portal, token, draft=draft, status=422)
        context = portal.context
        now = context.clock.now()

        def write(tx: Session) -> Done | None:
            visitor = find_visitor(tx, context.policy, token, now=now)
            return None if visitor is None else solved(tx, visitor, key, at=now)

        try:
            done = await context.store.awrite(write)
        except Conflict:
            draft = Draft(problem=_OPEN_AGAIN)
            return await ticket_page(portal, token, draft=draft, status=409)
        return dead_link(portal, token) if done is None else _further(token, done)

    async def take_new_link(self, request: Request) -> Response:
        """Mail a new link to the address of an old one; the answer is the same for any token."""
        portal, token = self._portal, request.path_params["token"]
        refuse_foreign(portal, request)
        context = portal.context
        monotonic = context.clock.monotonic()
        network = network_of(address_of(request))
        if self._by_network.wait(network, now=monotonic) == 0:
            self._by_network.pay(network, now=monotonic)
            now = context.clock.now()
            is_sent = await context.store.awrite(
                lambda tx: send_new_link(tx, context.policy, token, at=now)
            )
            _log.info("portal.link_asked_for", is_sent=is_sent)
        return RedirectResponse(f"/t/{shown_token(token)}?asked", 303)

    def _admit(self, token: str) -> bool:
        now = self._portal.context.clock.monotonic()
        if self._by_link.wait(token, now=now) > 0:
            return False
        self._by_link.pay(token, now=now)
        return True

    async def _carry_out(self, token: str, sent: Reply) -> Done | None:
        context = self._portal.context
        now = context.clock.now()

        def write(tx: Session) -> tuple[str, Done] | None:
            visitor = find_visitor(tx, context.policy, token, now=now)
            if visitor is None:
                return None
            return visitor.ref, reply(tx, context.policy, visitor, sent, at=now)

        written = await context.store.awrite(write)
        if written is None:
            return None
        ref, done = written
        _log.info("portal.reply_taken", ticket=ref, done=done.value, files=len(sent.files))
        return done


def refuse_foreign(portal: Portal, request: Request) -> None:
    """Raise ``HTTPException`` 403 when a form was not sent from a page of ours."""
    if is_foreign(request, base_url=portal.context.policy.base_url, is_secret=True):
        _log.warning("portal.foreign_form_refused", address=address_of(request))
        raise HTTPException(
            403,
            "This form was sent from another website, so nothing was done. Open the link in our"
            " mail and use the form that it shows.",
        )


def _further(token: str, done: Done) -> Response:
    return RedirectResponse(f"/t/{token}?said={done.value}", 303)


async def _checked(form: SentForm) -> tuple[Mapping[str, str], Sequence[CheckedFile]]:
    """Return what is wrong with the form, by field, and its files if nothing is wrong with them."""
    found = check_texts(form.fields, {"text": "what we should know"}, most=MAX_TEXT)
    faults = {fault.field: fault.message for fault in found}
    if form.fault:
        return faults | {"files": form.fault}, ()
    try:
        return faults, await asyncio.to_thread(accept, form.files)
    except Refused as refused:
        return faults | {"files": _sentence(refused)}, ()


def _key_of(text: str) -> str:
    """Return the form's key; empty if it is none that a page of ours wrote."""
    return text if KEY.fullmatch(text) else ""


def _sentence(refused: Refused) -> str:
    text = str(refused)
    return f"{text[:1].upper()}{text[1:]}"
