"""A request form that was sent: taken once, however often it comes, and answered with a receipt.

The answer is the same whoever sent it. What depends on the address is done after the answer, and by
the sweep where that fails.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import structlog
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tickets.errors import ServiceError, Unavailable
from tickets.pages.forms import FieldFault
from tickets.pages.origin import address_of, is_foreign
from tickets.pages.throttle import network_of
from tickets.pages.uploads import SentForm
from tickets.portal.context import Face, PortalContext
from tickets.portal.request_fields import TRAP, read_request
from tickets.portal.request_form import RequestForms, Trouble, form_page
from tickets.portal.stamps import Stamp, read_stamp, receipt_token
from tickets.requests import NoRoom, SentRequest, find_receipt, take_request
from tickets.rules.hours import OutOfReach
from tickets.rules.ticket import reference
from tickets.settling import settle_request

_STALE = "This page has been open for long. Look at your request once more, then send it again"
_HASTY = "That was very quick. Look at your request once more, then send it again"
_TRAPPED = (
    "A field that people do not see was filled in, perhaps by your browser. It is empty again: look"
    " at your request once more, then send it"
)
_AWAY = (
    "Your request could not be stored just now and has not reached us. Your words stand below: wait"
    " a few seconds, then send it again"
)
_BEYOND = "Our calendar does not reach so far, so no deadline can be given"

_log = structlog.stdlib.get_logger()


async def send_form(forms: RequestForms, request: Request) -> Response:
    """Take the form and lead to its receipt, or show it again with every word.

    It comes back with 422 if something is missing or it came too fast, 429 if too many came, 503 if
    the store is away. Raises ``HTTPException`` 403 for a form of another website.
    """
    face, context = forms.portal.get_face(request), forms.portal.context
    network = network_of(address_of(request))
    refuse_foreign(context, request)
    forms.limits.count_try(network, now=context.clock.monotonic())
    async with forms.uploads.read(request) as form:
        try:
            return await _take(forms, face, form, network=network)
        except Unavailable as error:
            _log.warning("portal.request_not_taken", client=face.slug, reason=str(error))
            stamp = form.fields.get("stamp", "")
            return await form_page(
                forms, face, form, Trouble(status=503, problem=_AWAY, stamp=stamp)
            )


def refuse_foreign(context: PortalContext, request: Request, *, is_secret: bool = False) -> None:
    """Raise ``HTTPException`` 403 when a form was not sent from a page of ours.

    ``is_secret`` says that the form's address is a secret, which its page names to nobody.
    """
    if is_foreign(request, base_url=context.policy.base_url, is_secret=is_secret):
        # Not the path: of some forms it holds what only their reader may know.
        _log.warning("portal.foreign_form_refused", address=address_of(request))
        raise HTTPException(
            403,
            "This form was sent from another website, so nothing was done. Open the page itself and"
            " send it from there.",
        )


async def _take(forms: RequestForms, face: Face, form: SentForm, *, network: str) -> Response:
    context = forms.portal.context
    read = read_request(face.slug, context.policy.clients[face.slug], form)
    typed_stamp = form.fields.get("stamp", "")
    stamp = read_stamp(await forms.secret(), face.slug, typed_stamp)
    if stamp is not None and stamp.is_old(context.clock.now()):
        stamp = None
    kept = typed_stamp if stamp is not None else ""
    if read.request is None:
        return await form_page(forms, face, form, Trouble(faults=read.faults, stamp=kept))
    problem = _doubt(context, stamp, form)
    if problem or stamp is None:
        return await form_page(forms, face, form, Trouble(problem=problem, stamp=kept))
    token = receipt_token(stamp, read.request.content_hash())
    if await context.store.aread(partial(find_receipt, token=token)) is not None:
        return to_receipt(face, token)
    trouble, task = await _take_new(forms, read.request, token=token, network=network)
    if trouble is not None:
        return await form_page(forms, face, form, replace(trouble, stamp=kept))
    return to_receipt(face, token, task)


def _doubt(context: PortalContext, stamp: Stamp | None, form: SentForm) -> str:
    """Return why this form is to be sent once more, empty if nothing is doubtful."""
    if stamp is None:
        return _STALE
    if form.fields.get(TRAP, ""):
        return _TRAPPED
    return _HASTY if stamp.is_hasty(context.clock.now()) else ""


async def _take_new(
    forms: RequestForms, sent: SentRequest, *, token: str, network: str
) -> tuple[Trouble | None, BackgroundTask | None]:
    """Store a request within the limits; return what is to be done after the answer."""
    context = forms.portal.context
    who = {"network": network, "address": sent.address, "client": sent.client}
    monotonic = context.clock.monotonic()
    if refusal := forms.limits.refusal(**who, now=monotonic):
        _log.warning("portal.request_throttled", client=sent.client, network=network)
        return Trouble(status=429, problem=f"{refusal}{_or_write(context)}"), None
    at = context.clock.now()
    try:
        receipt = await context.store.awrite(
            partial(take_request, policy=context.policy, sent=sent, token=token, at=at)
        )
    except NoRoom as refusal:
        sentence = str(refusal)
        fault = FieldFault("files", f"{sentence[:1].upper()}{sentence[1:]}")
        return Trouble(status=503, faults=[fault]), None
    except OutOfReach:
        return Trouble(problem=_BEYOND), None
    forms.limits.pay(**who, now=monotonic)
    _log.info("portal.request_taken", client=sent.client, ticket=reference(receipt.number))
    return None, BackgroundTask(_settle, context, receipt.request_id)


def _or_write(context: PortalContext) -> str:
    reply_to = context.policy.reply_to
    return f". If it cannot wait, write to {reply_to}" if reply_to else ""


async def _settle(context: PortalContext, request_id: int) -> None:
    """Open the ticket, or write to the address; the sweep does it if this fails."""
    at = context.clock.now()
    try:
        await context.store.awrite(
            partial(settle_request, policy=context.policy, request_id=request_id, at=at)
        )
    except ServiceError as error:
        _log.warning("portal.request_not_settled", request=request_id, reason=str(error))


def to_receipt(face: Face, token: str, task: BackgroundTask | None = None) -> Response:
    """Return the way to the receipt of a request; ``task`` is done after it is sent."""
    return RedirectResponse(f"/support/{face.slug}/sent/{token}", 303, background=task)
