"""How much may be sent by the forms: by one network, in one address's name, to one client.

What is refused depends on what was typed and from where, never on whether the address is known.
Held in memory: a restart forgives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import timedelta

from starlette.exceptions import HTTPException

from tickets.pages.throttle import Allowance

_NETWORK = "Many requests have come from your network in a short time"
_ADDRESS = "Several requests have come with this e-mail address in a short time"
_CLIENT = "Very many requests have come by this form in a short time"


def _tries() -> Allowance:
    return Allowance(burst=30, refill=timedelta(seconds=20))


def _misses() -> Allowance:
    return Allowance(burst=20, refill=timedelta(seconds=30))


def _by_network() -> Allowance:
    return Allowance(burst=10, refill=timedelta(minutes=2))


def _by_address() -> Allowance:
    return Allowance(burst=6, refill=timedelta(minutes=10))


def _by_client() -> Allowance:
    return Allowance(burst=60, refill=timedelta(seconds=30))


@dataclass(slots=True)
class FormLimits:
    """What each network, address and client has left; ``now`` is monotonic time in seconds."""

    _tries: Allowance = field(default_factory=_tries, init=False)
    _misses: Allowance = field(default_factory=_misses, init=False)
    _by_network: Allowance = field(default_factory=_by_network, init=False)
    _by_address: Allowance = field(default_factory=_by_address, init=False)
    _by_client: Allowance = field(default_factory=_by_client, init=False)

    def count_try(self, network: str, *, now: float) -> None:
        """Count a form that arrives, good or not; raises ``HTTPException`` 429."""
        if (wait := self._tries.wait(network, now=now)) > 0:
            raise _too_many(f"{_NETWORK}. Wait {in_words(wait)}, then send it again.", wait)
        self._tries.pay(network, now=now)

    def refusal(self, *, network: str, address: str, client: str, now: float) -> str:
        """Return why one more request must wait, as a sentence without a stop; empty if it may."""
        allowances = (
            (self._by_network.wait(network, now=now), _NETWORK),
            (self._by_address.wait(address.lower(), now=now), _ADDRESS),
            (self._by_client.wait(client, now=now), _CLIENT),
        )
        wait, why = max(allowances, key=lambda pair: pair[0])
        return f"{why}: the next can be sent in {in_words(wait)}" if wait > 0 else ""

    def pay(self, *, network: str, address: str, client: str, now: float) -> None:
        """Count a request that was taken."""
        self._by_network.pay(network, now=now)
        self._by_address.pay(address.lower(), now=now)
        self._by_client.pay(client, now=now)

    def count_miss(self, network: str, *, now: float) -> None:
        """Count an address of a page that does not exist; raises ``HTTPException`` 429."""
        if (wait := self._misses.wait(network, now=now)) > 0:
            raise _too_many(f"Too many wrong links. Wait {in_words(wait)}.", wait)
        self._misses.pay(network, now=now)


def in_words(wait: float) -> str:
    """Return how long to wait: ``20 seconds``, ``3 minutes``."""
    if wait <= 50:
        seconds = max(1, math.ceil(wait))
        return f"{seconds} second{'' if seconds == 1 else 's'}"
    minutes = math.ceil(wait / 60)
    return f"{minutes} minute{'' if minutes == 1 else 's'}"


def _too_many(sentence: str, wait: float) -> HTTPException:
    return HTTPException(429, sentence, {"Retry-After": str(math.ceil(wait))})
