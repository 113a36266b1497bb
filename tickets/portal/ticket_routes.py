"""The routes of a ticket by its link."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from starlette.routing import Route

from tickets.portal.answers import Portal
from tickets.portal.ticket_forms import TicketForms
from tickets.portal.ticket_page import show_file, show_ticket


def ticket_routes(portal: Portal) -> Sequence[Route]:
    """Return the routes below ``/t/``; looking is all that a GET does."""
    forms = TicketForms(portal)
    return [
        Route("/t/{token}", partial(show_ticket, portal), methods=["GET"]),
        Route("/t/{token}/files/{file}", partial(show_file, portal), methods=["GET"]),
        Route("/t/{token}/reply", forms.take_reply, methods=["POST"]),
        Route("/t/{token}/solved", forms.take_solved, methods=["POST"]),
        Route("/t/{token}/link", forms.take_new_link, methods=["POST"]),
    ]
