"""A statement as one HTML page: all of its style within it, nothing fetched from anywhere.

It reads on a screen, in print and in grey. The same page makes the PDF.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial

from monitor.site_history import uptime_view
from monitor.statement import words
from monitor.statement.figures import SiteFigures, Statement
from tickets.pages.charts import Bar, day_bars, day_words
from tickets.pages.rendering import make_environment, render, static_files
from tickets.pages.watch import DayView
from tickets.pages.words import Words
from tickets.policy import Policy

ACCENT = "#3b2db0"
"""Colour of the page of a client that has none of its own."""

_COLOUR = re.compile(r"#[0-9a-f]{6}", re.ASCII)
_environment = cache(partial(make_environment, ("monitor.statement",)))
_FONTS = ("hanken-grotesk-latin.woff2", "hanken-grotesk-latin-ext.woff2")


@dataclass(frozen=True, slots=True, kw_only=True)
class _SiteView:
    """A site with the bars of its days, and the same in words."""

    site: SiteFigures
    bars: Sequence[Bar]
    bad_days: Sequence[str]


def render_page(statement: Statement, policy: Policy, *, is_served: bool = False) -> str:
    """Return the page of ``statement`` as HTML.

    It holds its fonts within it, unless it ``is_served`` by ourselves beside ``/static``.
    """
    branding = policy.clients[statement.client].branding
    colour = branding.colour or ""
    fonts = [f"/static/{name}" if is_served else _font(name) for name in _FONTS]
    return render(
        _environment(),
        "statement.html",
        {
            "statement": statement,
            "agency_name": policy.agency_name,
            "accent": colour if _COLOUR.fullmatch(colour) else ACCENT,
            "fonts": fonts,
            "say": words,
            "words": Words(policy, statement.at),
            "sites": [_view(site) for site in statement.sites],
        },
    )


def _view(site: SiteFigures) -> _SiteView:
    days = [
        DayView(day.on, None if day.uptime is None else uptime_view(day.uptime))
        for day in site.days
    ]
    bad = [day for day in days if day.uptime and (day.uptime.down or day.uptime.slow)]
    return _SiteView(site=site, bars=day_bars(days), bad_days=[day_words(day) for day in bad])


@cache
def _font(name: str) -> str:
    return f"data:font/woff2;base64,{base64.b64encode(static_files()[name]).decode()}"
