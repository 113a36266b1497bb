"""The closure that clients are told of before they ask and in their receipts."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from tickets.rules.hours import SupportHours
from tickets.rules.words import format_date

CLOSURE_AHEAD = timedelta(days=14)
"""How far ahead the next closure is named (contract, section 6)."""


def next_closure(hours: SupportHours, at: datetime) -> str:
    """Return the closure that runs, or begins within ``CLOSURE_AHEAD``, in words; else empty.

    Two or more days off in a row are a closure, weekends between them included, under the name of
    most of its days; a single holiday is not.
    """
    first = at.astimezone(hours.zone).date()
    days_off = hours.days_off
    one_day = timedelta(days=1)
    for ahead in range(CLOSURE_AHEAD.days + 1):
        start = first + ahead * one_day
        if start not in days_off:
            continue
        end = start
        while start - one_day in days_off:
            start -= one_day
        while end + one_day in days_off:
            end += one_day
        if start == end:
            continue
        days = [start + n * one_day for n in range((end - start).days + 1)]
        [(name, _days)] = Counter(days_off[day] for day in days).most_common(1)
        return f"from {format_date(start)} to {format_date(end)} ({name})"
    return ""
