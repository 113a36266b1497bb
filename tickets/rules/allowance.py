"""A client's monthly allowance of work, and when its use is worth a warning."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

WARNING_SHARES = (80, 100)
"""Per cent of the allowance at which the lead is told, once per client and month."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """Work that a client may ask for in a calendar month.

    Time spent on tickets that a machine opened counts only if ``counts_incidents``.
    """

    per_month: timedelta
    counts_incidents: bool = False

    def share(self, spent: timedelta) -> int:
        """Return how much of the allowance ``spent`` is, in whole per cent, cut and never up."""
        return 100 * spent // self.per_month


def crossed(allowance: Allowance, *, before: timedelta, after: timedelta) -> tuple[int, ...]:
    """Return the warning shares that the step from ``before`` to ``after`` reached."""
    low, high = allowance.share(before), allowance.share(after)
    return tuple(share for share in WARNING_SHARES if low < share <= high)


def month_of(on: date) -> str:
    """Return the month of a local date as ``2026-03``."""
    return f"{on.year:04}-{on.month:02}"
