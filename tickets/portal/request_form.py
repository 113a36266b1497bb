"""The page of a client's request form, with the deadlines of this moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tickets.pages.forms import FieldFault
from tickets.pages.uploads import SentForm, Uploads
from tickets.portal.answers import Portal
from tickets.portal.context import Face
from tickets.portal.limits import FormLimits
from tickets.portal.offers import offers_of
from tickets.portal.request_fields import FIELDS, NO_SITE, PRIORITIES, TRAP
from tickets.portal.stamps import make_stamp
from tickets.requests import form_secret
from tickets.rules.attachment import ACCEPT, ALLOWED, LIMITS
from tickets.rules.request import ABOUT


@dataclass(slots=True)
class RequestForms:
    """What all request forms of a process share: the reader of forms, limits, the secret."""

    portal: Portal
    uploads: Uploads = field(default_factory=Uploads)
    limits: FormLimits = field(default_factory=FormLimits)
    _secret: bytes | None = field(default=None, init=False)

    async def secret(self) -> bytes:
        """Return what stamps are signed with; raises ``Unavailable``."""
        if self._secret is None:
            self._secret = await self.portal.context.store.aread(form_secret)
        return self._secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why a form comes back: faults by field, or one problem of the whole, and the HTTP status.

    ``stamp`` is that of the form that was sent, to be sent again; empty asks for a new one.
    """

    status: int = 422
    problem: str = ""
    faults: Sequence[FieldFault] = ()
    stamp: str = ""


_NO_TROUBLE = Trouble(status=200)


async def show_form(forms: RequestForms, request: Request) -> Response:
    """Show the empty form; whoever goes back to it finds in it what they typed."""
    response = await form_page(forms, forms.portal.get_face(request))
    response.headers["Cache-Control"] = "private, no-cache"
    return response


async def show_deadlines(forms: RequestForms, request: Request) -> Response:
    """Send the deadlines of this moment as JSON, for a form that lies open."""
    face, words = forms.portal.get_face(request), forms.portal.words()
    offers = offers_of(forms.portal.context.policy, face.slug, now=words.now)
    due = {
        priority.value: {
            "at": offer.respond_by.isoformat(),
            "words": words.full(offer.respond_by),
        }
        for priority, offer in offers.by_priority.items()
        if offer.respond_by is not None
    }
    return JSONResponse({"support": offers.support, "respond_by": due})


async def form_page(
    forms: RequestForms,
    face: Face,
    form: SentForm | None = None,
    trouble: Trouble = _NO_TROUBLE,
) -> Response:
    """Return the page of the form, with what was typed and what is wrong with it."""
    context = forms.portal.context
    now = context.clock.now()
    offers = offers_of(context.policy, face.slug, now=now)
    return forms.portal.page(
        "portal/request_form.html",
        face=face,
        status=trouble.status,
        offers=offers,
        offered={priority.value: offer for priority, offer in offers.by_priority.items()},
        typed={} if form is None else {name: form.fields.get(name, "") for name in FIELDS},
        had_files=form is not None and form.had_files,
        faults={fault.field: fault.message for fault in trouble.faults},
        problem=trouble.problem,
        stamp=trouble.stamp or make_stamp(await forms.secret(), face.slug, at=now),
        trap=TRAP,
        sites=context.policy.clients[face.slug].sites,
        no_site=NO_SITE,
        priorities=[(priority.value, words) for priority, words in PRIORITIES.items()],
        categories=[(category.value, words) for category, words in ABOUT.items()],
        accept=ACCEPT,
        allowed=ALLOWED,
        limits=LIMITS,
    )
