"""The past of tickets and promises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from random import Random

from tests.pictures.instants import (
    BUCKETS,
    DAY,
    HOUR,
    MINUTE,
    Part,
    always,
    count,
    since,
)


@dataclass(slots=True)
class Ticket:
    """One ticket of the past; ``took`` is the support time to its answer, instants are seconds."""

    priority: str
    source: str
    opened_at: int
    took: float
    deadline: int
    resolved_at: int

    @property
    def answered_at(self) -> int:
        return self.opened_at + int(self.took)


@dataclass(slots=True)
class TicketsPast:
    """What became of tickets, up to ``end`` (Unix seconds)."""

    end: int
    random: Random = field(default_factory=lambda: Random(7))
    tickets: list[Ticket] = field(default_factory=list[Ticket])

    def __post_init__(self) -> None:
        self.tickets = sorted(self._tickets(), key=lambda ticket: ticket.opened_at)

    def _tickets(self) -> Iterator[Ticket]:
        for day in range(-215, 1):
            midnight = (self.end + day * DAY) // DAY * DAY
            if not self._is_support(midnight + 12 * HOUR):
                continue
            for priority, chance in {"critical": 0.55, "normal": 1.3, "low": 0.5}.items():
                for _ in range(2):
                    if self.random.random() < chance / 2:
                        yield self._ticket(priority, midnight + 9 * HOUR)

    def _ticket(self, priority: str, opens: int) -> Ticket:
        opened_at = opens + int(self.random.random() * 6 * HOUR)
        if priority == "critical":
            took = min(4 * HOUR, self.random.lognormvariate(6.7, 0.95))
            deadline = opened_at + HOUR
            source = self.random.choice(["monitor", "monitor", "alertmanager", "form"])
        else:
            took = min(1.9 * DAY, self.random.lognormvariate(9, 0.9))
            deadline = opened_at + 2 * DAY
            source = self.random.choice(["form", "form", "staff", "api", "grafana"])
        lasts = took + self.random.lognormvariate(10, 0.9)
        return Ticket(priority, source, opened_at, took, deadline, opened_at + int(lasts))

    def _is_support(self, at: int) -> bool:
        weekday, hour = (at // DAY + 3) % 7, at % DAY // HOUR
        return weekday < 5 and 9 <= hour < 17

    def _open_in(self, priority: str, state: str, at: int) -> float:
        found = 0
        for ticket in self.tickets:
            if ticket.priority == priority and ticket.opened_at <= at < ticket.resolved_at:
                share = (at - ticket.opened_at) / (ticket.resolved_at - ticket.opened_at)
                now = "new"
                if at >= ticket.answered_at:
                    now = "waiting" if ticket.priority != "critical" else "acknowledged"
                    now = "acknowledged" if share < 0.5 else now
                    now = "recovered" if ticket.source == "monitor" and share > 0.6 else now
                found += now == state
        waits = {"critical": 42 * MINUTE, "low": 3.2 * DAY}.get(priority, 0)
        return found + (state == "new" and at > self.end - waits)

    def series(self) -> Part:
        """Yield the series."""
        targets = {"critical": HOUR, "normal": 2 * DAY, "low": 3 * DAY}
        for priority, target in targets.items():
            ours = [ticket for ticket in self.tickets if ticket.priority == priority]
            labels = {"priority": priority}
            for state in ("new", "acknowledged", "waiting", "recovered"):
                value = partial(self._open_in, priority, state)
                yield "fettle_tickets_open", labels | {"state": state}, value
            for source in ("monitor", "alertmanager", "grafana", "form", "api", "staff"):
                of = [ticket.opened_at for ticket in ours if ticket.source == source]
                yield "fettle_tickets_opened_total", labels | {"source": source}, count(of)
            resolved = [ticket.resolved_at for ticket in ours]
            name = "fettle_tickets_resolved_total"
            yield name, labels | {"how": "staff"}, count(resolved)
            yield name, labels | {"how": "auto"}, always(0)
            yield "fettle_tickets_reopened_total", labels, count(resolved[::9])
            yield "fettle_ticket_response_target_seconds", labels, always(target)
            broken = [ticket for ticket in ours if ticket.answered_at > ticket.deadline]
            breaches = count([ticket.deadline for ticket in broken])
            answered = count([ticket.answered_at for ticket in broken])
            name = "fettle_ticket_sla_breaches_total"
            yield name, labels | {"target": "response"}, breaches
            yield (
                "fettle_tickets_response_overdue",
                labels,
                lambda at, b=breaches, a=answered, low=priority == "low": (
                    b(at) - a(at) + (low and at > self.end - 50 * MINUTE)
                ),
            )
            name = "fettle_ticket_response_support_seconds"
            yield f"{name}_count", labels, count([ticket.answered_at for ticket in ours])
            for edge in BUCKETS[name]:
                within = [ticket.answered_at for ticket in ours if ticket.took <= edge]
                yield f"{name}_bucket", labels | {"le": f"{float(edge)}"}, count(within)
            every = count([ticket.answered_at for ticket in ours])
            yield f"{name}_bucket", labels | {"le": "+Inf"}, every
        name = "fettle_ticket_next_response_deadline_timestamp_seconds"
        yield name, {"priority": "critical"}, since(self.end - HOUR, self.end + 18 * MINUTE)
        yield name, {"priority": "normal"}, since(self.end - DAY, self.end + 1.1 * DAY)
        yield name, {"priority": "low"}, since(self.end - DAY, self.end - 50 * MINUTE)
        oldest = "fettle_tickets_oldest_unanswered_timestamp_seconds"
        yield oldest, {"priority": "critical"}, since(self.end - HOUR, self.end - 42 * MINUTE)
        yield oldest, {"priority": "low"}, since(self.end - DAY, self.end - 3.2 * DAY)
        support = lambda at: float(self._is_support(at))  # noqa: E731 (a value like the others)
        yield "fettle_support_window_open", {"calendar": "default"}, support
