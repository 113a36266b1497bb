"""The past of Fettle itself: its scheduler, mails, pages, processes, alerts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random

from tests.pictures.instants import (
    BUCKETS,
    DAY,
    HOUR,
    MINUTE,
    OLDER,
    Part,
    Value,
    always,
    count,
)
from tests.pictures.past_tickets import Ticket
from tickets.rules.message import HoldReason


@dataclass(slots=True)
class ServicePast:
    """How Fettle itself fared, up to ``end`` (Unix seconds)."""

    end: int
    tickets: Sequence[Ticket]
    random: Random = field(default_factory=lambda: Random(7))

    def series(self) -> Part:
        """Yield the series."""
        yield from self._scheduler()
        yield from self._mails()
        yield from self._service()

    def _bad(self, at: int, ago: float, minutes: float) -> float:
        """Return how far (0 to 1) a bad time has gone that began ``ago`` hours before the end."""
        gone = at - (self.end - ago * HOUR)
        return gone / (minutes * MINUTE) if 0 <= gone < minutes * MINUTE else 0

    def _scheduler(self) -> Part:
        edges = [*BUCKETS["fettle_scheduler_lateness_seconds"], math.inf]
        for edge in edges:
            text = "+Inf" if math.isinf(edge) else f"{float(edge)}"
            share = 1 - math.exp(-edge / 0.03)
            value = partial(self._late, share, 1 - math.exp(-edge / 0.8))
            yield "fettle_scheduler_lateness_seconds_bucket", {"le": text}, value
        for outcome, rate in {"ok": 1, "error": 0.01, "missed": 0.02, "skipped": 0.005}.items():
            value = partial(self._ran, rate, outcome)
            yield "fettle_scheduler_runs_total", {"job": "probe", "outcome": outcome}, value
        due = lambda at: round(60 * self._bad(at, 3.2, 40) * Random(at).random())  # noqa: E731
        yield "fettle_scheduler_due_checks", {}, due
        yield "fettle_probes_in_flight", {}, lambda at: Random(at + 1).randrange(1, 7) + due(at) / 4
        yield "fettle_scheduler_last_tick_timestamp_seconds", {}, lambda at: at - 1

    def _late(self, well: float, badly: float, at: int) -> float:
        whole = (at - (self.end - OLDER)) / 10
        since = min(max(0, at - (self.end - 3.2 * HOUR)), 40 * MINUTE) / 10
        return (whole - since) * well + since * badly

    def _ran(self, rate: float, outcome: str, at: int) -> float:
        since = min(max(0, at - (self.end - 3.2 * HOUR)), 40 * MINUTE) / 10
        return (at - (self.end - OLDER)) / 10 * rate + since * (0.2 if outcome == "missed" else 0)

    def _mails(self) -> Part:
        waiting = partial(self._bad, ago=1.7, minutes=35)
        stuck_at = self.end - 1.7 * HOUR
        counts: Mapping[str, Value] = {
            "pending": lambda at: round(5 * waiting(at)) + Random(at).randrange(2),
            "retrying": lambda at: round(9 * waiting(at)),
            "dead": lambda at: float(at > self.end - HOUR),
        }
        for state, value in counts.items():
            yield "fettle_outbox_messages", {"state": state}, value
        oldest = lambda at: stuck_at if waiting(at) else (at - 8 if at % 900 else math.nan)  # noqa: E731
        yield "fettle_outbox_oldest_pending_timestamp_seconds", {}, oldest
        yield "fettle_mail_server_failing", {}, lambda at: float(waiting(at) > 0)
        for why in HoldReason:
            value = partial(self._held, 3 if why is HoldReason.SUPPORT_HOURS else 0)
            yield "fettle_outbox_held_messages", {"why": why}, value
        yield "fettle_mail_undeliverable_addresses", {}, always(1)
        instants = [t.opened_at + n for t in self.tickets for n in (5, 6, 7)]
        instants += [t.answered_at + 4 for t in self.tickets]
        instants += [int(self.end - n * 11 * MINUTE) for n in range(40) if n not in (6, 7, 8)]
        yield "fettle_emails_sent_total", {"kind": "opened"}, count(sorted(instants))
        failed = [int(stuck_at + n * 2 * MINUTE) for n in range(17)]
        labels = {"kind": "opened", "reason": "connect"}
        yield "fettle_email_failures_total", labels, count(failed)

    def _held(self, most: int, at: int) -> float:
        return at // 1800 % (most + 1)

    def _service(self) -> Part:
        yield "up", {}, always(1)
        yield "scrape_duration_seconds", {}, always(0.043)
        build = {"version": "0.1.0", "revision": "3f1c2ab", "python_version": "3.11.9"}
        yield "fettle_build_info", build, always(1)
        yield "fettle_config_last_reload_successful", {}, always(1)
        loaded = always(self.end - 3 * DAY)
        yield "fettle_config_last_reload_success_timestamp_seconds", {}, loaded
        for operation in ("read", "write"):
            blips = [
                int(self.end - 2.4 * HOUR) + n * 70 for n in range(6 if operation == "write" else 0)
            ]
            yield "fettle_store_errors_total", {"operation": operation}, count(blips)
        for code, rate in {"200": 1, "303": 0.12, "404": 0.02, "503": 0.001}.items():
            labels = {"method": "GET", "route": "/tickets", "code": code}
            yield "fettle_http_requests_total", labels, partial(self._asked, rate)
        name = "fettle_http_request_duration_seconds"
        for edge in [*BUCKETS[name], math.inf]:
            text = "+Inf" if math.isinf(edge) else f"{float(edge)}"
            value = partial(self._asked, 1 - math.exp(-edge / 0.04))
            yield f"{name}_bucket", {"method": "GET", "route": "/tickets", "le": text}, value
        place = {"prober": "main", "desk": ""}
        yield "fettle_location_blind", {"location": "main"}, always(0)
        for process, megabytes in {"prober": 142, "desk": 176}.items():
            memory = lambda at, m=megabytes: (m + 6 * math.sin(at / 7000)) * 1e6  # noqa: E731
            whose = {"process": process, "location": place[process]}
            yield "process_resident_memory_bytes", whose, memory
            busy = megabytes / 1500
            cpu = lambda at, b=busy: self._asked(b, at)  # noqa: E731
            yield "process_cpu_seconds_total", whose, cpu
        yield from self._alerts()

    def _asked(self, rate: float, at: int) -> float:
        since = at - (self.end - OLDER)
        return rate * (since * 0.6 - 0.5 * DAY / 2 / math.pi * math.sin(since / DAY * 2 * math.pi))

    def _alerts(self) -> Part:
        sources = {"main": 40, "cloud": 340}
        for source, ago in sources.items():
            last = lambda at, a=ago: at - a  # noqa: E731
            yield "fettle_watchdog_last_received_timestamp_seconds", {"source": source}, last
        instants = sorted(int(self.end - self.random.random() * DAY) for _ in range(90))
        ends = [at + 20 * MINUTE for at in instants]
        for status, at in {"firing": instants, "resolved": ends}.items():
            labels = {"source": "main", "status": status}
            yield "fettle_alerts_received_total", labels, count(at)
        yield "fettle_alerts_deduplicated_total", {"source": "main"}, count(instants[::2])
        for outcome, at in {"ok": instants, "unauthorised": instants[::30]}.items():
            labels = {"source": "main", "outcome": outcome}
            yield "fettle_alert_webhook_requests_total", labels, count(at)
