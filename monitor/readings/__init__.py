"""What became of observations: each site's last one, and time buckets for uptime and charts.

Both are folded in memory and written in few transactions, so that a healthy probe costs none of its
own. ``latest`` holds what was seen last, ``buckets`` the time buckets, ``rows`` writes and folds
them in the store, and ``keeping`` is the job that makes hours and days of them and deletes the old.
"""

from __future__ import annotations

from monitor.readings.latest import (
    Document,
    Known,
    Readings,
    load_known,
    observation_document,
    store_changes,
)

__all__ = [
    "Document",
    "Known",
    "Readings",
    "load_known",
    "observation_document",
    "store_changes",
]
