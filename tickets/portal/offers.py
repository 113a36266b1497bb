"""What a client is promised for a request that is sent now: three deadlines, hours, closures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tickets.policy import Policy
from tickets.rules.closure_ahead import next_closure
from tickets.rules.hours import OutOfReach
from tickets.rules.promise import MetBy, deadline
from tickets.rules.ticket import Priority
from tickets.rules.words import describe_support, describe_week


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The deadline of one priority; None where the calendar does not reach so far."""

    respond_by: datetime | None
    met_by: MetBy


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What is promised at ``now``; ``support`` and ``week`` are words, ``closure`` may be empty."""

    now: datetime
    is_open: bool
    support: str
    week: str
    closure: str
    by_priority: Mapping[Priority, Offer]


def offers_of(policy: Policy, client: str, *, now: datetime) -> Offers:
    """Return what the client with slug ``client`` is promised at ``now``, on its own calendar."""
    hours, targets = policy.hours_of(client), policy.targets_of(client)
    by_priority: dict[Priority, Offer] = {}
    for priority, target in targets.items():
        try:
            respond_by = deadline(hours, target, now).respond_by
        except OutOfReach:
            respond_by = None
        by_priority[priority] = Offer(respond_by=respond_by, met_by=target.met_by)
    try:
        support = describe_support(hours, now=now)
    except OutOfReach:
        support = "closed"
    return Offers(
        now=now,
        is_open=hours.is_open(now),
        support=support,
        week=describe_week(hours),
        closure=next_closure(hours, now),
        by_priority=by_priority,
    )
