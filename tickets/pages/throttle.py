"""Slows down guessing of passwords, by address and by account, without locking anybody out.

Each attempt is paid for from an allowance that refills steadily. What is refused depends on what
was typed and from where, never on whether the account exists. Held in memory: a restart forgives.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(slots=True)
class Allowance:
    """Up to ``burst`` attempts at once per key, and one more every ``refill`` after that.

    ``now`` is monotonic time in seconds throughout.
    """

    burst: int
    refill: timedelta
    most_keys: int = 10_000
    # When each key's allowance is full again; keys that are full need not be remembered.
    _full_at: dict[str, float] = field(default_factory=dict[str, float], init=False)

    def wait(self, key: str, *, now: float) -> float:
        """Return how many seconds ``key`` must wait before its next attempt; 0 if it need not."""
        spare = (self.burst - 1) * self.refill.total_seconds()
        return max(0.0, self._full_at.get(key, now) - now - spare)

    def pay(self, key: str, *, now: float) -> None:
        """Take one attempt from the allowance of ``key``."""
        if key not in self._full_at and len(self._full_at) >= self.most_keys:
            self._forget(now)
        self._full_at[key] = max(self._full_at.get(key, now), now) + self.refill.total_seconds()

    def refund(self, key: str) -> None:
        """Give ``key`` back one attempt."""
        if key in self._full_at:
            self._full_at[key] -= self.refill.total_seconds()

    def _forget(self, now: float) -> None:
        """Make room: drop the keys that are full, or else the fullest half."""
        kept = sorted((at, key) for key, at in self._full_at.items() if at > now)
        if len(kept) >= self.most_keys:
            kept = kept[len(kept) // 2 :]
        self._full_at = {key: at for at, key in kept}


class SignInThrottle:
    """Admits attempts to sign in: 10 at once per address, 30 per account, then one every 90 s.

    An address from which an account has signed in before does not wait for that account, so that
    whoever guesses at it from elsewhere cannot keep its owner out.
    """

    def __init__(self) -> None:
        self._by_address = Allowance(burst=10, refill=timedelta(seconds=90))
        self._by_account = Allowance(burst=30, refill=timedelta(seconds=90))
        self._known: dict[tuple[str, str], None] = {}

    def admit(self, *, account: str, address: str, now: float) -> float:
        """Count one attempt and return 0, or return how many seconds to wait (and count nothing).

        ``account`` is the address typed, ``address`` where the request came from, ``now`` monotonic
        time in seconds.
        """
        address = network_of(address)
        is_known = (account, address) in self._known
        waits = [self._by_address.wait(address, now=now)]
        if not is_known:
            waits.append(self._by_account.wait(account, now=now))
        if (longest := max(waits)) > 0:
            return longest
        self._by_address.pay(address, now=now)
        if not is_known:
            self._by_account.pay(account, now=now)
        return 0.0

    def forgive(self, *, account: str, address: str) -> None:
        """Note that the attempt was right: it costs nothing and makes the address known."""
        address = network_of(address)
        self._by_address.refund(address)
        if len(self._known) >= self._by_address.most_keys:
            self._known.pop(next(iter(self._known)))
        self._known[(account, address)] = None


def network_of(address: str) -> str:
    """Return what stands for an address in a count: itself, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed), 64), strict=False))
    return address
