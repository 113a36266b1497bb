"""One probe as text: the verdict, where the time went as bars to scale, and what was seen.

All text in an observation comes from the site; the screen escapes what does not print.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from http import HTTPStatus

from monitor.commands.marks import mark
from monitor.commands.screen import Piece, Screen, Tone, Toned, one_line
from monitor.rules.observation import Certificate, Observation, Phases
from monitor.rules.verdict import Judgement, Verdict

USUAL_COLUMNS = 80

_EIGHTHS = " ▏▎▍▌▋▊▉"
_WIDEST_BAR = 60
_NARROWEST_BAR = 8
_BESIDE_A_BAR = 27
"""Columns that a phase's name, its time and the gaps take beside its bar."""

_FACT_COLUMN = 15
_MOST_NAMES = 6
_REASONS = {status.value: f" {status.phrase}" for status in HTTPStatus}


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """What the text is written on: ``columns`` of a terminal, None for a file or a pipe.

    ``has_shapes`` tells whether its encoding knows shapes and blocks, or letters alone.
    """

    columns: int | None = None
    has_shapes: bool = True


def knows_shapes(encoding: str | None) -> bool:
    """Tell whether a text encoding has the shapes of the verdicts and the blocks of the bars."""
    try:
        "●◐■○█▏".encode(encoding or "utf-8")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def write_probe(
    screen: Screen,
    observation: Observation,
    judgement: Judgement,
    *,
    slow_after: timedelta,
    paper: Paper,
) -> None:
    """Write what a probe saw and how it is judged."""
    screen.line(_verdict(judgement.verdict, paper), "  ", Toned(observation.url, Tone.STRONG))
    if judgement.cause is not None:
        text = f"{judgement.cause.value}: {judgement.message}"
        _write_folded(screen, text, indent="  ", paper=paper)
    for warning in observation.warnings:
        _write_folded(screen, f"warning: {warning}", indent="  ", paper=paper)
    screen.line()
    _write_phases(screen, observation, paper)
    _write_total(screen, observation, slow_after, paper)
    facts = _facts(observation)
    if facts:
        screen.line()
    for name, value, tone in facts:
        _write_fact(screen, name, value, tone=tone, paper=paper)


def _verdict(verdict: Verdict, paper: Paper) -> Toned:
    marked = mark(verdict.value)
    if paper.has_shapes:
        return marked
    return Toned(marked.text.rpartition(" ")[2], marked.tone)


def _write_phases(screen: Screen, observation: Observation, paper: Paper) -> None:
    """Write a line for each phase, with a bar that begins where the phase before it ended."""
    whole = sum(_seconds(observation.phases).values())
    room = _WIDEST_BAR
    if paper.columns is not None:
        room = min(room, paper.columns - _BESIDE_A_BAR)
    began = 0.0
    for name, seconds in _seconds(observation.phases).items():
        tone = Tone.BAD if observation.failed_phase == name else None
        pieces: list[Piece] = [Toned(f"  {name:<10} {_milliseconds(seconds)}  ", tone)]
        if room >= _NARROWEST_BAR and whole > 0 and seconds > 0:
            bar = _bar(began / whole * room, seconds / whole * room, has_blocks=paper.has_shapes)
            pieces.append(Toned(bar, tone))
        began += seconds
        screen.line(*pieces)


def _write_total(
    screen: Screen, observation: Observation, slow_after: timedelta, paper: Paper
) -> None:
    """Write the whole duration, and beside it, or below where that is too wide, what it means."""
    total = f"  {'in all':<10} {_milliseconds(observation.duration_seconds)}"
    if observation.failed_phase is not None:
        meaning = Toned(f"failed in {observation.failed_phase.value}", Tone.BAD)
    else:
        meaning = Toned(f"slow beyond {slow_after.total_seconds():g} s", Tone.QUIET)
    if paper.columns is None or len(total) + 2 + len(meaning.text) <= paper.columns:
        screen.line(total, "  ", meaning)
    else:
        screen.line(total)
        screen.line("  ", meaning)


def _bar(start: float, length: float, *, has_blocks: bool) -> str:
    """Return a bar of ``length`` cells that stands ``start`` cells in; never nothing at all."""
    first = int(start)
    cells = max(start + length - first, 1 / len(_EIGHTHS))
    if not has_blocks:
        return " " * first + "#" * max(1, round(cells))
    whole, rest = divmod(round(cells * len(_EIGHTHS)), len(_EIGHTHS))
    return " " * first + "█" * whole + (_EIGHTHS[rest] if rest else "")


def _facts(observation: Observation) -> list[tuple[str, str, Tone | None]]:
    """Return name, text and tone of each fact; a name may be empty, to go on with the last."""
    facts: list[tuple[str, str, Tone | None]] = []
    if observation.http_status is not None:
        version = f", HTTP/{observation.http_version}" if observation.http_version else ""
        reason = _REASONS.get(observation.http_status, "")
        facts.append(("answer", f"{observation.http_status}{reason}{version}", None))
        cut = ", cut at the limit" if observation.body_truncated else ""
        size = f"{observation.body_bytes:,} byte{'' if observation.body_bytes == 1 else 's'}"
        facts.append(("body", f"{size}{cut}", None))
    if observation.title:
        facts.append(("title", observation.title, None))
    facts += [("redirected to", hop, None) for hop in observation.hops[1:]]
    if observation.remote_address:
        facts.append(("address", observation.remote_address, None))
    if observation.tls_version:
        cipher = f", {observation.tls_cipher}" if observation.tls_cipher else ""
        facts.append(("tls", f"{observation.tls_version}{cipher}", None))
    if observation.certificate is not None:
        at = observation.started_at + timedelta(seconds=observation.duration_seconds)
        facts += _certificate_facts(observation.certificate, at=at)
    return facts


def _certificate_facts(
    certificate: Certificate, *, at: datetime
) -> Sequence[tuple[str, str, Tone | None]]:
    checked = "verified" if certificate.verified else "not verified"
    tone = None if certificate.verified else Tone.BAD
    facts = [("certificate", f"{checked}, {_end(certificate.not_after, at=at)}", tone)]
    if certificate.earliest_not_after < certificate.not_after:
        sooner = _end(certificate.earliest_not_after, at=at)
        facts.append(("", f"an authority in its chain ends sooner: {sooner}", Tone.WARNING))
    names = list(certificate.names[:_MOST_NAMES]) or [certificate.subject]
    more = len(certificate.names) - _MOST_NAMES
    facts.append(("", f"for {', '.join(names)}{f' and {more} more' if more > 0 else ''}", None))
    facts.append(("", f"by {certificate.issuer}", None))
    return facts


def _end(not_after: datetime, *, at: datetime) -> str:
    """Return how long a certificate still holds, or has not, and until when."""
    until = f"{not_after.day} {not_after:%b %Y %H:%M} UTC"
    left = not_after - at
    if left <= timedelta():
        return f"expired {_length(-left)} ago, on {until}"
    return f"{_length(left)} left, until {until}"


def _length(duration: timedelta) -> str:
    if duration >= timedelta(days=2):
        return f"{duration.days:,} days"
    if duration >= timedelta(hours=2):
        return f"{duration // timedelta(hours=1)} hours"
    minutes = max(1, duration // timedelta(minutes=1))
    return f"{minutes} minute{'s' if minutes > 1 else ''}"


def _write_fact(screen: Screen, name: str, value: str, *, tone: Tone | None, paper: Paper) -> None:
    room = _room(paper, indent=_FACT_COLUMN + 2)
    for line in _folded(value, room=room):
        screen.line(f"  {name:<{_FACT_COLUMN}}", Toned(line, tone))
        name = ""


def _write_folded(screen: Screen, text: str, *, indent: str, paper: Paper) -> None:
    for line in _folded(text, room=_room(paper, indent=len(indent))):
        screen.line(indent, line)


def _room(paper: Paper, *, indent: int) -> int | None:
    return None if paper.columns is None else max(20, paper.columns - indent)


def _folded(text: str, *, room: int | None) -> Sequence[str]:
    """Return ``text`` in lines of ``room`` columns; a word that is longer keeps its own line."""
    text = one_line(text)
    if room is None:
        return [text]
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:9,.1f} ms" if seconds else f"{'-':>12}"


def _seconds(phases: Phases) -> dict[str, float]:
    return {each.name: getattr(phases, each.name) for each in fields(phases)}
