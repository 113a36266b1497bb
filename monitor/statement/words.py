"""The figures of a statement in plain words, the same on its page and in its letter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from monitor.rules.uptime import Uptime, share_text
from monitor.site_history import uptime_view
from monitor.statement.figures import (
    AllowanceFigures,
    IncidentFigures,
    Kept,
    PromiseFigures,
    ResponseFigures,
    SiteFigures,
    Statement,
)
from tickets.pages.charts import uptime_parts
from tickets.rules.words import (
    format_date,
    format_duration,
    format_hours,
    format_instant,
    format_month,
)

_MINUTE = timedelta(minutes=1)

DOMAINS = "Domain names are not watched yet, so this says nothing of when they must be renewed."


def month_name(statement: Statement) -> str:
    """Return the month as ``March 2026``."""
    return format_month(statement.month.first)


def period(statement: Statement) -> str:
    """Return the dates that are stated: ``1 to 31 March 2026``, or up to when it was made."""
    last = statement.month.last
    if statement.is_so_far:
        last = statement.at.astimezone(statement.zone).date()
    days = "1" if last.day == 1 else f"1 to {last.day}"
    return f"{days} {month_name(statement)}{', so far' if statement.is_so_far else ''}"


def share(uptime: Uptime) -> str:
    """Return an uptime as ``99.95 %``, cut and never rounded up; in words if nothing was judged."""
    return "not known" if uptime.share is None else share_text(uptime.share)


def instant(at: datetime, statement: Statement) -> str:
    """Return an instant with date, time and zone: ``Tue 3 Mar 2026 10:00 GMT``."""
    return format_instant(at, statement.zone)


def shape(incident: IncidentFigures) -> str:
    """Return the shape that stands for how the site was."""
    return "■" if incident.kind == "down" else "◐"


def moment(at: datetime, statement: Statement) -> str:
    """Return an instant as ``Tue 3 Mar 10:00 GMT``, with the year where it is another."""
    zone = statement.zone
    full = format_instant(at, zone)
    year = at.astimezone(zone).year
    return full.replace(f" {year} ", " ", 1) if year == statement.month.first.year else full


def parts(uptime: Uptime) -> Sequence[str]:
    """Return what was not simply up: ``down 10 min``, ``not watched 2 h``."""
    return uptime_parts(uptime_view(uptime))


def answers(statement: Statement) -> str:
    """Return how promises were kept: ``5 of 6 answers in time``."""
    judged = statement.judged
    if not judged:
        return "no answer due" if statement.promises else "nothing asked of us"
    return f"{statement.kept} of {count(judged, 'answer')} in time"


def incidents(statement: Statement) -> str:
    """Return how many incidents there were."""
    return count(len(statement.incidents), "incident") if statement.incidents else "no incident"


def count(number: int, noun: str) -> str:
    """Return a number of things: ``1 ticket``, ``2 tickets``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def watched(site: SiteFigures, statement: Statement) -> str:
    """Return a sentence on from and until when a site was watched, if not all the month."""
    zone = statement.zone
    words: list[str] = []
    if site.is_late:
        words.append(f"from {format_date(site.start.astimezone(zone).date())}")
    if site.is_early:
        words.append(f"until {format_date(site.end.astimezone(zone).date())}")
    return f"Figures {' '.join(words)}." if words else ""


def lasted(incident: IncidentFigures) -> str:
    """Return how long an incident was, and how much of it was in the month."""
    text = format_duration(incident.duration)
    if incident.stretches > 1:
        text += f" in {incident.stretches} stretches"
    if incident.ended_at is None:
        text += " until now"
    if incident.within != incident.duration:
        text += f", {format_duration(incident.within)} of it in this month"
    return text


def ending(incident: IncidentFigures) -> str:
    """Return how an incident ended where it did not simply recover; else nothing."""
    if incident.ended_at is None:
        return "goes on"
    return "" if incident.is_watched else "no longer watched"


def kept(promise: PromiseFigures) -> str:
    """Return what became of a promise: ``kept``, ``broken: 12 min late``."""
    if promise.kept is Kept.RUNNING:
        return "not due yet"
    if promise.kept is Kept.VOID:
        return "closed, no answer needed"
    if promise.kept is Kept.KEPT:
        return "kept"
    late = late_by(promise)
    return f"broken: {late}" if promise.answered_at else f"broken: unanswered, {late} so far"


def late_by(promise: PromiseFigures) -> str:
    """Return by how much the answer of a broken promise came too late, in support time."""
    if promise.late_by is not None and promise.late_by >= _MINUTE:
        return f"{format_hours(promise.late_by)} late"
    by_clock = format_duration(promise.late_on_clock or timedelta())
    return f"{by_clock} late" if promise.late_by is None else f"{by_clock} late, out of hours"


def span(duration: timedelta | None) -> str:
    """Return support time, ``1 h 5 min``, or a dash for none."""
    return "–" if duration is None else format_hours(duration)


def outcome(response: ResponseFigures) -> str:
    """Return how many promises of a priority were kept: ``2 of 3 in time, 1 not due yet``."""
    judged = response.kept + response.broken
    words = [f"{response.kept} of {judged} in time"] if judged else []
    if response.running:
        words.append(f"{response.running} not due yet")
    if response.void:
        words.append(f"{response.void} closed, no answer needed")
    return ", ".join(words)


def used(allowance: AllowanceFigures) -> str:
    """Return how much of the allowance was used: ``2 h 15 min of 5 h (45 %)``."""
    whole = allowance.allowance
    return (
        f"{format_hours(allowance.spent)} of {format_hours(whole.per_month)} "
        f"({whole.share(allowance.spent)} %)"
    )
