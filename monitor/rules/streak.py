"""From verdicts to transitions: a change is believed after enough verdicts in a row.

``unknown`` neither feeds nor breaks a streak: it is our own blindness, not news of the site.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from monitor.rules.site import Confirmation
from monitor.rules.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Streak:
    """Where one site stands at one location.

    ``settled`` is the last confirmed verdict (None for a site never seen well or ill). ``bad`` runs
    while observations are slow or down, ``down`` while they are down, ``good`` while they are up.
    ``bad_since`` is the instant of the first bad observation of the run.
    """

    settled: Verdict | None = None
    good: int = 0
    bad: int = 0
    down: int = 0
    bad_since: datetime | None = None
    down_since: datetime | None = None
    good_since: datetime | None = None

    @property
    def is_in_doubt(self) -> bool:
        """Whether what was seen last disagrees with what is settled, so that we look again soon."""
        if self.settled in {None, Verdict.UP}:
            return self.bad > 0
        return self.good > 0 or (self.settled is Verdict.SLOW and self.down > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A confirmed change of verdict at one location.

    ``since`` is when the new state was first observed, ``confirmed_at`` when it was believed.
    """

    before: Verdict | None
    after: Verdict
    since: datetime
    confirmed_at: datetime


def advance(
    streak: Streak, verdict: Verdict, *, at: datetime, confirmation: Confirmation
) -> tuple[Streak, Transition | None]:
    """Feed one verdict, observed at ``at`` (aware UTC); return the new streak and any transition.

    Down is confirmed by ``confirmation.down`` downs in a row; slow by ``confirmation.slow`` bad
    observations in a row, of which a down counts as bad too; up by ``confirmation.up`` ups in a
    row. A site that is settled as down stays so until it is up: answering slowly is not recovery.
    """
    if verdict is Verdict.UNKNOWN:
        return streak, None
    if verdict is Verdict.UP:
        streak = replace(
            streak,
            good=streak.good + 1,
            good_since=streak.good_since or at,
            bad=0,
            down=0,
            bad_since=None,
            down_since=None,
        )
        needed = 1 if streak.settled is None else confirmation.up
        if streak.settled is Verdict.UP or streak.good < needed:
            return streak, None
        return _settle(streak, Verdict.UP, since=streak.good_since or at, at=at)
    is_down = verdict is Verdict.DOWN
    streak = replace(
        streak,
        good=0,
        good_since=None,
        bad=streak.bad + 1,
        bad_since=streak.bad_since or at,
        down=streak.down + 1 if is_down else 0,
        down_since=(streak.down_since or at) if is_down else None,
    )
    if streak.settled is not Verdict.DOWN and streak.down >= confirmation.down:
        return _settle(streak, Verdict.DOWN, since=streak.down_since or at, at=at)
    if streak.settled in {None, Verdict.UP} and streak.bad >= confirmation.slow and not is_down:
        return _settle(streak, Verdict.SLOW, since=streak.bad_since or at, at=at)
    return streak, None


def _settle(
    streak: Streak, after: Verdict, *, since: datetime, at: datetime
) -> tuple[Streak, Transition]:
    transition = Transition(before=streak.settled, after=after, since=since, confirmed_at=at)
    return replace(streak, settled=after), transition
