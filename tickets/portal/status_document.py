"""A status page as a JSON document: durations in seconds, instants in ISO 8601 with offset."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from tickets.pages.watch import uptime_document
from tickets.portal.context import Face
from tickets.portal.status_board import Board, BoardIncident, BoardSite


def status_document(board: Board, *, face: Face, zone: ZoneInfo) -> Mapping[str, object]:
    """Return all that the page of the client ``face`` tells."""

    def instant(at: datetime | None) -> str | None:
        return None if at is None else at.astimezone(zone).isoformat(timespec="seconds")

    def incident(one: BoardIncident) -> Mapping[str, object]:
        return {
            "id": one.key,
            "site": one.site,
            "state": one.state.value,
            "what": one.what,
            "in_hand": one.is_in_hand,
            "started_at": instant(one.started_at),
            "ended_at": instant(one.ended_at),
        }

    def site(one: BoardSite) -> Mapping[str, object]:
        history = one.history
        return {
            "slug": one.slug,
            "name": one.name,
            "state": one.state.value,
            "since": instant(history.view.since),
            "maintenance": list(history.windows),
            "uptime": {period.name: uptime_document(period.uptime) for period in history.periods},
            "days": [
                {"date": day.on.isoformat(), **uptime_document(day.uptime)}
                for day in history.days
                if day.uptime is not None
            ],
            "answers": [
                {"at": instant(answer.at), "median_seconds": answer.median_seconds}
                for answer in history.answers
                if answer.median_seconds is not None
            ],
        }

    return {
        "client": {"slug": face.slug, "name": face.name},
        "as_of": instant(board.at),
        "state": None if board.state is None else board.state.value,
        "sentence": board.sentence,
        "sites": [site(one) for one in board.sites],
        "incidents": [incident(one) for one in (*board.current, *board.past)],
    }
