"""A site: one client URL that we watch, with everything that a probe and its judgement need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType

Network = IPv4Network | IPv6Network


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
class Site:
    """One client URL with its interval, thresholds and expectations; ``slug`` is its identity.

    ``expect_status`` is a list of inclusive ranges. ``keyword`` must occur in the body's text and
    ``keyword_absent`` must not. ``allow_networks`` are the non-global networks that a probe may
    reach. ``ca_file`` names a PEM bundle trusted in place of the public authorities.
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
    headers: Mapping[str, str] = MappingProxyType({})
    basic_auth: BasicAuth | None = None
    ca_file: str | None = None
    body_limit: int = 1024 * 1024
    user_agent: str = "Fettle"
    allow_networks: tuple[Network, ...] = ()
