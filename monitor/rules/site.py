"""A site: one client URL that we watch, with everything that a probe and its judgement need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from urllib.parse import urlsplit

from monitor.rules.maintenance import Window

Network = IPv4Network | IPv6Network

PATTERN_MARK = "re2:"
"""What a keyword begins with that is a pattern of RE2; any other is plain text."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """How many equal verdicts in a row it takes to believe them, and how soon to look again."""

    down: int = 3
    slow: int = 5
    up: int = 2
    retry_after: timedelta = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class BasicAuth:
    """Credentials for HTTP basic authentication; never logged, never sent to another origin."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """PEM files by which we show a server who we are; never used for another origin.

    ``key_password`` is the key's own, None if it has none.
    """

    certificate_file: str
    key_file: str
    key_password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One client URL with its interval, thresholds and expectations; ``slug`` is its identity.

    ``expect_status`` is a list of inclusive ranges. ``keyword`` must occur in the body's text and
    ``keyword_absent`` must not; either is a pattern if it begins with ``PATTERN_MARK``.
    ``allow_networks`` are the non-global networks that a probe may reach. ``ca_file`` names a PEM
    bundle trusted in place of the public authorities, on every hop. ``ip_family`` is 4 or 6 to use
    only addresses of that family; with ``every_address`` each address of the URL's host is probed.
    ``headers`` may hold secrets, so it is not shown by repr; like ``basic_auth`` and
    ``client_certificate`` it never goes to another origin. Within the windows of
    ``maintenance`` no incident opens.
    """

    slug: str
    client: str
    name: str
    url: str
    interval: timedelta = timedelta(seconds=60)
    timeout: timedelta = timedelta(seconds=10)
    slow_after: timedelta = timedelta(seconds=3)
    confirmation: Confirmation = Confirmation()
    expect_status: tuple[tuple[int, int], ...] = ((200, 299),)
    keyword: str | None = None
    keyword_absent: str | None = None
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    basic_auth: BasicAuth | None = None
    ca_file: str | None = None
    client_certificate: ClientCertificate | None = None
    body_limit: int = 1024 * 1024
    user_agent: str = "Fettle"
    allow_networks: tuple[Network, ...] = ()
    ip_family: int | None = None
    every_address: bool = False
    maintenance: tuple[Window, ...] = ()

    @property
    def has_patterns(self) -> bool:
        """Whether a keyword of this site is a pattern."""
        return any(map(is_pattern, (self.keyword, self.keyword_absent)))


def is_pattern(keyword: str | None) -> bool:
    """Tell whether a keyword is a pattern of RE2 rather than plain text."""
    return keyword is not None and keyword.startswith(PATTERN_MARK)


def url_fault(url: str) -> str | None:
    """Tell in a few words why ``url`` cannot be a site's; None if it can.

    Wanted is http or https, a host, no user name or password, a port from 1 to 65535, and nothing
    that a header line could not carry.
    """
    if any(ord(character) < 0x21 or ord(character) == 0x7F for character in url):
        return "holds a space or a control character"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return str(error).lower()
    if parts.scheme not in {"http", "https"}:
        return f"begins with {parts.scheme + ':' if parts.scheme else 'no scheme'}; " + (
            "allowed are http: and https:"
        )
    if "@" in parts.netloc or "\\" in parts.netloc:
        return "holds a user name or password; give credentials as basic_auth"
    if not parts.hostname:
        return "names no host"
    if port == 0:
        return "names port 0; allowed are 1 to 65535"
    return None
