"""The geometry of the charts on a site's page: where bars and lines stand; no colour, no markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tickets.pages.watch import AnswerTimes, DayView, IncidentView, SiteHistory, UptimeView
from tickets.rules.words import format_date, format_duration

BAR_STEP = 10
BAR_TOP = 50
"""Height of the bars' drawing; bars in good days end below it, so that a bad day stands out."""

LEAST_SHOWN = 12
"""Least height of what was bad in a day: a minute must be seen as well."""

WIDTH, HEIGHT = 1000, 100
"""The drawing of the response times; it is stretched to the page."""

_TOPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 300.0)
_GOOD_HEIGHT = 38
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One day: ``kind`` names how most of it was, ``bad`` how it was at its worst, if at all."""

    x: int
    y: int
    height: int
    kind: str
    bad: str
    bad_height: int
    words: str


@dataclass(frozen=True, slots=True)
class Band:
    """An incident within the chart's time."""

    x: int
    width: int
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseChart:
    """Lines of the response times as points of SVG polylines; ``top`` is the seconds at the top.

    ``limit_y`` is where the slow line runs; None when it lies above the chart.
    """

    top: float
    medians: Sequence[str]
    slows: Sequence[str]
    limit_y: int | None
    bands: Sequence[Band]
    starts_at: datetime
    middle_at: datetime


def uptime_parts(uptime: UptimeView) -> Sequence[str]:
    """Return what was not simply up, in words: ``down 10 min``."""
    named = (
        ("down", uptime.down),
        ("slow", uptime.slow),
        ("unknown", uptime.unknown),
        ("maintenance", uptime.maintenance),
        ("not watched", uptime.unwatched),
    )
    return [f"{name} {format_duration(time)}" for name, time in named if time >= _SECOND]


def day_words(day: DayView) -> str:
    """Return a day in words: ``Mon 9 Mar 2026: 99.31 %, down 10 min``."""
    name = format_date(day.on)
    if day.uptime is None:
        return f"{name}: not watched yet"
    if day.uptime.share is None:
        return f"{name}: {', '.join(uptime_parts(day.uptime)) or 'nothing seen'}"
    return f"{name}: {', '.join([day.uptime.text, *uptime_parts(day.uptime)])}"


def day_bars(days: Iterable[DayView]) -> Sequence[Bar]:
    """Return a bar for each day, the oldest on the left."""
    return [_bar(place, day) for place, day in enumerate(days)]


def _bar(place: int, day: DayView) -> Bar:
    kind, bad, bad_height, height = "none", "", 0, 8
    if day.uptime is not None:
        kind = _most(day.uptime)
        height = 8 if kind == "none" else _GOOD_HEIGHT
        worst = day.uptime.down or day.uptime.slow
        if worst >= _SECOND:
            bad = "down" if day.uptime.down else "slow"
            height = BAR_TOP if bad == "down" else (BAR_TOP + _GOOD_HEIGHT) // 2
            judged = day.uptime.up + day.uptime.slow + day.uptime.down
            bad_height = max(LEAST_SHOWN, round(height * (worst / judged)))
    return Bar(
        x=place * BAR_STEP,
        y=BAR_TOP - height,
        height=height,
        kind=kind,
        bad=bad,
        bad_height=bad_height,
        words=day_words(day),
    )


def _most(uptime: UptimeView) -> str:
    judged = uptime.up + uptime.slow + uptime.down
    lengths = {
        "up": judged,
        "maintenance": uptime.maintenance,
        "unknown": uptime.unknown,
    }
    longest = max(lengths, key=lambda name: lengths[name])
    return longest if lengths[longest] >= _SECOND else "none"


def response_chart(history: SiteHistory, *, now: datetime) -> ResponseChart | None:
    """Return the lines of the response times; None when there was no good answer."""
    answers = history.answers
    values = [one.slow_seconds for one in answers if one.slow_seconds is not None]
    if not values:
        return None
    top = next((top for top in _TOPS if top >= max(values)), max(values))
    limit = history.slow_after_seconds
    start = answers[0].at
    return ResponseChart(
        top=top,
        medians=_lines(answers, [one.median_seconds for one in answers], top),
        slows=_lines(answers, [one.slow_seconds for one in answers], top),
        limit_y=_y(limit, top) if limit <= top else None,
        bands=_bands(history.incidents, start, now),
        starts_at=start,
        middle_at=start + (now - start) / 2,
    )


def _lines(
    answers: Sequence[AnswerTimes], values: Sequence[float | None], top: float
) -> Sequence[str]:
    """Return a line for each stretch without a gap; a lone point is a line to itself."""
    lines: list[list[str]] = [[]]
    last = max(len(answers) - 1, 1)
    for place, value in enumerate(values):
        if value is None:
            lines.append([])
        else:
            lines[-1].append(f"{WIDTH * place // last},{_y(value, top)}")
    return [" ".join(line if len(line) > 1 else line * 2) for line in lines if line]


def _y(value: float, top: float) -> int:
    return HEIGHT - round(HEIGHT * min(value / top, 1))


def _bands(incidents: Iterable[IncidentView], start: datetime, now: datetime) -> Sequence[Band]:
    bands: list[Band] = []
    for incident in incidents:
        first, last = max(incident.started_at, start), min(incident.ended_at or now, now)
        if first < last:
            x = round(WIDTH * ((first - start) / (now - start)))
            width = max(2, round(WIDTH * ((last - first) / (now - start))))
            bands.append(Band(x, width, incident.state.value))
    return bands
