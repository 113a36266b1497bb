"""Turns errors into pages: one clear sentence, what to do next, and nothing of the inside."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from tickets.errors import Conflict, NotFound, Refused, Unavailable

_log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A page about something that did not work: what, and what to do next.

    ``mark`` is by what the log knows a fault that nobody expected.
    """

    status: int
    title: str
    message: str
    advice: str = ""
    retry_after: int | None = None
    mark: str = ""


_TITLES = {
    400: "That did not work",
    403: "Not allowed",
    404: "There is no such page",
    405: "Not from here",
    408: "It took too long",
    410: "No longer valid",
    413: "Too large",
    415: "Not a form",
    429: "One moment",
    503: "Not at this moment",
}

_MESSAGES = {
    404: "The address may be mistyped, or what it named is gone.",
    405: "This address takes forms, not visits.",
}


FaultPage = Callable[[Request, Fault], Response]


def fault_handlers(fault_page: FaultPage) -> dict[object, ExceptionHandler]:
    """Return what answers each kind of error with a page; ``Exception`` is what nobody expected."""

    def handler(make: Callable[[Exception], Fault]) -> ExceptionHandler:
        async def answer(request: Request, error: Exception) -> Response:
            return fault_page(request, make(error))

        return cast("ExceptionHandler", answer)

    async def answer_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        response = fault_page(request, _http_fault(error))
        response.headers.update(error.headers or {})
        return response

    return {
        HTTPException: cast("ExceptionHandler", answer_http),
        NotFound: handler(_not_found),
        Refused: handler(_refused),
        Conflict: handler(_conflict),
        Unavailable: handler(_unavailable),
        Exception: handler(_unexpected),
    }


def _http_fault(error: HTTPException) -> Fault:
    # Starlette fills in the standard phrase where nobody gave a sentence.
    is_sentence = error.detail.endswith((".", ").")) and " " in error.detail
    default = _MESSAGES.get(error.status_code, "The request could not be understood.")
    return Fault(
        status=error.status_code,
        title=_TITLES.get(error.status_code, "That did not work"),
        message=error.detail if is_sentence else default,
    )


def _not_found(error: Exception) -> Fault:
    return Fault(status=404, title="Not found", message=_sentence(error))


def _refused(error: Exception) -> Fault:
    return Fault(status=400, title="Not possible", message=_sentence(error))


def _conflict(error: Exception) -> Fault:
    return Fault(
        status=409,
        title="It has changed meanwhile",
        message=_sentence(error),
        advice="Go back to it and look again.",
    )


def _unavailable(error: Exception) -> Fault:
    _log.warning("pages.part_unavailable", reason=str(error))
    return Fault(
        status=503,
        title="Not at this moment",
        message="A part of Fettle does not answer, so nothing was done.",
        advice="Wait a few seconds and try again. Nothing that was saved before is lost.",
        retry_after=5,
    )


def _unexpected(error: Exception) -> Fault:
    mark = secrets.token_hex(4)
    _log.error("pages.request_failed", fault=mark, exc_info=error)
    return Fault(
        status=500,
        title="Something broke on our side",
        message=f"The fault is noted in the log as {mark}.",
        advice="Try again; if it stays, give that number to whoever runs Fettle.",
        mark=mark,
    )


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
