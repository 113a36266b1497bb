"""Response targets and the deadlines that follow from them.

A deadline is computed once, when its promise begins, and frozen (decision 5).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class CountedIn(StrEnum):
    """The unit in which a response target is counted."""

    SUPPORT_HOURS = "support_hours"
    SUPPORT_DAYS = "support_days"


class MetBy(StrEnum):
    """What a person must do in time for the promise to be kept."""

    ACKNOWLEDGEMENT = "acknowledgement"
    REPLY = "reply"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseTarget:
    """What is promised for one priority: ``within`` is counted in ``counted_in``."""

    within: timedelta
    counted_in: CountedIn
    met_by: MetBy
