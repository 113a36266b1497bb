"""What a ticket says of its alerts: title, text and evidence, all of it from hostile text.

Text goes on as text: nothing here is a format or a template, and only http and https are links.
"""

from __future__ import annotations

from collections.abc import Sequence

from monitor.alert_tables import AlertRow
from monitor.alerts.places import Place
from monitor.rules.alert import Alert
from tickets.rules.evidence import Evidence, EvidenceLine
from tickets.rules.plain_text import one_line

LONGEST_TITLE = 120
MOST_NAMED = 20
"""Alerts that one entry names; of the others it tells how many there are."""

MOST_LISTED = 100
"""Alerts that the evidence of a storm lists."""

_LINKS = {
    "generatorURL": "where it comes from",
    "dashboardURL": "dashboard",
    "panelURL": "panel",
    "silenceURL": "silence it",
}


def title_of(alert: Alert, place: Place) -> str:
    """Return one line: the client, the alert's name, and what it says or else is about."""
    parts = [] if place.is_agency else [place.client_name]
    parts += [alert.name]
    summary = one_line(alert.summary or alert.labels.get("instance", ""))
    if summary and summary.casefold() != alert.name.casefold():
        parts.append(summary)
    return one_line(": ".join(parts), limit=LONGEST_TITLE)


def text_of(alert: Alert) -> str:
    """Return the alert in words for staff."""
    return alert.text if alert.text == alert.name else f"{alert.name}: {alert.text}"


def list_of(alerts: Sequence[Alert], *, lead: str) -> str:
    """Return ``lead`` and a line for each alert, up to ``MOST_NAMED``."""
    lines = [one_line(f"{alert.name}: {alert.summary}", limit=300) for alert in alerts[:MOST_NAMED]]
    return _with_rest([lead, *lines], len(alerts) - MOST_NAMED)


def names_of(rows: Sequence[AlertRow], *, lead: str) -> str:
    """Return ``lead`` and the name of each episode, up to ``MOST_NAMED``."""
    lines = [_named(row) for row in rows[:MOST_NAMED]]
    return _with_rest([lead, *lines], len(rows) - MOST_NAMED)


def evidence_of(alert: Alert, *, source: str) -> Evidence:
    """Return the alert's labels, annotations and links as rows."""
    lines = [EvidenceLine(name, value) for name, value in alert.annotations.items()]
    lines += [EvidenceLine(_LINKS[name], link) for name, link in alert.links.items()]
    lines += [EvidenceLine(f"label {name}", value) for name, value in alert.labels.items()]
    lines.append(EvidenceLine("source", source))
    begun = "" if alert.starts_at is None else alert.starts_at.isoformat()
    return Evidence(seen=begun, lines=tuple(line for line in lines if line.now))


def storm_evidence(rows: Sequence[AlertRow], *, source: str, count: int) -> Evidence:
    """Return a row for each alert of a storm, up to ``MOST_LISTED``, and how many there are."""
    lines = [EvidenceLine("source", source), EvidenceLine("alerts", f"{count}")]
    lines += [
        EvidenceLine(f"{number}", _named(row))
        for number, row in enumerate(rows[:MOST_LISTED], start=1)
    ]
    if count > MOST_LISTED:
        lines.append(EvidenceLine("others", f"{count - MOST_LISTED}"))
    return Evidence(lines=tuple(lines))


def _named(row: AlertRow) -> str:
    """Return an episode's name with what tells it from others of the same rule."""
    labels = {name: value for name, value in row.labels.items() if name != "alertname"}
    told = ", ".join(f"{name}={value}" for name, value in sorted(labels.items()))
    return one_line(f"{row.name} ({told})" if told else row.name, limit=300)


def _with_rest(lines: list[str], others: int) -> str:
    if others > 0:
        lines.append(f"and {others} more")
    return "\n".join(lines)
