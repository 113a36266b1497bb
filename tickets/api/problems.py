"""How the API says no: one problem document (RFC 9457) for every refusal and every fault."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import cast

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tickets.api.documents import EntryDocument, FieldFault, Problem
from tickets.errors import Conflict, NotFound, Refused, ServiceError, Unavailable
from tickets.kept_answers import KeyReused
from tickets.rules.hours import OutOfReach

ExceptionHandler = Callable[[Request, Exception], Awaitable[Response]]

PROBLEM_TYPE = "application/problem+json"

_log = structlog.stdlib.get_logger()


class Rejected(ServiceError):
    """The request is answered with a problem; nothing was done."""

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.headers = dict(headers or {})


class StaleVersion(Conflict):
    """The ticket has changed since the version that the request named."""

    def __init__(self, message: str, *, version: int, changes: list[EntryDocument]) -> None:
        super().__init__(message)
        self.version = version
        self.changes = changes


def rejected(
    status: int,
    kind: str,
    detail: str,
    *,
    errors: Sequence[FieldFault] = (),
    headers: Mapping[str, str] | None = None,
) -> Rejected:
    """Return what to raise to answer with ``status``; ``kind`` ends the problem's type."""
    return Rejected(_problem(status, kind, detail, errors=list(errors) or None), headers)


def answer_problem(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem as an answer."""
    return Response(problem.as_json(), problem.status, dict(headers or {}), media_type=PROBLEM_TYPE)


def problem_handlers() -> dict[object, ExceptionHandler]:
    """Return what answers each kind of error; ``Exception`` stands for all that nobody expected."""

    async def answer(_request: Request, error: Exception) -> Response:
        found = _find_problem(error)
        return answer_problem(found.problem, found.headers)

    kinds = (Rejected, HTTPException, NotFound, Refused, Conflict, OutOfReach, Unavailable)
    return cast("dict[object, ExceptionHandler]", dict.fromkeys((*kinds, Exception), answer))


def _find_problem(error: Exception) -> Rejected:
    match error:
        case Rejected():
            return error
        case HTTPException():
            return _of_http(error)
        case NotFound():
            return rejected(404, "not-found", _sentence(error))
        case StaleVersion():
            problem = _problem(409, "stale-version", _sentence(error))
            more = {"version": error.version, "changes": error.changes}
            return Rejected(problem.model_copy(update=more))
        case Conflict():
            return rejected(409, "not-possible-now", _sentence(error))
        case KeyReused():
            return rejected(422, "idempotency-key-reused", _sentence(error))
        case Refused() | OutOfReach():
            return rejected(422, "refused", _sentence(error))
        case Unavailable():
            _log.warning("api.part_unavailable", reason=str(error))
            detail = "A part of Fettle does not answer, so nothing was done: try again in a while."
            return rejected(503, "unavailable", detail, headers={"Retry-After": "5"})
        case _:
            mark = secrets.token_hex(4)
            _log.error("api.request_failed", fault=mark, exc_info=error)
            detail = f"Something broke on our side; the log has it as {mark}."
            return rejected(500, "fault", detail)


def _of_http(error: HTTPException) -> Rejected:
    if error.status_code == 404:
        detail = "There is nothing at this address; /api/v1/openapi.json lists every address."
        return rejected(404, "not-found", detail)
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        detail = f"This address does not take this method; it takes {allowed}."
        return rejected(405, "method-not-allowed", detail, headers=error.headers)
    return rejected(error.status_code, "refused", error.detail, headers=error.headers)


def _problem(
    status: int, kind: str, detail: str, *, errors: list[FieldFault] | None = None
) -> Problem:
    return Problem(
        type=f"urn:fettle:problem:{kind}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        errors=errors,
    )


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
