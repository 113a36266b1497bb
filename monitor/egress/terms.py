"""What goes into one exchange with a server, and what is known of it afterwards.

``Terms`` travel to the transport in ``request.extensions["terms"]``; the ``Transcript`` comes back
in ``response.extensions["transcript"]`` or on ``EgressFailed``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from monitor.rules.observation import Cause, Certificate, Phase, Phases
from monitor.rules.site import ClientCertificate, Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What one exchange may take and where it may go.

    ``deadline`` is an instant of the event loop's clock; ``timeout_seconds`` is what it was made
    from, and only named in messages. ``body_limit`` counts bytes as they come, undecoded, and
    reaching it is no fault; ``header_limit`` counts all header bytes, interim answers included.
    ``address_of`` are hosts that are not looked up, with the one address to connect to for each.
    """

    deadline: float
    timeout_seconds: float
    allow_networks: tuple[Network, ...] = ()
    ca_file: str | None = None
    client_certificate: ClientCertificate | None = None
    ip_family: int | None = None
    address_of: Mapping[str, str] | None = None
    body_limit: int = 1024 * 1024
    header_limit: int = 100 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What is known of one exchange, complete or not; all text in it is hostile.

    ``status`` and ``headers`` are those of the final answer, None and empty if it never came
    whole. ``body`` is what came of it, undecoded. ``warning`` is a sentence on addresses that
    came before the one that worked, dead or denied.
    """

    phases: Phases = Phases()
    remote_address: str | None = None
    http_version: str | None = None
    certificate: Certificate | None = None
    tls_version: str | None = None
    tls_cipher: str | None = None
    status: int | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    is_truncated: bool = False
    warning: str | None = None


class EgressFailed(httpx.TransportError):
    """An exchange that did not end in a whole answer.

    ``cause`` and ``phase`` say why and where, ``str`` is a sentence for a person.
    """

    def __init__(self, cause: Cause, phase: Phase, message: str, transcript: Transcript) -> None:
        super().__init__(message)
        self.cause = cause
        self.phase = phase
        self.transcript = transcript
