"""An observation and its judgement as the contract's JSON object."""

from __future__ import annotations

from dataclasses import fields

from monitor.rules.observation import Certificate, Observation, Phases
from monitor.rules.verdict import Judgement

Json = dict[str, object]


def probe_report(observation: Observation, judgement: Judgement) -> Json:
    """Return the object that ``fettle probe --json`` prints (contract, section 1).

    A key ``warnings`` joins it where there are any.
    """
    report: Json = {
        "url": observation.url,
        "final_url": observation.final_url or observation.url,
        "verdict": judgement.verdict.value,
        "cause": judgement.cause.value if judgement.cause else None,
        "message": judgement.message,
        "phase": observation.failed_phase.value if observation.failed_phase else None,
        "http_status": observation.http_status,
        "http_version": observation.http_version,
        "duration_seconds": round(observation.duration_seconds, 6),
        "phases": {name: round(seconds, 6) for name, seconds in _seconds(observation.phases)},
        "redirects": max(0, len(observation.hops) - 1),
        "hops": list(observation.hops),
        "remote_address": observation.remote_address,
        "body_bytes": observation.body_bytes,
        "body_truncated": observation.body_truncated,
        "certificate": _certificate(observation.certificate),
        "started_at": observation.started_at.isoformat(),
    }
    if observation.warnings:
        report["warnings"] = list(observation.warnings)
    return report


def _certificate(certificate: Certificate | None) -> Json | None:
    if certificate is None:
        return None
    return {
        "not_after": certificate.not_after.isoformat(),
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "names": list(certificate.names),
        "verified": certificate.verified,
    }


def _seconds(phases: Phases) -> list[tuple[str, float]]:
    return [(each.name, getattr(phases, each.name)) for each in fields(phases)]
