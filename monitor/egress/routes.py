"""Whether an address was tried in vain before another one worked, and whether that tells anything.

libcurl tries one address after the other, IPv6 and IPv4 in turn, and tells nothing of those that
failed as long as one works. A site half of whose addresses are dead is up, and worth a warning.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence

from monitor.egress.seen import Seen

_NO_WAY = {errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENETDOWN}
_MOST_NAMED = 4
_PATIENCE_SECONDS = 0.19
"""libcurl tries the next address after 200 ms even if the one before may still come."""


def has_route(address: str) -> bool:
    """Tell whether this host knows any way to ``address``; nothing is sent.

    A host without IPv6 can say nothing of a site's IPv6 addresses.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as trial:
            trial.connect((address, 443))
    except OSError as error:
        return error.errno not in _NO_WAY
    return True


def lacks_ipv6(seen: Seen) -> bool:
    """Tell whether all that was attempted is IPv6, of which this host has none: our own fault."""
    denied = {address for address, _ in seen.blocked}
    tried = [address for address in seen.attempted if address not in denied]
    return bool(tried) and all(":" in address and not has_route(address) for address in tried)


def warn_of_other_addresses(seen: Seen, connected: str, *, after_seconds: float) -> str | None:
    """Return a sentence on the addresses that came before ``connected``; None for nothing.

    They were tried in vain, or denied. ``after_seconds`` is when the connection stood, counted as
    ``seen.attempted_at`` is.
    """
    if len(seen.attempted) < 2 or connected not in seen.attempted:
        return None
    denied = dict(seen.blocked)
    passed_over = seen.attempted[: seen.attempted.index(connected)]
    parts = [f"{each} is {denied[each]}" for each in passed_over if each in denied][:_MOST_NAMED]
    dead = [each for each in passed_over if each not in denied and has_route(each)]
    if dead:
        parts.append(_dead(dead, connected, seen, after_seconds=after_seconds))
    return "; ".join(parts) or None


def _dead(dead: Sequence[str], connected: str, seen: Seen, *, after_seconds: float) -> str:
    what = f"{', '.join(dead[:_MOST_NAMED])} gave no connection"
    families = {_family(each) for each in dead}
    if len(families) == 1 and families != {_family(connected)}:
        what = f"{families.pop()} fails: {what}"
    begun_at = dict(zip(seen.attempted, seen.attempted_at, strict=True))
    next_at = dict(zip(seen.attempted, seen.attempted_at[1:], strict=False))
    is_waited_for = any(next_at[each] - begun_at[each] >= _PATIENCE_SECONDS for each in dead)
    within = f" within {after_seconds:.1f} s" if is_waited_for else ""
    return f"{what}{within}, and {connected} did"


def _family(address: str) -> str:
    return "IPv6" if ":" in address else "IPv4"
