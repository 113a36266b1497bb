"""From what a probe saw to a verdict: up, slow, down, or unknown when the fault is our own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from monitor.rules.observation import UNKNOWN_CAUSES, Cause, Observation


class Verdict(StrEnum):
    """The judgement of one observation."""

    UP = "up"
    SLOW = "slow"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict with the cause and the plain sentence that explain it (both empty for up)."""

    verdict: Verdict
    cause: Cause | None = None
    message: str = ""


def judge(observation: Observation, *, slow_after: timedelta) -> Judgement:
    """Judge an observation: its cause first, then the time that a good answer took."""
    if observation.cause is not None:
        unknown = observation.cause in UNKNOWN_CAUSES
        return Judgement(
            verdict=Verdict.UNKNOWN if unknown else Verdict.DOWN,
            cause=observation.cause,
            message=observation.message,
        )
    limit = slow_after.total_seconds()
    if observation.duration_seconds > limit:
        took, most = observation.duration_seconds, limit
        return Judgement(
            verdict=Verdict.SLOW,
            cause=Cause.SLOW,
            message=f"answered in {took:.2f} s, slower than the limit of {most:g} s",
        )
    return Judgement(verdict=Verdict.UP)
