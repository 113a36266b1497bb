"""What the invented past is made of: instants, values by instant, buckets."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence

from monitor.metrics import FAMILIES

MINUTE, HOUR, DAY = 60, 3600, 86400
RECENT, OLDER, LONG_AGO = 7 * DAY, 36 * DAY, 216 * DAY
"""Seconds before the end: every five minutes are told, every fifteen, and of some series alone."""

BUCKETS = {
    family.name: family.buckets
    for families in FAMILIES.values()
    for family in families
    if family.buckets
}

Value = Callable[[int], float]
"""A series' value at an instant (Unix seconds); it has none where that is NaN."""

Part = Iterator[tuple[str, Mapping[str, str], Value]]
"""Series: name, labels and value."""


def always(value: float) -> Value:
    """Return what never changes."""
    return lambda _: value


def since(begin: float, value: float) -> Value:
    """Return what is there from an instant on."""
    return lambda at: value if at >= begin else math.nan


def count(instants: Sequence[int]) -> Value:
    """Return a counter that rises at the instants."""
    ordered = sorted(instants)
    return lambda at: bisect_right(ordered, at)
