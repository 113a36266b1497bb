"""The API as one ASGI application, to be mounted at ``/api/v1``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import Any, cast

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from tickets.api.access import Door, refuse_forbidden
from tickets.api.bodies import read_body, read_key, read_query
from tickets.api.calls import Call
from tickets.api.deeds import check_version
from tickets.api.documents import ticket_document
from tickets.api.openapi import openapi_document
from tickets.api.operations import OPERATIONS, Doing, Operation, Reading
from tickets.api.orders import Change, NoQuestion
from tickets.api.problems import problem_handlers
from tickets.clock import Clock
from tickets.errors import Unavailable
from tickets.kept_answers import Answer, Claim, KeyTaken, claim_key, keep_answer
from tickets.pages.headers import SecurityHeaders
from tickets.policy import Policy
from tickets.queries.tickets import get_ticket_view
from tickets.refusals import aattempt
from tickets.rules.ticket import reference
from tickets.store import Session, Store

AT = "/api/v1"
"""Where the application is mounted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiContext:
    """The parts that the API works with; ``version`` is the product's own."""

    store: Store
    policy: Policy
    clock: Clock
    version: str


def api_mount(context: ApiContext) -> Mount:
    """Return the API at ``AT``, also for addresses with a line end in them."""
    mount = Mount(AT, api_app(context))
    mount.path_regex = re.compile(mount.path_regex.pattern, re.DOTALL)
    return mount


def api_app(context: ApiContext) -> ASGIApp:
    """Return the API, ready to be mounted at ``AT``."""
    handlers = cast("dict[Any, Any]", problem_handlers())
    app = Starlette(routes=api_routes(context), exception_handlers=handlers)
    app.router.redirect_slashes = False  # it would build its address from the Host header
    is_secure = context.policy.is_secure
    return SecurityHeaders(app, is_secure=is_secure)


def api_routes(context: ApiContext) -> list[Route]:
    """Return one route for each address of the table, and the one that needs no token."""
    api = Api(context)
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        method = "POST" if isinstance(operation, Doing) else "GET"
        by_path.setdefault(operation.path, {})[method] = operation

    async def openapi(_request: Request) -> Response:
        return Response(_description(context.version), media_type="application/json")

    return [
        Route("/openapi.json", openapi),
        *(
            Route(path, partial(api.answer, found), methods=list(found))
            for path, found in by_path.items()
        ),
    ]


@cache
def _description(version: str) -> str:
    """Return the API's description as it is served; made when it is first asked for."""
    return json.dumps(openapi_document(version=version), ensure_ascii=False)


class Api:
    """A running API: its context and what it keeps between requests."""

    def __init__(self, context: ApiContext) -> None:
        self._context = context
        self._door = Door(context.store, context.clock)

    async def answer(self, operations: dict[str, Operation], request: Request) -> Response:
        """Answer one request: who asks, may they, what do they ask, then do it."""
        operation = operations["POST" if request.method == "POST" else "GET"]
        caller = await self._door.find_caller(request)
        refuse_forbidden(caller, operation)
        call = partial(
            Call,
            policy=self._context.policy,
            caller=caller,
            ref=request.path_params.get("ref", ""),
            at=self._context.clock.now(),
        )
        if isinstance(operation, Reading):
            asked = call(question=read_query(request, operation.question), order=None)
            text = await self._context.store.aread(lambda tx: operation.work(tx, asked).as_json())
            return Response(text, media_type="application/json")
        question = read_query(request, NoQuestion)
        key = read_key(request)
        body = await read_body(request)
        told = call(question=question, order=body.read_as(operation.order))
        claim = None
        if key is not None:
            digest = body.digest(operation.name, told.ref)
            claim = Claim(token_id=caller.token_id, key=key, request_hash=digest)
        answer = await self._carry_out(partial(_effect, operation, told, claim), at=told.at)
        headers: dict[str, str] = {}
        if answer.status == 201:
            headers["Location"] = f"{AT}/tickets/{json.loads(answer.body)['reference']}"
        return Response(answer.body, answer.status, headers, media_type="application/json")

    async def _carry_out(self, effect: Callable[[Session], Answer], *, at: datetime) -> Answer:
        for _ in range(2):
            try:
                return await aattempt(self._context.store, effect, at=at)
            except KeyTaken:  # by another process; now its answer can be read
                continue
        raise Unavailable("the same Idempotency-Key is being used at this moment")


def _effect(operation: Doing, call: Call, claim: Claim | None, tx: Session) -> Answer:
    """Do what is asked, once for each key, in the write transaction ``tx``."""
    if claim is not None:
        kept = claim_key(tx, claim, at=call.at)
        if kept is not None:
            return kept
    if isinstance(call.order, Change):
        check_version(tx, call)
    row = operation.work(tx, call)
    tx.flush()
    ticket = get_ticket_view(tx, reference(row.id or 0))
    answer = Answer(operation.status, ticket_document(ticket, now=call.at).as_json())
    if claim is not None:
        keep_answer(tx, claim, answer)
    return answer
