"""When staff hear that a promise runs out, step by step, and only in support hours."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tickets.rules.hours import SupportHours
from tickets.rules.promise import at_risk_instants, is_kept

WHOLE = 100
"""Per cent of a promise at which its deadline has passed."""


class StaffChannel(StrEnum):
    """The lists of staff who are told, as ``staff_channels`` names them."""

    DUTY = "duty"
    LEAD = "lead"


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationStep:
    """Whom to ``tell`` when ``percent`` of a promise is used up unanswered.

    Raises ``ValueError`` unless ``percent`` lies between 1 and 100 and somebody is told.
    """

    percent: int
    tell: tuple[StaffChannel, ...]

    def __post_init__(self) -> None:
        if not 1 <= self.percent <= WHOLE:
            raise ValueError(f"{self.percent}% is no share of a promise; allowed are 1% to 100%")
        if not self.tell:
            raise ValueError(f"nobody is told at {self.percent}%; name duty, lead or both")


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """Steps that are due together, as ``percents`` in order, and everybody they tell.

    After an absence of ours several steps can be due at once: they make one notice, that of the
    last step.
    """

    percents: tuple[int, ...]
    tell: tuple[StaffChannel, ...]

    @property
    def is_broken(self) -> bool:
        """Whether the deadline has passed."""
        return self.percents[-1] == WHOLE


DEFAULT_STEPS = (
    EscalationStep(percent=50, tell=(StaffChannel.DUTY,)),
    EscalationStep(percent=75, tell=(StaffChannel.DUTY, StaffChannel.LEAD)),
    EscalationStep(percent=WHOLE, tell=(StaffChannel.DUTY, StaffChannel.LEAD)),
)


def due_escalation(
    hours: SupportHours,
    steps: Sequence[EscalationStep],
    *,
    started_at: datetime,
    respond_by: datetime,
    told: Collection[int],
    now: datetime,
) -> Escalation | None:
    """Return the steps of an unanswered promise that are due ``now`` and not ``told`` before.

    None out of support hours: what falls due then, or exactly at closing time, waits for the next
    opening. The last step is due once the deadline has passed, not at the deadline itself.
    """
    waiting = [step for step in steps if step.percent not in told]
    if not waiting or not hours.is_open(now):
        return None
    instants = at_risk_instants(
        hours,
        started_at=started_at,
        respond_by=respond_by,
        shares=[step.percent / WHOLE for step in waiting],
    )
    due = [
        step
        for step, at in zip(waiting, instants, strict=True)
        if (at <= now if step.percent < WHOLE else not is_kept(now, respond_by))
    ]
    if not due:
        return None
    due.sort(key=lambda step: step.percent)
    tell = {channel: None for step in reversed(due) for channel in step.tell}
    return Escalation(percents=tuple(step.percent for step in due), tell=tuple(tell))
