"""What changed: the first bad observation beside the last good one, as rows for a ticket.

Also the words for a cause that a client may read; a client never sees our internals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from monitor.rules.observation import Cause, Certificate, Observation
from monitor.rules.verdict import Judgement
from tickets.rules.evidence import Evidence, EvidenceLine
from tickets.rules.words import format_instant

_MOST_NAMES = 10

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
        EvidenceLine("redirects", "\n".join(observation.hops[1:]), _redirects_before(before)),
        EvidenceLine(
            "certificate",
            _certificate(certificate, zone),
            _certificate_before(before, zone),
        ),
        EvidenceLine(
            "certificate names",
            _names(certificate.names if certificate else ()),
            _names(_shown_before(before).get("names") or ()),
        ),
        EvidenceLine(
            "certificate issuer",
            "" if certificate is None else certificate.issuer,
            _text(_shown_before(before), "issuer"),
        ),
        EvidenceLine("page title", observation.title, _text(before, "title")),
        EvidenceLine(
            "server", observation.headers.get("server", ""), _text(_headers(before), "server")
        ),
        EvidenceLine(
            "other headers", _other_headers(observation.headers), _other_headers(_headers(before))
        ),
        EvidenceLine(
            "warnings", "\n".join(observation.warnings), "\n".join(before.get("warnings") or ())
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


def _redirects_before(before: dict[str, Any]) -> str:
    count = before.get("redirects") or 0
    return f"{count}" if count else ""


def _certificate(certificate: Certificate | None, zone: ZoneInfo) -> str:
    if certificate is None:
        return ""
    return _valid_to(certificate.not_after, certificate.earliest_not_after, zone)


def _certificate_before(before: dict[str, Any], zone: ZoneInfo) -> str:
    certificate = _shown_before(before)
    not_after = _text(certificate, "not_after")
    if not not_after:
        return ""
    earliest = _text(certificate, "earliest_not_after") or not_after
    return _valid_to(datetime.fromisoformat(not_after), datetime.fromisoformat(earliest), zone)


def _shown_before(before: dict[str, Any]) -> dict[str, Any]:
    return before.get("certificate") or {}


def _valid_to(not_after: datetime, earliest: datetime, zone: ZoneInfo) -> str:
    text = f"valid to {format_instant(not_after, zone)}"
    if earliest < not_after:
        text += f", one above it to {format_instant(earliest, zone)}"
    return text


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _other_headers(headers: Mapping[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in headers.items() if name != "server")


def _headers(before: dict[str, Any]) -> dict[str, Any]:
    return before.get("headers") or {}


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    return "" if value is None else str(value)
