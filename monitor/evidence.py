"""What changed: the first bad observation beside the last good one, as rows for a ticket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from monitor.rules.observation import Certificate, Observation
from monitor.rules.verdict import Judgement
from tickets.rules.evidence import Evidence, EvidenceLine
from tickets.rules.words import format_instant

_MOST_NAMES = 10


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
