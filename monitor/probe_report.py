"""An observation and its judgement as the contract's JSON object, and as text for a terminal.

All text in an observation comes from the site; it was cleaned of control characters where it came
in, and is cleaned once more where it goes to a terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from monitor.rules.content import clean
from monitor.rules.observation import Certificate, Observation, Phase, Phases
from monitor.rules.verdict import Judgement, Verdict

Json = dict[str, object]

_BAR_WIDTH = 40
_MARKS = {
    Phase.RESOLVE: ("r", "░", "36"),
    Phase.CONNECT: ("c", "▒", "34"),
    Phase.TLS: ("t", "▓", "35"),
    Phase.PROCESSING: ("p", "█", "33"),
    Phase.TRANSFER: ("x", "▚", "32"),
}
"""Per phase its letter, its block and its colour (ANSI) in the timing bar."""

_COLOURS = {Verdict.UP: "32", Verdict.SLOW: "33", Verdict.DOWN: "31", Verdict.UNKNOWN: "36"}


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


def probe_text(
    observation: Observation,
    judgement: Judgement,
    *,
    environment: Mapping[str, str],
    encoding: str = "utf-8",
    is_terminal: bool = False,
) -> str:
    """Return the report for a person, without a line end after the last line.

    Colour is used only on a terminal (``is_terminal``) and without ``NO_COLOR`` in
    ``environment``; an output whose ``encoding`` is not a Unicode one gets plain ASCII.
    """
    has_colour = is_terminal and not environment.get("NO_COLOR")
    has_blocks = encoding.lower().replace("_", "-").startswith("utf")
    verdict = judgement.verdict.value.upper()
    if has_colour:
        verdict = _coloured(verdict, _COLOURS[judgement.verdict])
    lines = [f"{verdict}  {clean(observation.url, most=500)}"]
    if judgement.cause is not None:
        lines.append(f"  {judgement.cause.value}: {clean(judgement.message, most=500)}")
    lines += [f"  warning: {clean(each, most=500)}" for each in observation.warnings]
    lines += ["", *_timing(observation, has_colour=has_colour, has_blocks=has_blocks), ""]
    lines += [f"  {name:<12} {clean(value, most=500)}" for name, value in _facts(observation)]
    text = "\n".join(lines).rstrip()
    return text if has_blocks else text.encode("ascii", "replace").decode("ascii")


def _timing(observation: Observation, *, has_colour: bool, has_blocks: bool) -> list[str]:
    """Return a bar of all phases to scale and a line for each."""
    phases = observation.phases
    whole = sum(seconds for _name, seconds in _seconds(phases))
    lines: list[str] = []
    bar = ""
    for name, seconds in _seconds(phases):
        letter, block, colour = _MARKS[Phase(name)]
        mark = block if has_blocks else letter
        width = round(_BAR_WIDTH * seconds / whole) if whole else 0
        cells = mark * max(width, 1 if seconds else 0)
        bar += _coloured(cells, colour) if has_colour and cells else cells
        key = _coloured(mark, colour) if has_colour else mark
        failed = "  failed here" if observation.failed_phase == name else ""
        lines.append(f"  {key} {name:<10} {seconds * 1000:9.1f} ms{failed}")
    total = f"  {observation.duration_seconds * 1000:.1f} ms in all"
    return [f"  {bar}{total}" if bar else total, *lines]


def _facts(observation: Observation) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    if observation.http_status is not None:
        version = f", HTTP/{observation.http_version}" if observation.http_version else ""
        facts.append(("answer", f"{observation.http_status}{version}"))
        cut = ", cut at the limit" if observation.body_truncated else ""
        facts.append(("body", f"{observation.body_bytes:,} bytes{cut}"))
    if observation.title:
        facts.append(("title", observation.title))
    facts += [("redirected", hop) for hop in observation.hops[1:]]
    if observation.remote_address:
        facts.append(("address", observation.remote_address))
    if observation.tls_version:
        facts.append(("tls", f"{observation.tls_version}, {observation.tls_cipher or ''}"))
    certificate = observation.certificate
    if certificate is not None:
        checked = "verified" if certificate.verified else "NOT verified"
        facts += [
            ("certificate", f"{checked}, until {certificate.not_after:%-d %b %Y %H:%M} UTC"),
            ("", f"for {', '.join(certificate.names) or certificate.subject}"),
            ("", f"by {certificate.issuer}"),
        ]
    return facts


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


def _coloured(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m"
