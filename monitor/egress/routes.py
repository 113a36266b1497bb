"""Whether an address was tried in vain before another one worked, and whether that tells anything.

libcurl tries one address after the other, IPv6 and IPv4 in turn, and tells nothing of those that
failed as long as one works. A site half of whose addresses are dead is up, and worth a warning.
"""

from __future__ import annotations

import errno
import socket

from monitor.egress.seen import Seen

_NO_WAY = {errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENETDOWN}
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


def warn_of_dead_address(seen: Seen, connected: str, *, after_seconds: float) -> str | None:
    """Return a sentence on what was tried in vain before ``connected`` worked; None for nothing.

    ``after_seconds`` is when the connection stood, counted as ``seen.attempted_at`` is.
    """
    if len(seen.attempted) < 2 or connected not in seen.attempted:
        return None
    winner = seen.attempted.index(connected)
    denied = {address for address, _ in seen.blocked}
    tried = [
        (address, next_at - at)
        for address, at, next_at in zip(
            seen.attempted[:winner],
            seen.attempted_at,
            seen.attempted_at[1:],
            strict=False,
        )
        if address not in denied and has_route(address)
    ]
    if not tried:
        return None
    is_patient = any(seconds >= _PATIENCE_SECONDS for _, seconds in tried)
    named = ", ".join(address for address, _ in tried[:4])
    families = {_family(address) for address, _ in tried}
    what = f"{named} gave no connection"
    if families != {_family(connected)} and len(families) == 1:
        what = f"{families.pop()} fails: {what}"
    within = f" within {after_seconds:.1f} s" if is_patient else ""
    return f"{what}{within}, and {connected} did"


def _family(address: str) -> str:
    return "IPv6" if ":" in address else "IPv4"
