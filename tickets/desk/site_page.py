"""One site: how it stands, how it stood over 90 days, how fast it answered, its last incidents."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from tickets.accounts import SignedIn
from tickets.desk.answers import Desk
from tickets.desk.context import read_page
from tickets.errors import NotFound
from tickets.pages.charts import day_bars, day_words, response_chart, uptime_parts
from tickets.pages.watch import DayView, SiteHistory, Watch
from tickets.store import Session


async def show_site(desk: Desk, request: Request, me: SignedIn) -> Response:
    """Show the page of one site; raises ``NotFound`` if it is not watched."""
    context = desk.context
    slug: str = request.path_params["slug"]
    find = partial(_get_site, watch=context.watch, slug=slug)
    frame, history = await read_page(context, me, find)
    return desk.page(
        "site.html",
        frame=frame,
        site=history.view,
        history=history,
        bars=day_bars(history.days),
        bad_days=[day_words(day) for day in reversed(history.days) if is_bad(day)],
        unwatched_days=sum(day.uptime is None for day in history.days),
        chart=response_chart(history, now=context.clock.now()),
        uptime_parts=uptime_parts,
    )


def is_bad(day: DayView) -> bool:
    """Tell whether a day had a time at which the site was down or slow."""
    return day.uptime is not None and bool(day.uptime.down or day.uptime.slow)


def _get_site(tx: Session, *, watch: Watch, slug: str) -> SiteHistory:
    history = watch.find_site(tx, slug[:100])
    if history is None:
        raise NotFound(f"no site {slug[:100]!r} is watched")
    return history
