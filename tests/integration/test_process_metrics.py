"""What the metrics page tells of locations, processes and the ticket that waits longest."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from monitor.tables import ProberRow
from tests.integration.test_metrics import MINUTE, START, page, taken
from tests.sites import POLICY
from tests.tickets import opened
from tickets.rules.ticket import Priority
from tickets.store import Store

HOUR = timedelta(hours=1)
USAGE = {"usage": {"resident_bytes": 150_000_000, "cpu_seconds": 12.5}}


def a_prober(store: Store, location: str, **more: Any) -> None:
    row = ProberRow(
        location=location,
        holder="test",
        expires_at=more.pop("expires_at", START + MINUTE),
        figures=USAGE,
        **more,
    )
    store.write(lambda tx: tx.add(row))


def test_a_location_is_blind_while_staff_know_that_it_is_blind_or_silent(store: Store) -> None:
    a_prober(store, "leeds")
    a_prober(store, "york", blind_since=START)
    a_prober(store, "hull", silent_since=START)
    told = page(store).values("fettle_location_blind", "location")
    assert told == {"leeds": 0, "york": 1, "hull": 1}


def test_a_prober_tells_what_it_uses_while_it_lives(store: Store) -> None:
    a_prober(store, "leeds")
    a_prober(store, "york", expires_at=START - MINUTE)
    found = page(store)
    for name, value in (
        ("process_resident_memory_bytes", 150_000_000),
        ("process_cpu_seconds_total", 12.5),
    ):
        (prober,) = found.named(name, process="prober")
        assert (prober.labels["location"], prober.value) == ("leeds", value)


def test_the_process_that_serves_the_page_tells_what_it_uses(store: Store) -> None:
    found = page(store)
    memory = found.value("process_resident_memory_bytes", process="desk", location="")
    assert 10e6 < memory < 10e9
    assert found.value("process_cpu_seconds_total", process="desk", location="") > 0


def test_the_ticket_is_told_that_has_waited_longest_for_an_answer(store: Store) -> None:
    name = "fettle_tickets_oldest_unanswered_timestamp_seconds"
    assert page(store).named(name) == []
    first = opened(store, POLICY, at=START - HOUR)
    opened(store, POLICY, at=START)
    opened(store, POLICY, at=START - 2 * HOUR, priority=Priority.LOW)
    assert page(store).values(name, "priority") == {
        "critical": (START - HOUR).timestamp(),
        "low": (START - 2 * HOUR).timestamp(),
    }
    taken(store, first)
    assert page(store).value(name, priority="critical") == START.timestamp()
