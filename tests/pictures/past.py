"""An invented past under the service's own names, as OpenMetrics text for ``promtool tsdb``."""

from __future__ import annotations

import math
from collections.abc import Iterator

from dashboards import names
from tests.pictures.instants import LONG_AGO, MINUTE, OLDER, RECENT, Part
from tests.pictures.past_service import ServicePast
from tests.pictures.past_sites import SitesPast
from tests.pictures.past_tickets import TicketsPast

LONG_KNOWN = ("_seconds_count", "_breaches_total", "_response_overdue")
"""How the names of series end that the panels of 180 days need."""


def past_until(end: int) -> Iterator[str]:
    """Yield the lines up to ``end`` (Unix seconds, a multiple of 15 minutes).

    Every name must be one that the boards may use.
    """
    known = names.known()
    for name, labels, value in list_series(end):
        assert name in known, name
        job = {"job": names.JOB, "instance": "127.0.0.1:8080"} | labels
        head = name + "{" + ",".join(f'{k}="{v}"' for k, v in job.items()) + "}"
        for at in _instants(end, LONG_AGO if name.endswith(LONG_KNOWN) else OLDER):
            number = value(at)
            if not math.isnan(number):
                yield f"{head} {number:.10g} {at}\n"
    yield "# EOF\n"


def list_series(end: int) -> Part:
    """Yield every series of the past up to ``end``."""
    tickets = TicketsPast(end)
    for part in (SitesPast(end), tickets, ServicePast(end, tickets.tickets)):
        yield from part.series()


def _instants(end: int, ago: int) -> Iterator[int]:
    yield from range(end - ago, end - RECENT, 15 * MINUTE)
    yield from range(end - RECENT, end + 1, 5 * MINUTE)
