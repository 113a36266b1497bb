"""Requests that bring alerts: who sends, is it small enough, is it alerts; then it is stored.

The answer is 2xx only after the commit, 503 for whatever passes, so that the sender tries again,
and 4xx for what can never succeed. It is never 429, which Alertmanager does not repeat, and never
a redirect, which it follows without the body.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog
from sqlalchemy.exc import IntegrityError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from monitor.alerts.places import Places
from monitor.alerts.source import SIGNATURE_HEADER, AlertSource
from monitor.alerts.taking import Intake, Taken, count_requests, lock_source
from monitor.methods import routes_of
from monitor.rules.alert import AlertBody, NoAlertBody, TooManyAlerts, read_alerts
from tickets.addresses import shown
from tickets.api.problems import Rejected, answer_problem, rejected
from tickets.clock import Clock
from tickets.errors import Unavailable
from tickets.pages.throttle import Allowance
from tickets.policy import Policy
from tickets.rules.plain_text import several_lines
from tickets.store import Session, Store

LARGEST_BODY = 1024 * 1024
"""Most octets of a body; more is refused without reading on."""

READ_WITHIN = 20.0
"""Seconds that a body may take to arrive."""

AT_ONCE = 500
"""Alerts of one transaction: a longer one would keep a prober from the store for seconds."""

TRIES = 3
"""Transactions that are begun for one body, if others get in the way."""

_PATH = "/api/v1/alerts/{source}"

_log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertContext:
    """The parts that the intake of alerts works with."""

    store: Store
    policy: Policy
    clock: Clock
    sources: Sequence[AlertSource]


def alert_routes(context: AlertContext) -> list[Route]:
    """Return the routes of the intake, with and without a slash at the end of the address."""
    door = AlertDoor(context)
    return [
        route
        for path in (_PATH, f"{_PATH}/")
        for route in routes_of(path, door.answer, ["POST", "PUT"])
    ]


class AlertDoor:
    """Answers the requests that bring alerts, and counts how they end.

    Refused requests are counted in the store at a bounded rate, so that a stranger cannot keep it
    busy; what is not written yet goes with the next write.
    """

    def __init__(self, context: AlertContext) -> None:
        self._context = context
        self._sources = {source.name: source for source in context.sources}
        self._intake = Intake(context.policy, Places(context.policy))
        self._pending = {name: Counter[str]() for name in self._sources}
        self._writes = Allowance(burst=20, refill=timedelta(seconds=1))

    async def answer(self, request: Request) -> Response:
        """Take a request's alerts in and say so, or refuse it with a problem document."""
        source = self._sources.get(request.path_params["source"])
        if source is None:
            name = shown(request.path_params["source"])
            problem = rejected(404, "not-found", f"There is no source of alerts {name}.")
            return answer_problem(problem.problem)
        try:
            body = await self._read(request, source)
            taken = await self._store(source, body)
        except Rejected as error:
            return answer_problem(error.problem, error.headers)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        return JSONResponse({"alerts": taken.alerts, "begun": taken.begun, "ended": taken.ended})

    async def _read(self, request: Request, source: AlertSource) -> AlertBody:
        """Return the alerts of a request; raises ``Rejected``."""
        if not source.knows(request.headers.getlist("authorization")):
            raise await self._refuse(source, "unauthorised", _unauthorised("token"))
        content = await self._read_content(request, source)
        now = self._context.clock.now()
        is_signed = source.signed(
            content,
            signature=request.headers.get(SIGNATURE_HEADER, ""),
            timestamp=request.headers.get(source.hmac_timestamp_header or "", ""),
            now=now,
        )
        if not is_signed:
            raise await self._refuse(source, "unauthorised", _unauthorised("signature"))
        try:
            return await asyncio.to_thread(read_alerts, content, clean=several_lines, now=now)
        except NoAlertBody as error:
            problem = rejected(400, "no-alerts", f"This is no body of alerts: {error}.")
            raise await self._refuse(source, "malformed", problem) from error
        except TooManyAlerts as error:
            problem = rejected(413, "too-large", f"The body is too large: {error}.")
            raise await self._refuse(source, "too_large", problem) from error

    async def _read_content(self, request: Request, source: AlertSource) -> bytes:
        encoding = request.headers.get("content-encoding", "identity").lower()
        if encoding != "identity":
            raise await self._refuse(source, "malformed", _compressed(encoding))
        declared = request.headers.get("content-length", "")
        is_number = declared.isascii() and declared.isdigit()
        if is_number and (len(declared) > 9 or int(declared) > LARGEST_BODY):
            raise await self._refuse(source, "too_large", _too_large())
        content = bytearray()
        try:
            async with asyncio.timeout(READ_WITHIN):
                async for chunk in request.stream():
                    content += chunk
                    if len(content) > LARGEST_BODY:
                        break
        except TimeoutError as error:
            raise _unavailable("The body did not arrive in time") from error
        if len(content) > LARGEST_BODY:
            raise await self._refuse(source, "too_large", _too_large())
        return bytes(content)

    async def _store(self, source: AlertSource, body: AlertBody) -> Taken:
        """Store the alerts and return what came of it; raises ``Rejected`` 503 for a fault."""
        pending = self._take_pending(source)
        taken = Taken()
        try:
            for part in (parts := [*body.parts(AT_ONCE)]):
                # A request is good when the last of it is stored.
                outcomes = pending + Counter(ok=1) if part is parts[-1] else Counter[str]()
                work = partial(self._take, source=source, body=part, outcomes=outcomes)
                taken = taken.plus(await self._write(work))
        except Unavailable as error:
            self._pending[source.name] += pending + Counter(store_error=1)
            _log.warning("alerts.not_stored", source=source.name, reason=str(error))
            raise _unavailable("The store does not answer") from error
        if taken.begun or taken.ended:
            _log.info(
                "alerts.taken",
                source=source.name,
                alerts=taken.alerts,
                begun=taken.begun,
                ended=taken.ended,
            )
        return taken

    async def _write(self, work: Callable[[Session], Taken]) -> Taken:
        for _ in range(TRIES - 1):
            try:
                return await self._context.store.awrite(work)
            except IntegrityError:  # another source has just opened the same
                continue
        try:
            return await self._context.store.awrite(work)
        except IntegrityError as error:
            raise Unavailable(f"others are in the way: {error.orig}") from error

    def _take(
        self, tx: Session, *, source: AlertSource, body: AlertBody, outcomes: Counter[str]
    ) -> Taken:
        return self._intake.take(tx, source, body, at=self._context.clock.now(), outcomes=outcomes)

    def _take_pending(self, source: AlertSource) -> Counter[str]:
        """Return what was counted and is not written yet; whoever fails to write it adds it."""
        pending = self._pending[source.name]
        self._pending[source.name] = Counter()
        return pending

    async def _refuse(self, source: AlertSource, outcome: str, problem: Rejected) -> Rejected:
        """Count a refused request and return the problem that answers it."""
        self._pending[source.name][outcome] += 1
        _log.warning("alerts.refused", source=source.name, outcome=outcome)
        monotonic = self._context.clock.monotonic()
        if self._writes.wait("", now=monotonic) > 0:
            return problem
        self._writes.pay("", now=monotonic)
        counted = self._take_pending(source)
        try:
            await self._context.store.awrite(partial(self._count, source=source, counted=counted))
        except (Unavailable, IntegrityError):
            self._pending[source.name] += counted
        return problem

    def _count(self, tx: Session, *, source: AlertSource, counted: Counter[str]) -> None:
        at = self._context.clock.now()
        count_requests(lock_source(tx, source.name, at=at), counted)


def _unauthorised(what: str) -> Rejected:
    return rejected(
        401,
        "unauthorised",
        f"The {what} is missing or wrong for this source of alerts.",
        headers={"WWW-Authenticate": 'Bearer realm="Fettle alerts"'},
    )


def _compressed(encoding: str) -> Rejected:
    detail = f"The body is encoded as {shown(encoding)}: alerts are taken as they are, unpacked."
    return rejected(415, "encoded", detail)


def _too_large() -> Rejected:
    return rejected(
        413,
        "too-large",
        "The body is too large: at most 1 MiB is taken.",
        headers={"Connection": "close"},
    )


def _unavailable(why: str) -> Rejected:
    detail = f"{why}, so nothing was stored: send it again."
    return rejected(503, "unavailable", detail, headers={"Retry-After": "5"})
