"""What a prober keeps in memory: how each site stands, and the scheduler's counters."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

from monitor.rules.observation import Observation
from monitor.rules.site import Site
from monitor.rules.streak import Streak
from monitor.rules.verdict import Judgement

LATENESS_EDGES = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Upper edges, in seconds, of the histogram of how late probes start."""


@dataclass(slots=True)
class Watched:
    """One site as its prober knows it: its streak and the observation that began a bad run."""

    site: Site
    client_name: str
    streak: Streak = Streak()
    first_bad: tuple[Observation, Judgement] | None = None
    is_running: bool = False
    is_looked_at_again: bool = False
    is_long: bool = False
    gap: int = 0
    unseen_since: float | None = None


@dataclass(slots=True)
class Figures:
    """The scheduler's counters since it started."""

    ok: int = 0
    error: int = 0
    missed: int = 0
    skipped: int = 0
    in_flight: int = 0
    due: int = 0
    lateness: list[int] = field(default_factory=lambda: [0] * (len(LATENESS_EDGES) + 1))
    lateness_sum: float = 0.0

    def document(self) -> dict[str, Any]:
        """Return the figures as a JSON document for the store."""
        return {
            "runs": {
                "ok": self.ok,
                "error": self.error,
                "missed": self.missed,
                "skipped": self.skipped,
            },
            "in_flight": self.in_flight,
            "due": self.due,
            "lateness": {
                "buckets": list(self.lateness),
                "sum": self.lateness_sum,
                "count": sum(self.lateness),
            },
        }

    def note_lateness(self, seconds: float) -> None:
        """Count a probe that started so long after its due time."""
        seconds = max(seconds, 0.0)
        self.lateness[bisect_left(LATENESS_EDGES, seconds)] += 1
        self.lateness_sum += seconds
