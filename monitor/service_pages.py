"""The pages that tell of the service itself: is it alive, is it ready, its metrics; and reloading.

None of them asks who comes: keep them on loopback or behind a proxy.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from monitor.methods import routes_of
from monitor.metrics import MetricsPage
from monitor.queries import readiness
from monitor.reloading import Loads, Word
from tickets.api.problems import answer_problem, rejected
from tickets.calendars import ends_soon
from tickets.clock import Clock
from tickets.errors import Unavailable
from tickets.policy import Policy
from tickets.queries.mail_faults import mail_warnings
from tickets.store import Store

_REFUSED = (
    "The configuration was refused and the one before stays in force: fettle check-config and the "
    "log say why."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePages:
    """The pages of one process, and what they tell of."""

    store: Store
    policy: Policy
    clock: Clock
    loads: Loads
    metrics: MetricsPage

    def routes(self) -> list[Route]:
        """Return the routes of the pages."""
        return [
            *routes_of("/-/healthy", self.show_health, ["GET"]),
            *routes_of("/-/ready", self.show_readiness, ["GET"]),
            *routes_of("/-/reload", self.reload, ["POST", "PUT"]),
            *routes_of("/metrics", self.show_metrics, ["GET"]),
        ]

    async def show_health(self, _request: Request) -> Response:
        """Say that the process answers, whatever else is amiss."""
        return PlainTextResponse("Fettle is running\n")

    async def show_readiness(self, _request: Request) -> Response:
        """Say whether the service does its work, and why not: 503 then."""
        now = self.clock.now()
        try:
            reasons, warnings = await self.store.aread(
                lambda tx: ([*readiness(tx, now)], [*mail_warnings(tx, now)])
            )
        except Unavailable as error:
            reasons, warnings = [str(error)], []
        if not self.loads.is_good:
            # Everything works, but not as somebody just wrote, who may be gone by now.
            reasons.append("the last configuration was refused; the one before is in force")
        is_ready = not reasons
        last = ends_soon(self.policy, now)
        if last is not None:
            warnings.append(f"holidays are known until {last} only")
        return JSONResponse(
            {"ready": is_ready, "reasons": reasons, "warnings": warnings},
            status_code=200 if is_ready else 503,
        )

    async def reload(self, request: Request) -> Response:
        """Ask for the configuration to be loaded anew, and say whether it was."""
        if request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
            return answer_problem(rejected(403, "cross-site", "Another site asked.").problem)
        try:
            word = await self.loads.ask()
        except Unavailable as error:
            return answer_problem(rejected(503, "unavailable", f"{error}.").problem)
        if word in {Word.REFUSED, Word.STILL_REFUSED}:
            # Whoever asks is nobody we know, so the fault itself is told in the log alone.
            return answer_problem(rejected(422, "configuration-refused", _REFUSED).problem)
        return JSONResponse({"reloaded": word is Word.LOADED})

    async def show_metrics(self, request: Request) -> Response:
        """Send the metrics in the form that the request accepts; 503 without a store."""
        accept = request.headers.get("accept", "")
        try:
            pieces, content_type = await self.metrics.get(accept)
        except Unavailable as error:
            return PlainTextResponse(f"{error}\n", status_code=503)
        length = str(sum(map(len, pieces)))
        headers = {"content-type": content_type, "content-length": length, "vary": "Accept"}
        return StreamingResponse(_each(pieces), headers=headers)


async def _each(pieces: Sequence[bytes]) -> AsyncGenerator[bytes]:
    """Hand out a large page piece by piece, as fast as it is taken."""
    for piece in pieces:
        yield piece
