"""What the metrics page counts of the sources of alerts; nothing here writes.

Needs an open (read) transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from monitor.alert_tables import AlertSourceRow


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFigures:
    """What was counted of one source: requests by outcome, and alerts."""

    name: str
    requests: Mapping[str, int]
    firing: int
    resolved: int
    deduplicated: int
    truncated: int
    watchdog_at: datetime | None


def list_source_figures(tx: Session) -> Sequence[SourceFigures]:
    """Return the counts of every source that is configured, by name."""
    query = select(AlertSourceRow).where(col(AlertSourceRow.removed_at).is_(None))
    return [
        SourceFigures(
            name=row.name,
            requests={
                "ok": row.ok_count,
                "unauthorised": row.unauthorised_count,
                "malformed": row.malformed_count,
                "too_large": row.too_large_count,
                "store_error": row.store_error_count,
            },
            firing=row.firing_count,
            resolved=row.resolved_count,
            deduplicated=row.deduplicated_count,
            truncated=row.truncated_count,
            watchdog_at=row.watchdog_at,
        )
        for row in tx.exec(query.order_by(col(AlertSourceRow.name))).all()
    ]
