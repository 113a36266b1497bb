"""Counts our own web requests by method, route and status code; a route is never a raw path.

The counts are of this process and begin at 0 when it starts. A path may hold a secret, such as the
token of a ticket's link, so only the template of the route that took the request is ever a label.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from prometheus_client import Metric
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tickets.clock import Clock
from tickets.metrics import Family

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
"""The label of any other method: whoever asks may invent words."""

UNMATCHED = "unmatched"
"""The route of a request that no route took."""

REQUESTS = Family(
    name="fettle_http_requests_total",
    kind="counter",
    labels=("method", "route", "code"),
    meaning="Web requests that were answered since the process started.",
    present_when="a request of this kind was answered",
)
REQUEST_DURATION = Family(
    name="fettle_http_request_duration_seconds",
    kind="histogram",
    labels=("method", "route"),
    unit="seconds",
    meaning="Web requests by how long the whole answer took.",
    present_when="a request of this kind was answered",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
HTTP_FAMILIES = (REQUESTS, REQUEST_DURATION)


@dataclass(slots=True)
class _Durations:
    within: list[int] = field(default_factory=lambda: [0] * (len(REQUEST_DURATION.buckets) + 1))
    seconds: float = 0.0


class Requests:
    """What was counted of requests; the event loop counts, another thread may read."""

    def __init__(self) -> None:
        self._answers: Counter[tuple[str, str, str]] = Counter()
        self._durations: dict[tuple[str, str], _Durations] = {}

    def note(self, method: str, route: str, *, code: int, seconds: float) -> None:
        """Count one request; ``route`` is a template."""
        method = method if method in METHODS else OTHER
        self._answers[method, route, str(code)] += 1
        durations = self._durations.setdefault((method, route), _Durations())
        durations.within[bisect_left(REQUEST_DURATION.buckets, seconds)] += 1
        durations.seconds += seconds

    def metrics(self) -> Iterator[Metric]:
        """Yield both families."""
        yield REQUESTS.metric(sorted(self._answers.copy().items()))
        metric = REQUEST_DURATION.metric()
        for labels, durations in sorted(self._durations.copy().items()):
            metric.samples += REQUEST_DURATION.histogram_samples(
                labels, tuple(durations.within), durations.seconds
            )
        yield metric


class CountRequests:
    """ASGI middleware that notes every HTTP request that passes through it in ``requests``.

    ``routes`` are those of ``app``, to tell a route's template from the route that took a request.
    """

    def __init__(
        self, app: ASGIApp, *, routes: Sequence[BaseRoute], requests: Requests, clock: Clock
    ) -> None:
        self._app = app
        self._templates = dict(_templates(routes))
        self._requests = requests
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note what became of it; an error counts as 500."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        code = 500
        began = self._clock.monotonic()

        async def note_code(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_code)
        finally:
            route = self._templates.get(id(scope.get("route")), UNMATCHED)
            took = self._clock.monotonic() - began
            self._requests.note(scope["method"], route, code=code, seconds=took)


def _templates(routes: Sequence[BaseRoute], prefix: str = "") -> Iterator[tuple[int, str]]:
    """Yield the template of every route by the route's identity, those of mounted apps included."""
    for route in routes:
        path = prefix + str(getattr(route, "path", ""))
        inner: Sequence[BaseRoute] = getattr(route, "routes", None) or ()
        if inner:
            yield from _templates(inner, path)
        elif isinstance(route, Mount):
            yield id(route), f"{path}/{{path}}"
        else:
            yield id(route), path
