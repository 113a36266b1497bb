"""What a prober keeps in memory: how each site stands, and the scheduler's counters."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from monitor.rules.observation import Observation
from monitor.rules.site import Site
from monitor.rules.streak import Streak
from monitor.rules.verdict import Judgement

LATENESS_EDGES = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Upper edges, in seconds, of the histogram of how late probes start."""

DURATION_EDGES = (0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30)
"""Upper edges, in seconds, of the histograms of how long answered probes took."""


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
class AnswerTimes:
    """How long a client's answered probes took: how many up to each edge, and their sum."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(DURATION_EDGES) + 1))
    sum: float = 0.0

    def note(self, seconds: float) -> None:
        """Count a probe that was answered in so many seconds."""
        self.buckets[bisect_left(DURATION_EDGES, seconds)] += 1
        self.sum += seconds


@dataclass(slots=True)
class Figures:
    """The scheduler's counters, which go on where they were when it starts again."""

    ok: int = 0
    error: int = 0
    missed: int = 0
    skipped: int = 0
    in_flight: int = 0
    due: int = 0
    lateness: list[int] = field(default_factory=lambda: [0] * (len(LATENESS_EDGES) + 1))
    lateness_sum: float = 0.0
    answers: dict[str, AnswerTimes] = field(default_factory=dict[str, AnswerTimes])

    def resume(self, document: Mapping[str, Any], clients: Iterable[str]) -> None:
        """Go on counting from what was stored last, answers for each of ``clients``.

        Sums over several probers would else fall when one of them starts again.
        """
        runs: Mapping[str, int] = document.get("runs", {})
        self.ok, self.error = runs.get("ok", 0), runs.get("error", 0)
        self.missed, self.skipped = runs.get("missed", 0), runs.get("skipped", 0)
        late: Mapping[str, Any] = document.get("lateness", {})
        if len(late.get("buckets", ())) == len(self.lateness):
            self.lateness, self.lateness_sum = [*late["buckets"]], late["sum"]
        kept: Mapping[str, Any] = document.get("answers", {})
        for client in clients:
            answers = self.answers[client] = AnswerTimes()
            stored = kept.get(client, {})
            if len(stored.get("buckets", ())) == len(answers.buckets):
                answers.buckets, answers.sum = [*stored["buckets"]], stored["sum"]

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
            "answers": {
                client: {"buckets": list(answers.buckets), "sum": round(answers.sum, 6)}
                for client, answers in self.answers.items()
            },
        }

    def note_lateness(self, seconds: float) -> None:
        """Count a probe that started so long after its due time."""
        seconds = max(seconds, 0.0)
        self.lateness[bisect_left(LATENESS_EDGES, seconds)] += 1
        self.lateness_sum += seconds

    def note_answer(self, client: str, seconds: float) -> None:
        """Count a probe of one of the client's sites that was answered in so many seconds."""
        answers = self.answers.get(client)
        if answers is None:
            answers = self.answers[client] = AnswerTimes()
        answers.note(seconds)
