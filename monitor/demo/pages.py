"""The demo's own pages: the sites with their switches, and the mails that were sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from monitor.demo.postbox import Postbox
from monitor.demo.websites import Mood, Website
from monitor.store_watch import StoreWatch
from tickets.clock import Clock
from tickets.desk.app import show_static
from tickets.pages.headers import SecurityHeaders
from tickets.pages.rendering import make_environment, render
from tickets.pages.watch import SiteView
from tickets.pages.words import Words
from tickets.policy import Policy
from tickets.store import Store

_MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
"""A mail's HTML may style itself and do nothing else; only the mail's own page frames it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What the demo's pages show: where the desk is and how to sign in there."""

    websites: Sequence[Website]
    postbox: Postbox
    store: Store
    policy: Policy
    clock: Clock
    watch: StoreWatch
    desk_url: str
    email: str
    password: str

    def website(self, slug: str) -> Website:
        """Return the website with this slug; raises ``HTTPException`` 404."""
        for website in self.websites:
            if website.slug == slug:
                return website
        raise HTTPException(404)


def demo_app(demo: Demo) -> Starlette:
    """Return the application of the demo's pages."""
    pages = _Pages(demo)
    return Starlette(
        routes=[
            Route("/", pages.show_sites),
            Route("/sites/{slug}/{mood}", pages.change, methods=["POST"]),
            Route("/mails", pages.show_mails),
            Route("/mails/{number:int}", pages.show_mail),
            Route("/mails/{number:int}/html", pages.show_mail_html),
            Route("/static/{name}", show_static),
            Route("/demo.css", pages.show_style),
            Route("/favicon.svg", pages.show_icon),
        ],
        middleware=[Middleware(SecurityHeaders, is_secure=False)],
    )


class _Pages:
    def __init__(self, demo: Demo) -> None:
        self._demo = demo
        self._environment = make_environment(["monitor.demo"])

    async def show_sites(self, _request: Request) -> Response:
        """Show each site with what Fettle knows of it, and the switches."""
        seen = await self._demo.store.aread(self._demo.watch.list_sites)
        by_slug: Mapping[str, SiteView] = {view.slug: view for view in seen}
        rows = [(website, by_slug.get(website.slug)) for website in self._demo.websites]
        return self._page("sites.html", rows=rows, moods=Mood)

    async def change(self, request: Request) -> Response:
        """Make a site behave otherwise."""
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            raise HTTPException(403, "This switch only works from the demo's own page.")
        website = self._demo.website(request.path_params["slug"])
        try:
            mood = Mood(request.path_params["mood"])
        except ValueError:
            raise HTTPException(404) from None
        await website.become(mood)
        return RedirectResponse("/", 303)

    async def show_mails(self, _request: Request) -> Response:
        """List the mails, the newest first."""
        return self._page("mails.html", mails=list(self._demo.postbox.mails))

    async def show_mail(self, request: Request) -> Response:
        """Show one mail as its recipient sees it."""
        mail = self._demo.postbox.find(request.path_params["number"])
        if mail is None:
            raise HTTPException(404)
        return self._page("mail.html", mail=mail)

    async def show_mail_html(self, request: Request) -> Response:
        """Send the HTML part of a mail, for the frame on its page."""
        mail = self._demo.postbox.find(request.path_params["number"])
        if mail is None:
            raise HTTPException(404)
        headers = {"Content-Security-Policy": _MAIL_POLICY, "X-Frame-Options": "SAMEORIGIN"}
        return HTMLResponse(mail.html, headers=headers)

    async def show_style(self, _request: Request) -> Response:
        """Send what the demo's pages need beyond the desk's stylesheet."""
        style = resources.files("monitor.demo") / "static" / "demo.css"
        return Response(style.read_bytes(), media_type="text/css; charset=utf-8")

    async def show_icon(self, _request: Request) -> Response:
        """Draw the plain mark."""
        icon = render(self._environment, "favicon.svg", {"state": None})
        return Response(icon, media_type="image/svg+xml")

    def _page(self, name: str, **facts: object) -> Response:
        demo = self._demo
        words = Words(demo.policy, demo.clock.now())
        common: dict[str, object] = {
            "demo": demo,
            "words": words,
            "mail_count": len(demo.postbox.mails),
        }
        return HTMLResponse(render(self._environment, f"demo/{name}", common | facts))
