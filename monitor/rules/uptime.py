"""Uptime over a period: how long a site was in each verdict, and the share that follows.

The share is (up + slow) / (up + slow + down), by time. What was unknown, in maintenance or not
watched is neither up nor down: it stands beside the share as a figure of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

_NONE = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Uptime:
    """How long a site was how within a period; the parts add up to the period's length.

    ``unwatched`` is time for which no probe of ours speaks: missed slots and our own absence.
    """

    up: timedelta = _NONE
    slow: timedelta = _NONE
    down: timedelta = _NONE
    unknown: timedelta = _NONE
    maintenance: timedelta = _NONE
    unwatched: timedelta = _NONE

    def __add__(self, other: Uptime) -> Uptime:
        return Uptime(
            up=self.up + other.up,
            slow=self.slow + other.slow,
            down=self.down + other.down,
            unknown=self.unknown + other.unknown,
            maintenance=self.maintenance + other.maintenance,
            unwatched=self.unwatched + other.unwatched,
        )

    @property
    def judged(self) -> timedelta:
        """The time for which the site was found up, slow or down."""
        return self.up + self.slow + self.down

    @property
    def seen(self) -> timedelta:
        """The time for which there are probes, whatever they found."""
        return self.judged + self.unknown + self.maintenance

    @property
    def length(self) -> timedelta:
        """The whole period."""
        return self.seen + self.unwatched

    @property
    def share(self) -> float | None:
        """The uptime, from 0 to 1; None when the site was never judged."""
        return (self.up + self.slow) / self.judged if self.judged else None

    def within(self, length: timedelta) -> Uptime:
        """Return the same with the rest of ``length``, if there is any, as unwatched."""
        return self + Uptime(unwatched=max(_NONE, length - self.length))


def total_uptime(parts: Iterable[Uptime]) -> Uptime:
    """Return the uptime of a period from those of the parts into which it was cut."""
    total = Uptime()
    for part in parts:
        total += part
    return total


def share_text(share: float | None) -> str:
    """Return an uptime as text, ``99.95 %``; rounded down, so that only the whole is 100 %."""
    if share is None:
        return "–"
    if share >= 1:
        return "100 %"
    hundredths = int(share * 10_000 + 1e-9)
    return f"{hundredths // 100}.{hundredths % 100:02} %"
