"""Where a redirect leads, and what may be said there."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""Statuses whose Location is followed."""

MOST_REDIRECTS = 10

_DEFAULT_PORTS = {"http": 80, "https": 443}


def find_target(url: str, location: str) -> tuple[str, str | None]:
    """Return where ``location``, sent by ``url``, leads, and what is wrong with it (None: nothing).

    The target has no fragment. It may still hold what a URL must not; whoever parses it will see.
    """
    location = location.strip()
    if not location:
        return url, "names no address to go to"
    try:
        parts = urlsplit(location)
        target = urljoin(url, location)
    except ValueError as error:
        return location, str(error).lower()
    if parts.scheme in _DEFAULT_PORTS and not parts.netloc:
        return target, "names no host"
    return target.partition("#")[0], None


def may_have_credentials(origin: str, url: str) -> bool:
    """Tell whether what is meant for ``origin`` may be sent to ``url`` (both valid URLs).

    It may where scheme, host and port are the same, and where the same host has moved from http to
    https on their own ports.
    """
    before, after = urlsplit(origin), urlsplit(url)
    if before.hostname != after.hostname:
        return False
    ports = tuple(each.port or _DEFAULT_PORTS.get(each.scheme) for each in (before, after))
    if before.scheme == after.scheme:
        return ports[0] == ports[1]
    return after.scheme == "https" and ports == (80, 443)
