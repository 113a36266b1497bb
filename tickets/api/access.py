"""Who asks: the token of a request, and whether it allows what is asked for."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from math import ceil
from typing import NoReturn

import structlog
from starlette.requests import Request

from tickets import tokens
from tickets.api.operations import Doing, Operation
from tickets.api.problems import Rejected, rejected
from tickets.clock import Clock
from tickets.errors import Unavailable
from tickets.pages.origin import address_of
from tickets.pages.throttle import Allowance, network_of
from tickets.store import Store
from tickets.tokens import PREFIX, TOUCH_EVERY, Caller

MOST_KNOWN = 1000
"""How many tokens are remembered as good ones."""

_IN_ADDRESS = frozenset({"access_token", "api_key", "apikey", "auth", "authorization", "token"})

_log = structlog.stdlib.get_logger()


@dataclass(slots=True)
class Door:
    """Lets callers in by their tokens, and slows down addresses that try wrong ones.

    Twenty wrong tokens at once per address, then one every 30 seconds. A token that was right a
    while ago does not wait for others behind the same address. Held in memory.
    """

    store: Store
    clock: Clock
    _misses: Allowance = field(
        default_factory=lambda: Allowance(burst=20, refill=timedelta(seconds=30)), init=False
    )
    _known: dict[str, None] = field(default_factory=dict[str, None], init=False)

    async def find_caller(self, request: Request) -> Caller:
        """Return who asks; raises ``Rejected`` 401, or 429 after too many wrong tokens."""
        text = _token_of(request)
        mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        network = network_of(address_of(request))
        if mark not in self._known:
            wait = self._misses.wait(network, now=self.clock.monotonic())
            if wait > 0:
                _refuse_for_now(wait)
        now = self.clock.now()
        caller = await self.store.aread(partial(tokens.find_caller, text=text, now=now))
        if caller is None:
            self._known.pop(mark, None)
            self._misses.pay(network, now=self.clock.monotonic())
            _log.warning("api.token_refused", address=address_of(request))
            raise _unauthorised(
                "This token is unknown, expired or revoked.", 'error="invalid_token"'
            )
        if mark not in self._known and len(self._known) >= MOST_KNOWN:
            self._known.pop(next(iter(self._known)))
        self._known[mark] = None
        if caller.used_at is None or now - caller.used_at >= TOUCH_EVERY:
            with suppress(Unavailable):  # reading goes on while the store takes no writes
                await self.store.awrite(
                    partial(tokens.touch_token, token_id=caller.token_id, now=now)
                )
        return caller


def refuse_forbidden(caller: Caller, operation: Operation) -> None:
    """Raise ``Rejected`` 403 unless the caller's token and role allow ``operation``."""
    if operation.scope not in caller.scopes:
        raise rejected(
            403,
            "insufficient-scope",
            f"This needs the scope {operation.scope}, which the token does not have.",
            headers={
                "WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{operation.scope}"'
            },
        )
    if not isinstance(operation, Doing):
        return
    if not caller.may_change():
        detail = f"{caller.actor.name} may read tickets but not change them, so nothing was done."
        raise rejected(403, "viewer", detail)
    if operation.needs_person and not caller.is_person:
        raise rejected(
            403,
            "person-needed",
            "A promise is answered by a named person: use a token that belongs to one"
            " (fettle token add --as EMAIL).",
        )


def _token_of(request: Request) -> str:
    for name, value in request.query_params.multi_items():
        if name.lower() in _IN_ADDRESS or value.startswith(PREFIX):
            raise _unauthorised(
                "A token belongs in the Authorization header, never in the address, which is"
                " logged along the way: revoke it if it was real.",
                'error="invalid_request"',
            )
    headers = request.headers.getlist("authorization")
    if not headers:
        raise _unauthorised("This needs a token: send Authorization: Bearer TOKEN.")
    scheme, _, text = headers[0].partition(" ")
    if len(headers) > 1 or scheme.lower() != "bearer" or not text.strip():
        raise _unauthorised(
            "The Authorization header must be one, and read Bearer TOKEN.",
            'error="invalid_request"',
        )
    return text.strip()


def _unauthorised(detail: str, why: str = "") -> Rejected:
    challenge = ", ".join(part for part in ('Bearer realm="Fettle"', why) if part)
    return rejected(401, "unauthorised", detail, headers={"WWW-Authenticate": challenge})


def _refuse_for_now(wait: float) -> NoReturn:
    seconds = ceil(wait)
    raise rejected(
        429,
        "too-many-wrong-tokens",
        f"Too many wrong tokens came from this address: try again in {seconds} s.",
        headers={"Retry-After": str(seconds)},
    )
