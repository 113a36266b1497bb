"""An invented past under the service's own names, as OpenMetrics text for ``promtool tsdb``."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random

from dashboards import names
from monitor.metrics import FAMILIES
from tests.seeded import CLIENTS, NAMES

MINUTE, HOUR, DAY = 60, 3600, 86400
RECENT, OLDER, LONG_AGO = 7 * DAY, 36 * DAY, 216 * DAY
BUCKETS = {
    family.name: family.buckets
    for families in FAMILIES.values()
    for family in families
    if family.buckets
}

SPANS: Mapping[str, Sequence[tuple[float, float, int]]] = {
    "menu": [(-0.2, 0, 0), (-72, -71.6, 0), (-216, -215, 0)],
    "rooms": [(-0.9, 0, 2), (-20, -17.5, 2), (-90, -88, 2)],
    "spa": [(-1, 1, 3), (-25, -23, 3), (-49, -47, 3)],
    "tickets": [(-3, -2, 0), (-9, -8.2, 2)],
    "foyer": [(-0.4, 0, 5), (-13, -12.6, 0)],
    "booking": [],
}
"""Hours before the end, and the state that a site was in between them; it is up otherwise."""

Value = Callable[[int], float]


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
class Past:
    """What is made up, up to ``end`` (Unix seconds, a multiple of 15 minutes)."""

    end: int
    random: Random = field(default_factory=lambda: Random(7))
    tickets: list[Ticket] = field(default_factory=list[Ticket])

    def __post_init__(self) -> None:
        self.tickets = sorted(self._tickets(), key=lambda ticket: ticket.opened_at)

    def text(self) -> Iterator[str]:
        """Yield the lines; every name must be one that the boards may use."""
        known = names.known()
        for name, labels, value, is_long in self._series():
            assert name in known, name
            job = {"job": names.JOB, "instance": "127.0.0.1:8080"} | labels
            head = name + "{" + ",".join(f'{k}="{v}"' for k, v in job.items()) + "}"
            for at in self._times(is_long=is_long):
                number = value(at)
                if not math.isnan(number):
                    yield f"{head} {number:.10g} {at}\n"
        yield "# EOF\n"

    def _times(self, *, is_long: bool) -> Iterator[int]:
        first = self.end - (LONG_AGO if is_long else OLDER)
        yield from range(first, self.end - RECENT, 15 * MINUTE)
        yield from range(self.end - RECENT, self.end + 1, 5 * MINUTE)

    def _series(self) -> Iterator[tuple[str, Mapping[str, str], Value, bool]]:
        for parts in (self._sites, self._scheduler, self._mails, self._service):
            for name, labels, value in parts():
                yield name, labels, value, False
        for name, labels, value in self._work():
            is_long = name.endswith(("_count", "breaches_total", "_overdue"))
            yield name, labels, value, is_long

    # Sites

    def state(self, slug: str, at: int) -> int:
        """Return the code of the state that a site was in."""
        ago = (at - self.end) / HOUR
        return next((code for since, until, code in SPANS[slug] if since < ago <= until), 1)

    def _spent(self, slug: str, code: int, at: int) -> float:
        """Return the minutes that a site spent in a state until then."""
        first = self.end - OLDER
        spans = [
            (max(first, self.end + since * HOUR), min(at, self.end + until * HOUR))
            for since, until, of in SPANS[slug]
            if of == code
        ]
        return sum(max(0, until - since) for since, until in spans) / MINUTE

    def _counted(self, slug: str, result: str, at: int) -> float:
        whole = (at - (self.end - OLDER)) / MINUTE
        down, slow, unknown = (self._spent(slug, code, at) for code in (0, 2, 5))
        return {
            "up": whole - down - slow - unknown,
            "slow": slow,
            "down": down * 1.5,
            "unknown": unknown,
            "error": max(0, self._spent("foyer", 5, at) // 6) if slug == "foyer" else 0,
        }[result]

    def _seconds(self, slug: str, at: int) -> float:
        noise = Random(f"{slug}{at}").random()
        base = 0.18 + 0.09 * (sum(map(ord, slug)) % 7)
        day = 0.5 + 0.5 * math.sin((at % DAY) / DAY * 2 * math.pi - 2)
        good = base * (0.8 + 0.5 * day + 0.5 * noise**4)
        return {0: 0.02, 2: 3.4 + 1.6 * noise}.get(self.state(slug, at), good)

    def _phase(self, slug: str, phase: str, at: int) -> float:
        seconds = self._seconds(slug, at)
        early = {"resolve": 0.01, "connect": 0.02, "tls": 0.04}
        if self.state(slug, at) == 0:
            return {"resolve": 0.008, "connect": 0.012}.get(phase, 0)
        share = {"processing": 0.75, "transfer": 0.25}
        rest = seconds - sum(early.values())
        return early[phase] if phase in early else rest * share[phase]

    def _failures(self, slug: str, at: int) -> float:
        return float(self._spent(slug, 0, at) - self._spent(slug, 0, at - 4 * HOUR)) * (
            self.state(slug, at) == 0
        )

    def _sites(self) -> Iterator[tuple[str, Mapping[str, str], Value]]:
        for place, (slug, (client, title)) in enumerate(NAMES.items()):
            bare = {"site": slug, "client": client}
            labels = bare | {"instance": f"https://{slug}.{client}.test/"}
            ends = self.end + (12.4, 88, 54, 31, 160, 71)[place] * DAY
            yield "fettle_check_status_code", labels, partial(self.state, slug)
            yield "fettle_check_info", labels | {"name": title, "kind": "http"}, _always(1)
            yield "fettle_check_interval_seconds", labels, _always(60)
            yield "fettle_check_slow_threshold_seconds", labels, _always(3)
            yield "fettle_check_last_run_timestamp_seconds", labels, lambda at: at - 23
            yield "fettle_check_consecutive_failures", labels, partial(self._failures, slug)
            yield "probe_duration_seconds", labels, partial(self._seconds, slug)
            yield "probe_http_status_code", labels, partial(self._code, slug)
            yield "probe_ssl_earliest_cert_expiry", labels, _always(ends)
            subject = {
                "subject": f"CN={slug}.{client}.test",
                "issuer": "CN=Test authority,O=Authority",
                "subjectalternative": f"{slug}.{client}.test",
                "serialnumber": "0f",
                "fingerprint_sha256": "ab12",
            }
            yield "probe_ssl_last_chain_info", labels | subject, _always(1)
            yield "probe_tls_version_info", labels | {"version": "TLS 1.3"}, _always(1)
            cipher = {"cipher": "TLS_AES_128_GCM_SHA256"}
            yield "probe_tls_cipher_info", labels | cipher, _always(1)
            for phase in ("resolve", "connect", "tls", "processing", "transfer"):
                value = partial(self._phase, slug, phase)
                yield "probe_http_duration_seconds", labels | {"phase": phase}, value
            for result in ("up", "slow", "down", "unknown", "error"):
                value = partial(self._counted, slug, result)
                yield "fettle_checks_total", bare | {"result": result}, value
            for code, kind in {0: "down", 2: "slow", 8: "tls", 9: "domain"}.items():
                value = partial(self._is_in, slug, code)
                yield "fettle_incident_open", bare | {"kind": kind}, value
        for client in CLIENTS:
            count = sum(of == client for of, _ in NAMES.values())
            yield "fettle_checks_configured", {"client": client}, _always(count)

    def _code(self, slug: str, at: int) -> float:
        return {0: 503 if slug == "tickets" else 0}.get(self.state(slug, at), 200)

    def _is_in(self, slug: str, code: int, at: int) -> float:
        return float(self.state(slug, at) == code)

    # Tickets and promises

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

    def _work(self) -> Iterator[tuple[str, Mapping[str, str], Value]]:
        targets = {"critical": HOUR, "normal": 2 * DAY, "low": 3 * DAY}
        for priority, target in targets.items():
            ours = [ticket for ticket in self.tickets if ticket.priority == priority]
            labels = {"priority": priority}
            for state in ("new", "acknowledged", "waiting", "recovered"):
                value = partial(self._open_in, priority, state)
                yield "fettle_tickets_open", labels | {"state": state}, value
            for source in ("monitor", "alertmanager", "grafana", "form", "api", "staff"):
                of = [ticket.opened_at for ticket in ours if ticket.source == source]
                yield "fettle_tickets_opened_total", labels | {"source": source}, _count(of)
            resolved = [ticket.resolved_at for ticket in ours]
            name = "fettle_tickets_resolved_total"
            yield name, labels | {"how": "staff"}, _count(resolved)
            yield name, labels | {"how": "auto"}, _always(0)
            yield "fettle_tickets_reopened_total", labels, _count(resolved[::9])
            yield "fettle_ticket_response_target_seconds", labels, _always(target)
            broken = [ticket for ticket in ours if ticket.answered_at > ticket.deadline]
            breaches = _count([ticket.deadline for ticket in broken])
            answered = _count([ticket.answered_at for ticket in broken])
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
            yield f"{name}_count", labels, _count([ticket.answered_at for ticket in ours])
            for edge in BUCKETS[name]:
                within = [ticket.answered_at for ticket in ours if ticket.took <= edge]
                yield f"{name}_bucket", labels | {"le": f"{float(edge)}"}, _count(within)
            every = _count([ticket.answered_at for ticket in ours])
            yield f"{name}_bucket", labels | {"le": "+Inf"}, every
        name = "fettle_ticket_next_response_deadline_timestamp_seconds"
        yield name, {"priority": "critical"}, _since(self.end - HOUR, self.end + 18 * MINUTE)
        yield name, {"priority": "normal"}, _since(self.end - DAY, self.end + 1.1 * DAY)
        yield name, {"priority": "low"}, _since(self.end - DAY, self.end - 50 * MINUTE)
        oldest = "fettle_tickets_oldest_unanswered_timestamp_seconds"
        yield oldest, {"priority": "critical"}, _since(self.end - HOUR, self.end - 42 * MINUTE)
        yield oldest, {"priority": "low"}, _since(self.end - DAY, self.end - 3.2 * DAY)
        support = lambda at: float(self._is_support(at))  # noqa: E731 (a value like the others)
        yield "fettle_support_window_open", {"calendar": "default"}, support

    # Fettle itself

    def _bad(self, at: int, ago: float, minutes: float) -> float:
        """Return how far (0 to 1) a bad time has gone that began ``ago`` hours before the end."""
        gone = at - (self.end - ago * HOUR)
        return gone / (minutes * MINUTE) if 0 <= gone < minutes * MINUTE else 0

    def _scheduler(self) -> Iterator[tuple[str, Mapping[str, str], Value]]:
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

    def _mails(self) -> Iterator[tuple[str, Mapping[str, str], Value]]:
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
        instants = [t.opened_at + n for t in self.tickets for n in (5, 6, 7)]
        instants += [t.answered_at + 4 for t in self.tickets]
        instants += [int(self.end - n * 11 * MINUTE) for n in range(40) if n not in (6, 7, 8)]
        yield "fettle_emails_sent_total", {"kind": "opened"}, _count(sorted(instants))
        failed = [int(stuck_at + n * 2 * MINUTE) for n in range(17)]
        labels = {"kind": "opened", "reason": "connect"}
        yield "fettle_email_failures_total", labels, _count(failed)

    def _service(self) -> Iterator[tuple[str, Mapping[str, str], Value]]:
        yield "up", {}, _always(1)
        yield "scrape_duration_seconds", {}, _always(0.043)
        build = {"version": "0.1.0", "revision": "3f1c2ab", "python_version": "3.11.9"}
        yield "fettle_build_info", build, _always(1)
        yield "fettle_config_last_reload_successful", {}, _always(1)
        loaded = _always(self.end - 3 * DAY)
        yield "fettle_config_last_reload_success_timestamp_seconds", {}, loaded
        for operation in ("read", "write"):
            blips = [
                int(self.end - 2.4 * HOUR) + n * 70 for n in range(6 if operation == "write" else 0)
            ]
            yield "fettle_store_errors_total", {"operation": operation}, _count(blips)
        for code, rate in {"200": 1, "303": 0.12, "404": 0.02, "503": 0.001}.items():
            labels = {"method": "GET", "route": "/tickets", "code": code}
            yield "fettle_http_requests_total", labels, partial(self._asked, rate)
        name = "fettle_http_request_duration_seconds"
        for edge in [*BUCKETS[name], math.inf]:
            text = "+Inf" if math.isinf(edge) else f"{float(edge)}"
            value = partial(self._asked, 1 - math.exp(-edge / 0.04))
            yield f"{name}_bucket", {"method": "GET", "route": "/tickets", "le": text}, value
        place = {"prober": "main", "desk": ""}
        yield "fettle_location_blind", {"location": "main"}, _always(0)
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

    def _alerts(self) -> Iterator[tuple[str, Mapping[str, str], Value]]:
        sources = {"main": 40, "cloud": 340}
        for source, ago in sources.items():
            last = lambda at, a=ago: at - a  # noqa: E731
            yield "fettle_watchdog_last_received_timestamp_seconds", {"source": source}, last
        instants = sorted(int(self.end - self.random.random() * DAY) for _ in range(90))
        ends = [at + 20 * MINUTE for at in instants]
        for status, at in {"firing": instants, "resolved": ends}.items():
            labels = {"source": "main", "status": status}
            yield "fettle_alerts_received_total", labels, _count(at)
        yield "fettle_alerts_deduplicated_total", {"source": "main"}, _count(instants[::2])
        for outcome, at in {"ok": instants, "unauthorised": instants[::30]}.items():
            labels = {"source": "main", "outcome": outcome}
            yield "fettle_alert_webhook_requests_total", labels, _count(at)


def _always(value: float) -> Value:
    return lambda _: value


def _since(begin: float, value: float) -> Value:
    return lambda at: value if at >= begin else math.nan


def _count(instants: Sequence[int]) -> Value:
    ordered = sorted(instants)
    return lambda at: bisect_right(ordered, at)
