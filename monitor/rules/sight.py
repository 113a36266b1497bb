"""Whether a location can see: from what was watched and what was not, cycle by cycle.

A single excused probe is no news. A location is blind when for whole cycles a large share of its
slots could not be judged for reasons of our own; then staff must hear of it, for nobody else would.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.rules.observation import Cause

BLIND_SHARE = 0.3
"""Share of unwatched slots above which a cycle is blind."""

SIGHTED_SHARE = 0.1
"""Share of unwatched slots up to which a blind location sees again."""

LONG_UNSEEN = timedelta(minutes=15)
"""How long a single site may go unjudged before that counts as blindness too."""

BLIND_CYCLES = 2
"""Blind cycles in a row after which staff are told."""

REASONS = {
    Cause.OWN_NETWORK: "its own network is down",
    Cause.OWN_RESOLVER: "its name servers do not answer",
    Cause.OWN_RESOURCES: "it has too few file descriptors, ports or memory",
    Cause.OWN_STALL: "its host stands still again and again",
    Cause.MISSED: "it cannot probe all its sites in time",
}
"""Why a location cannot see, as a clause."""


@dataclass(slots=True)
class Tally:
    """Slots of one cycle: ``watched`` ones, and by cause those that could not be judged.

    ``long_unseen`` sites have not been judged for ``LONG_UNSEEN``.
    """

    watched: int = 0
    unwatched: dict[Cause, int] = field(default_factory=dict[Cause, int])
    first_unwatched_at: datetime | None = None
    long_unseen: int = 0

    def unwatch(self, cause: Cause, *, at: datetime, slots: int = 1) -> None:
        """Count slots that could not be judged; ``at`` (aware UTC) is when that was."""
        self.unwatched[cause] = self.unwatched.get(cause, 0) + slots
        if self.first_unwatched_at is None or at < self.first_unwatched_at:
            self.first_unwatched_at = at

    @property
    def missing(self) -> int:
        """How many slots could not be judged."""
        return sum(self.unwatched.values())

    @property
    def chief_cause(self) -> Cause:
        """What most slots suffered from; missed ones are the consequence where there is a cause."""
        return max(self.unwatched, key=lambda one: (one is not Cause.MISSED, self.unwatched[one]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """How well a location sees.

    ``since`` is the first unwatched slot of a run of blind cycles, None while it sees; ``cause`` is
    what most slots suffered from when the run began; ``unwatched`` counts the run's slots.
    """

    cycles: int = 0
    since: datetime | None = None
    cause: Cause | None = None
    unwatched: int = 0
    is_told: bool = False


class Change(StrEnum):
    """What staff are to hear."""

    BLIND = "blind"
    SIGHTED = "sighted"


def look_back(sight: Sight, tally: Tally) -> tuple[Sight, Change | None]:
    """Feed what one cycle brought; return the sight after it and what staff are to hear, if any.

    After ``SIGHTED`` the returned sight still holds the run's figures; begin anew from ``Sight()``.
    """
    total = tally.watched + tally.missing
    if not total:
        return sight, None
    most = SIGHTED_SHARE if sight.is_told else BLIND_SHARE
    if tally.missing / total <= most and not (tally.missing and tally.long_unseen):
        seen = replace(sight, unwatched=sight.unwatched + tally.missing)
        return (seen, Change.SIGHTED) if sight.is_told else (Sight(), None)
    sight = Sight(
        cycles=sight.cycles + 1,
        since=sight.since or tally.first_unwatched_at,
        cause=tally.chief_cause if sight.cause in {None, Cause.MISSED} else sight.cause,
        unwatched=sight.unwatched + tally.missing,
        is_told=sight.is_told,
    )
    if sight.is_told or sight.cycles < BLIND_CYCLES:
        return sight, None
    return replace(sight, is_told=True), Change.BLIND
