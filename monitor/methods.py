"""Says 405 where an address is right and the method is not, and which methods there are.

Without it the request would go on to the desk, which takes every address that is left and knows no
such page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tickets.api.problems import answer_problem, rejected

Answer = Callable[[Request], Awaitable[Response]]


def routes_of(path: str, answer: Answer, methods: Sequence[str]) -> list[Route]:
    """Return the routes of ``path``: ``answer`` for ``methods``, a refusal for all others.

    GET brings HEAD with it.
    """
    with_head = [*methods, "HEAD"] if "GET" in methods else [*methods]
    return [Route(path, answer, methods=with_head), Route(path, _Refusal(with_head))]


class _Refusal:
    """An ASGI application that refuses every request; a route gives it all methods."""

    def __init__(self, methods: Sequence[str]) -> None:
        self._allowed = ", ".join(methods)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = rejected(
            405, "method-not-allowed", f"This address takes {self._allowed} and nothing else."
        )
        answer = answer_problem(problem.problem, {"Allow": self._allowed})
        await answer(scope, receive, send)
