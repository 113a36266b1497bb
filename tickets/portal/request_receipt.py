"""What follows a request that was sent: its receipt, and the page on which its address is verified.

Reading either page changes nothing.
"""

from __future__ import annotations

from functools import partial

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tickets.errors import Conflict
from tickets.pages.forms import read_number
from tickets.pages.origin import address_of
from tickets.pages.throttle import network_of
from tickets.portal.answers import PRIVATE, Portal
from tickets.portal.request_fields import PRIORITIES
from tickets.portal.request_form import RequestForms, show_deadlines, show_form
from tickets.portal.request_sending import refuse_foreign, send_form
from tickets.requests import KEPT_FOR, find_receipt
from tickets.rules.request import ABOUT
from tickets.rules.ticket import reference
from tickets.verification import VerifyLink, claim_request, decline_request, list_claimable

_log = structlog.stdlib.get_logger()


def request_routes(portal: Portal) -> list[Route]:
    """Return the routes of all request forms and of what follows them."""
    forms = RequestForms(portal)
    return [
        Route("/support/{client}", partial(show_form, forms), methods=["GET"]),
        Route("/support/{client}", partial(send_form, forms), methods=["POST"]),
        Route("/support/{client}/deadlines", partial(show_deadlines, forms), methods=["GET"]),
        Route("/support/{client}/sent/{token}", partial(show_receipt, forms), methods=["GET"]),
        Route("/support/{client}/verify/{token}", partial(show_waiting, forms), methods=["GET"]),
        Route("/support/{client}/verify/{token}", partial(verify, forms), methods=["POST"]),
    ]


async def show_receipt(forms: RequestForms, request: Request) -> Response:
    """Show the receipt of a request: the same page whether its address is known or not."""
    face, context = forms.portal.get_face(request), forms.portal.context
    token = request.path_params["token"]
    receipt = await context.store.aread(partial(find_receipt, token=token))
    if receipt is None or receipt.client != face.slug:
        _miss(forms, request)
        raise HTTPException(404)
    policy = context.policy
    return forms.portal.page(
        "portal/request_sent.html",
        face=face,
        headers=PRIVATE,
        receipt=receipt,
        reference=reference(receipt.number),
        asked=PRIORITIES[receipt.priority],
        about=None if receipt.category is None else ABOUT.get(receipt.category),
        met_by=policy.targets_of(face.slug)[receipt.priority].met_by.value,
        kept_hours=int(KEPT_FOR.total_seconds() // 3600),
    )


async def show_waiting(forms: RequestForms, request: Request) -> Response:
    """Show what waits for the owner of an address, each with its own button."""
    face, context = forms.portal.get_face(request), forms.portal.context
    link = VerifyLink(face.slug, request.path_params["token"])
    work = partial(list_claimable, policy=context.policy, link=link, at=context.clock.now())
    claimable = await context.store.aread(work)
    if claimable is None:
        _miss(forms, request)
        raise HTTPException(
            410,
            "This link is older than two days or was cut off by the mail program. Requests that"
            " were not verified are deleted: please send yours again.",
        )
    return forms.portal.page(
        "portal/request_verify.html",
        face=face,
        headers=PRIVATE,
        claimable=claimable,
        references={one.receipt.request_id: reference(one.receipt.number) for one in claimable},
    )


async def verify(forms: RequestForms, request: Request) -> Response:
    """Send a request on, or forget it, as its address's owner says; lead back to the page."""
    face, context = forms.portal.get_face(request), forms.portal.context
    refuse_foreign(context, request, is_secret=True)
    async with forms.uploads.read(request) as form:
        fields = form.fields
    link, at = VerifyLink(face.slug, request.path_params["token"]), context.clock.now()
    number = read_number(fields.get("request", ""))
    if number is None or fields.get("answer") not in {"mine", "not_mine"}:
        raise HTTPException(400, "The form was not complete, so nothing was done.")
    if fields["answer"] == "mine":
        claim = partial(claim_request, policy=context.policy, link=link, request_id=number, at=at)
        try:
            receipt = await context.store.awrite(claim)
        except Conflict:
            _miss(forms, request)
            raise
        _log.info("portal.request_verified", client=face.slug, ticket=reference(receipt.number))
    else:
        await context.store.awrite(partial(decline_request, link=link, request_id=number, at=at))
        _log.info("portal.request_declined", client=face.slug)
    return RedirectResponse(f"/support/{face.slug}/verify/{link.token}", 303)


def _miss(forms: RequestForms, request: Request) -> None:
    network = network_of(address_of(request))
    forms.limits.count_miss(network, now=forms.portal.context.clock.monotonic())
