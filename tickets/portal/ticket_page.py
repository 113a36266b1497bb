"""A ticket by its link: the page, its files, and the page of a link that opens nothing (any more).

Looking changes nothing: mail scanners follow links too. A token that never was, one that expired
and one that was revoked are answered alike.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tickets.attachments import AttachmentView, find_attachment, list_attachments
from tickets.by_link import Visitor, find_survivor, find_visitor
from tickets.pages.downloads import download
from tickets.policy import Policy
from tickets.portal.answers import PRIVATE, Portal
from tickets.portal.context import Face
from tickets.portal.ticket_story import StoryLine, standing_of, story_of, title_of
from tickets.queries.story import StoryEntry, list_follow_ups, list_story
from tickets.queries.tickets import get_ticket_view
from tickets.queries.views import TicketView
from tickets.rules.attachment import ACCEPT, ALLOWED, LIMITS
from tickets.rules.hours import OutOfReach
from tickets.rules.ticket import Action, Status, reference
from tickets.rules.words import describe_support
from tickets.store import Session
from tickets.sweep import CLOSE_AFTER_DAYS
from tickets.texts import MAX_TEXT

KEY = re.compile(r"[0-9a-f]{32}", re.ASCII)
"""What a token may be, and the key that a page writes into its form."""

_SAID = frozenset({"replied", "reopened", "solved", "again"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedTicket:
    """What is read for a page; ``survivor`` is reference and title of what a duplicate became."""

    visitor: Visitor
    ticket: TicketView
    entries: Sequence[StoryEntry]
    lines: Sequence[StoryLine]
    survivor: tuple[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What somebody typed into the page's form, and what was wrong with it, by field."""

    text: str = ""
    key: str = ""
    faults: Mapping[str, str] = field(default_factory=dict[str, str])
    problem: str = ""


async def show_ticket(portal: Portal, request: Request) -> Response:
    """Show the ticket that the link opens."""
    return await ticket_page(
        portal,
        request.path_params["token"],
        is_asked="asked" in request.query_params,
        said=request.query_params.get("said", ""),
    )


async def show_file(portal: Portal, request: Request) -> Response:
    """Hand out a file of the ticket; one of another ticket is answered as one that is none."""
    context = portal.context
    token, file_id = request.path_params["token"], request.path_params["file"]

    def read(tx: Session) -> Response | None:
        visitor = find_visitor(tx, context.policy, token, now=context.clock.now())
        if visitor is None:
            return None
        found = find_attachment(tx, visitor.link.ticket_id, file_id, only_visible=True)
        return None if found is None else download(found.name, found.media_type, found.content)

    response = await context.store.aread(read)
    if response is None:
        raise HTTPException(404)
    return response


async def ticket_page(
    portal: Portal,
    token: str,
    *,
    draft: Draft = Draft(),
    status: int = 200,
    said: str = "",
    is_asked: bool = False,
) -> Response:
    """Return the page of the ticket that ``token`` opens with ``draft`` in its form.

    ``said`` is what a form has just done, ``is_asked`` tells that a new link was asked for.
    """
    context = portal.context
    now = context.clock.now()
    found = await context.store.aread(lambda tx: read_linked(tx, context.policy, token, now=now))
    if found is None:
        return dead_link(portal, token, is_asked=is_asked)
    ticket, words = found.ticket, portal.words()
    return portal.page(
        "portal/ticket.html",
        face=_face(portal, ticket.client),
        status=status,
        headers=PRIVATE,
        token=token,
        visitor=found.visitor,
        ticket=ticket,
        title=title_of(ticket),
        standing=standing_of(ticket, words),
        lines=found.lines,
        quoted=_quoted(found),
        survivor=found.survivor,
        support=_support(context.policy, ticket, now),
        closes_at=_closes_at(context.policy, ticket),
        draft=draft,
        key=draft.key or secrets.token_hex(16),
        said=said if said in _SAID else "",
        is_asked=is_asked,
        accept=ACCEPT,
        files_hint=f"{LIMITS[0].upper()}{LIMITS[1:]}: {ALLOWED}.",
        most_text=MAX_TEXT,
    )


def read_linked(tx: Session, policy: Policy, token: str, *, now: datetime) -> LinkedTicket | None:
    """Read the ticket that ``token`` opens; None if it opens nothing."""
    visitor = find_visitor(tx, policy, token, now=now)
    if visitor is None:
        return None
    ticket_id = visitor.link.ticket_id
    ticket = get_ticket_view(tx, visitor.ref)
    entries = list_story(tx, ticket_id)
    files: Sequence[AttachmentView] = list_attachments(tx, ticket_id)
    survivor = find_survivor(tx, policy, visitor)
    return LinkedTicket(
        visitor=visitor,
        ticket=ticket,
        entries=entries,
        lines=story_of(ticket, entries, list_follow_ups(tx, ticket_id), files),
        survivor=None if survivor is None else (reference(survivor.id or 0), survivor.title),
    )


def dead_link(portal: Portal, token: str, *, is_asked: bool = False, kept: str = "") -> Response:
    """Return the page of a link that opens nothing: what to do, and nothing about the ticket.

    ``kept`` is what was typed into the form of a page that was open meanwhile.
    """
    return portal.page(
        "portal/dead_link.html",
        face=None,
        status=404,
        headers=PRIVATE,
        token=shown_token(token),
        is_asked=is_asked,
        kept=kept,
    )


def shown_token(token: str) -> str:
    """Return ``token`` as it may stand in an address of ours, whatever was sent in its place."""
    return token if KEY.fullmatch(token) else "0" * 32


def _face(portal: Portal, client: str) -> Face | None:
    """Return the client's look without its logo, which a third party would send."""
    face = portal.context.find_face(client)
    return None if face is None else replace(face, logo_url=None)


def _quoted(found: LinkedTicket) -> str:
    """Return our words to which the client is to say something: a question, or what was done."""
    action = {Status.WAITING: Action.WAIT, Status.RESOLVED: Action.RESOLVE}.get(found.ticket.status)
    said = [entry.text for entry in found.entries if entry.action is action]
    return said[-1] if said else ""


def _support(policy: Policy, ticket: TicketView, now: datetime) -> str:
    try:
        return describe_support(policy.hours_of(ticket.client), now=now)
    except OutOfReach:
        return ""


def _closes_at(policy: Policy, ticket: TicketView) -> datetime | None:
    if ticket.status is not Status.RESOLVED or ticket.resolved_at is None:
        return None
    try:
        return policy.hours_of(ticket.client).add_days(ticket.resolved_at, CLOSE_AFTER_DAYS)
    except OutOfReach:
        return None
