"""What one probe saw, and the closed set of causes for which it may be bad.

The causes are the contract's, section 1. An observation carries facts; whether they are good enough
is the verdict's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Cause(StrEnum):
    """Why an observation is bad (or unknown); stored, exported and tested against by others."""

    DNS_NOT_FOUND = "dns_not_found"
    DNS_FAILURE = "dns_failure"
    DNS_TIMEOUT = "dns_timeout"
    CONNECT_REFUSED = "connect_refused"
    CONNECT_UNREACHABLE = "connect_unreachable"
    CONNECT_RESET = "connect_reset"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS_EXPIRED = "tls_expired"
    TLS_NAME = "tls_name"
    TLS_UNTRUSTED = "tls_untrusted"
    TLS_HANDSHAKE = "tls_handshake"
    TLS_TIMEOUT = "tls_timeout"
    RESPONSE_TIMEOUT = "response_timeout"
    TRANSFER_TIMEOUT = "transfer_timeout"
    PROTOCOL_ERROR = "protocol_error"
    HEADERS_TOO_LARGE = "headers_too_large"
    BODY_INCOMPLETE = "body_incomplete"
    DECODE_ERROR = "decode_error"
    HTTP_STATUS = "http_status"
    KEYWORD_MISSING = "keyword_missing"
    KEYWORD_PRESENT = "keyword_present"
    REDIRECT_LOOP = "redirect_loop"
    REDIRECT_INVALID = "redirect_invalid"
    ADDRESS_BLOCKED = "address_blocked"
    SLOW = "slow"
    OWN_NETWORK = "own_network"
    OWN_RESOLVER = "own_resolver"
    OWN_RESOURCES = "own_resources"
    OWN_STALL = "own_stall"
    MISSED = "missed"


UNKNOWN_CAUSES = frozenset(
    {Cause.OWN_NETWORK, Cause.OWN_RESOLVER, Cause.OWN_RESOURCES, Cause.OWN_STALL, Cause.MISSED}
)
"""Causes that speak of ourselves; they make the verdict ``unknown`` and never open an incident."""

NETWORK_CAUSES = frozenset(
    {
        Cause.DNS_NOT_FOUND,
        Cause.DNS_FAILURE,
        Cause.DNS_TIMEOUT,
        Cause.CONNECT_REFUSED,
        Cause.CONNECT_UNREACHABLE,
        Cause.CONNECT_RESET,
        Cause.CONNECT_TIMEOUT,
        Cause.TLS_NAME,
        Cause.TLS_UNTRUSTED,
        Cause.TLS_HANDSHAKE,
        Cause.TLS_TIMEOUT,
        Cause.RESPONSE_TIMEOUT,
        Cause.TRANSFER_TIMEOUT,
        Cause.BODY_INCOMPLETE,
    }
)
"""Causes that our own dead or captured network could produce too: the canaries are asked first."""

LOOKUP_CAUSES = frozenset(
    {Cause.DNS_NOT_FOUND, Cause.DNS_FAILURE, Cause.DNS_TIMEOUT, Cause.OWN_RESOLVER}
)
"""Causes for which a name could not be looked up."""


class Phase(StrEnum):
    """The parts of a probe, as blackbox_exporter names them."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    PROCESSING = "processing"
    TRANSFER = "transfer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """Seconds spent in each phase, summed over redirects; 0 where a phase was not reached."""

    resolve: float = 0.0
    connect: float = 0.0
    tls: float = 0.0
    processing: float = 0.0
    transfer: float = 0.0

    def __add__(self, other: Phases) -> Phases:
        return Phases(
            resolve=self.resolve + other.resolve,
            connect=self.connect + other.connect,
            tls=self.tls + other.tls,
            processing=self.processing + other.processing,
            transfer=self.transfer + other.transfer,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Facts of the certificate that the site showed, whether or not it could be verified.

    ``not_after`` is the leaf's end and ``earliest_not_after`` the soonest end in the chain sent;
    both are aware UTC. All text comes from the site and is hostile.
    """

    not_after: datetime
    earliest_not_after: datetime
    subject: str
    issuer: str
    names: tuple[str, ...]
    verified: bool
    fingerprint_sha256: str = ""
    serial_number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one probe saw; all text in it comes from the site and is hostile.

    ``started_at`` is aware UTC, durations are seconds of the monotonic clock. ``cause`` is None for
    a good answer; ``slow`` is never set here, it follows from the threshold (see ``verdict``).
    ``message`` is one plain sentence without a full stop. ``excerpt`` holds at most 2,000
    characters of the body as text, kept as evidence only when the observation is bad. ``warnings``
    are plain sentences about what is amiss without making the observation bad.
    """

    url: str
    started_at: datetime
    duration_seconds: float
    phases: Phases = Phases()
    cause: Cause | None = None
    message: str = ""
    failed_phase: Phase | None = None
    final_url: str = ""
    hops: tuple[str, ...] = ()
    http_status: int | None = None
    http_version: str | None = None
    remote_address: str | None = None
    body_bytes: int = 0
    body_truncated: bool = False
    content_length: int | None = None
    certificate: Certificate | None = None
    tls_version: str | None = None
    tls_cipher: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    title: str = ""
    excerpt: str = ""
    warnings: tuple[str, ...] = ()
