"""A statement as one JSON document: instants are ISO 8601 in its zone, durations seconds."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from monitor.rules.uptime import Uptime
from monitor.statement.figures import (
    IncidentFigures,
    PromiseFigures,
    ResponseFigures,
    SiteFigures,
    Statement,
)


def statement_document(statement: Statement) -> dict[str, Any]:
    """Return all figures of ``statement``; nothing in it is rounded."""
    allowance = statement.allowance
    return {
        "client": statement.client,
        "client_name": statement.client_name,
        "month": str(statement.month),
        "timezone": statement.zone.key,
        "made_at": _instant(statement.at, statement),
        "so_far": statement.is_so_far,
        "uptime": _uptime(statement.uptime),
        "sites": [_site(site, statement) for site in statement.sites],
        "incidents": [_incident(one, statement) for one in statement.incidents],
        "tickets": [_promise(one, statement) for one in statement.promises],
        "responses": [_response(one) for one in statement.responses],
        "certificates": [
            {"site": one.site, "expires_at": _instant(one.expires_at, statement)}
            for one in statement.certificates
        ],
        "domains": None,
        "allowance": None
        if allowance is None
        else {
            "spent_seconds": _seconds(allowance.spent),
            "per_month_seconds": _seconds(allowance.allowance.per_month),
        },
    }


def _site(site: SiteFigures, statement: Statement) -> dict[str, Any]:
    return {
        "slug": site.slug,
        "name": site.name,
        "url": site.url,
        "from": _instant(site.start, statement),
        "to": _instant(site.end, statement),
        **_uptime(site.uptime),
        "median_seconds": site.typical_seconds,
        "percentile_95_seconds": site.slow_seconds,
        "days": [
            {"date": day.on.isoformat(), **({} if day.uptime is None else _uptime(day.uptime))}
            for day in site.days
        ],
    }


def _uptime(uptime: Uptime) -> dict[str, Any]:
    return {
        "share": uptime.share,
        "up_seconds": _seconds(uptime.up),
        "slow_seconds": _seconds(uptime.slow),
        "down_seconds": _seconds(uptime.down),
        "unknown_seconds": _seconds(uptime.unknown),
        "maintenance_seconds": _seconds(uptime.maintenance),
        "unwatched_seconds": _seconds(uptime.unwatched),
    }


def _incident(incident: IncidentFigures, statement: Statement) -> dict[str, Any]:
    return {
        "site": incident.site,
        "kind": incident.kind,
        "seen": f"the website {incident.words}",
        "started_at": _instant(incident.started_at, statement),
        "ended_at": _instant(incident.ended_at, statement),
        "no_longer_watched": not incident.is_watched,
        "seconds": _seconds(incident.duration),
        "seconds_in_month": _seconds(incident.within),
        "stretches": incident.stretches,
        "ticket": incident.reference,
    }


def _promise(promise: PromiseFigures, statement: Statement) -> dict[str, Any]:
    return {
        "ticket": promise.reference,
        "title": promise.title,
        "priority": promise.priority.value,
        "reopened": promise.is_reopened,
        "opened_at": _instant(promise.started_at, statement),
        "respond_by": _instant(promise.respond_by, statement),
        "answered_at": _instant(promise.answered_at, statement),
        "promise": promise.kept.value,
        "response_support_seconds": _seconds(promise.took),
        "late_support_seconds": _seconds(promise.late_by),
        "late_clock_seconds": _seconds(promise.late_on_clock),
    }


def _response(response: ResponseFigures) -> dict[str, Any]:
    return {
        "priority": response.priority.value,
        "kept": response.kept,
        "broken": response.broken,
        "running": response.running,
        "void": response.void,
        "median_support_seconds": _seconds(response.median),
        "worst_support_seconds": _seconds(response.worst),
    }


def _instant(at: datetime | None, statement: Statement) -> str | None:
    return None if at is None else at.astimezone(statement.zone).isoformat()


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()
