"""What changed: the first bad observation beside the last good one, as rows for a ticket.

Also the words for a cause that a client may read; a client never sees our internals.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from monitor.rules.observation import Cause, Observation
from monitor.rules.verdict import Judgement
from tickets.rules.evidence import Evidence, EvidenceLine
from tickets.rules.words import format_instant

_NOT_ANSWERING = "is not answering"
_ERROR = "is answering with an error instead of its pages"
_CERTIFICATE = "is shown as not secure, because of a fault with its security certificate"
_ADDRESS = "cannot be found at its address"

_CLIENT_WORDS = {
    Cause.DNS_NOT_FOUND: _ADDRESS,
    Cause.DNS_FAILURE: _ADDRESS,
    Cause.DNS_TIMEOUT: _ADDRESS,
    Cause.TLS_EXPIRED: _CERTIFICATE,
    Cause.TLS_NAME: _CERTIFICATE,
    Cause.TLS_UNTRUSTED: _CERTIFICATE,
    Cause.TLS_HANDSHAKE: _CERTIFICATE,
    Cause.HTTP_STATUS: _ERROR,
    Cause.PROTOCOL_ERROR: _ERROR,
    Cause.HEADERS_TOO_LARGE: _ERROR,
    Cause.DECODE_ERROR: _ERROR,
    Cause.BODY_INCOMPLETE: "breaks off before its pages have loaded",
    Cause.TRANSFER_TIMEOUT: "takes too long to load",
    Cause.KEYWORD_MISSING: "is answering, but its page does not show what it should",
    Cause.KEYWORD_PRESENT: "is answering, but its page shows what it should not",
    Cause.REDIRECT_LOOP: "sends visitors round in circles",
    Cause.REDIRECT_INVALID: "sends visitors to an address that does not work",
    Cause.ADDRESS_BLOCKED: "points to an address that visitors cannot reach",
    Cause.SLOW: "is answering much more slowly than it should",
}


def client_words(cause: Cause) -> str:
    """Return what completes "Your website ..." for a client, without internals."""
    return _CLIENT_WORDS.get(cause, _NOT_ANSWERING)


def compare(
    observation: Observation,
    judgement: Judgement,
    last_good: dict[str, Any] | None,
    *,
    zone: ZoneInfo,
) -> Evidence:
    """Set a bad observation beside the last good one (a document of ``monitor.readings``).

    Instants in the rows are printed in ``zone``. Rows that say nothing on either side are left out.
    """
    before = last_good or {}
    certificate = observation.certificate
    lines = (
        EvidenceLine("answer", _answer(observation, judgement), _answer_before(before)),
        EvidenceLine("address", observation.remote_address or "", _text(before, "remote_address")),
        EvidenceLine("final address of the page", _moved(observation), _moved_before(before)),
        EvidenceLine(
            "certificate",
            ""
            if certificate is None
            else f"valid to {format_instant(certificate.not_after, zone)}",
            _certificate_before(before, zone),
        ),
        EvidenceLine(
            "certificate issuer",
            "" if certificate is None else certificate.issuer,
            _text(before.get("certificate") or {}, "issuer"),
        ),
        EvidenceLine("page title", observation.title, _text(before, "title")),
        EvidenceLine(
            "server", observation.headers.get("server", ""), _text(_headers(before), "server")
        ),
    )
    return Evidence(
        seen=observation.started_at.isoformat(),
        last_good=_text(before, "started_at"),
        lines=tuple(line for line in lines if line.now or line.before),
        excerpt=observation.excerpt,
    )


def _answer(observation: Observation, judgement: Judgement) -> str:
    if observation.http_status is None:
        return f"none: {judgement.message}"
    return f"{observation.http_status} in {observation.duration_seconds:.2f} s: {judgement.message}"


def _answer_before(before: dict[str, Any]) -> str:
    if before.get("http_status") is None:
        return ""
    return f"{before['http_status']} in {before.get('duration_seconds', 0.0):.2f} s"


def _moved(observation: Observation) -> str:
    return observation.final_url if observation.final_url != observation.url else ""


def _moved_before(before: dict[str, Any]) -> str:
    return _text(before, "final_url") if before.get("redirects") else ""


def _certificate_before(before: dict[str, Any], zone: ZoneInfo) -> str:
    not_after = _text(before.get("certificate") or {}, "not_after")
    return (
        f"valid to {format_instant(datetime.fromisoformat(not_after), zone)}" if not_after else ""
    )


def _headers(before: dict[str, Any]) -> dict[str, Any]:
    return before.get("headers") or {}


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    return "" if value is None else str(value)
