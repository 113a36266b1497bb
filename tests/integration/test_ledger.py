"""One transaction from a confirmed change to ticket and messages, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import Session, select

from monitor.ledger import Confirmed, IncidentPolicy, Ledger
from monitor.rules.observation import Cause, Observation
from monitor.rules.site import Site
from monitor.rules.streak import Transition
from monitor.rules.verdict import Verdict, judge
from monitor.site_rows import sync_sites
from monitor.tables import IncidentEnd, IncidentIntervalRow, IncidentKind, IncidentRow, SightingRow
from tests.builders import ANNA, BEN, DUTY, a_policy, a_refusal, a_site, an_observation
from tickets.actions import close, resolve
from tickets.history import Actor
from tickets.queries.tickets import get_ticket_page
from tickets.rules.notice import Notice
from tickets.rules.ticket import Action, Category, Outcome, Priority, Status
from tickets.store import Store
from tickets.tables import EntryRow, MessageRow, PromiseRow, TicketRow

START = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
SAM = Actor("Sam Reed")
SITE = a_site()


@pytest.fixture
def ledger(store: Store) -> Ledger:
    watch(store, [SITE], at=START)
    return Ledger(policy=a_policy(), incidents=IncidentPolicy(), location="main")


def watch(store: Store, sites: list[Site], *, at: datetime) -> None:
    pairs = [(site, "Harbour Inns") for site in sites]
    store.write(lambda tx: sync_sites(tx, pairs, location="main", at=at))


def confirmed(
    after: Verdict,
    *,
    minute: float,
    site: Site = SITE,
    observation: Observation | None = None,
) -> Confirmed:
    since = START + timedelta(minutes=minute)
    usual = {
        Verdict.DOWN: a_refusal(started_at=since),
        Verdict.SLOW: an_observation(started_at=since, duration=4.2),
        Verdict.UP: an_observation(started_at=since),
    }
    observation = observation or usual[after]
    return Confirmed(
        site=site,
        client_name="Harbour Inns",
        transition=Transition(
            before=None, after=after, since=since, confirmed_at=since + timedelta(seconds=40)
        ),
        observation=observation,
        judgement=judge(observation, slow_after=site.slow_after),
    )


def record(store: Store, ledger: Ledger, change: Confirmed) -> IncidentRow | None:
    at = change.transition.confirmed_at
    return store.write(lambda tx: ledger.record(tx, change, at=at))


def keep_as_last_good(tx: Session, good: dict[str, Any]) -> None:
    tx.get_one(SightingRow, (SITE.slug, "main")).last_good = good


def rows(store: Store, table: type[Any]) -> list[Any]:
    return list(store.read(lambda tx: tx.exec(select(table)).all()))


def told(store: Store) -> list[tuple[Notice, str]]:
    return sorted((row.notice, row.address) for row in rows(store, MessageRow))


def test_an_outage_opens_one_critical_ticket_due_in_an_hour_and_tells_each_person_once(
    store: Store, ledger: Ledger
) -> None:
    record(store, ledger, confirmed(Verdict.DOWN, minute=0))
    [incident], [ticket] = rows(store, IncidentRow), rows(store, TicketRow)
    [promise], [entry] = rows(store, PromiseRow), rows(store, EntryRow)
    assert (incident.kind, incident.cause) == (IncidentKind.DOWN, Cause.CONNECT_REFUSED)
    assert (incident.started_at, incident.ended_at) == (START, None)
    assert (ticket.status, ticket.priority) == (Status.OPEN, Priority.CRITICAL)
    assert ticket.category is Category.OUTAGE
    assert ticket.title == "Harbour Inns: Booking site is down"
    assert promise.respond_by == START + timedelta(seconds=40, hours=1)
    assert entry.action is Action.OPEN
    assert told(store) == sorted((Notice.DOWN, each.address) for each in (ANNA, BEN, DUTY))


def test_recording_the_same_transition_again_changes_nothing(store: Store, ledger: Ledger) -> None:
    change = confirmed(Verdict.DOWN, minute=0)
    record(store, ledger, change)
    record(store, ledger, change)
    assert [len(rows(store, table)) for table in (IncidentRow, TicketRow, MessageRow)] == [1, 1, 3]


def test_a_failure_half_way_leaves_no_trace(store: Store, ledger: Ledger) -> None:
    class Interrupted(Exception):
        pass

    def work(tx: Session) -> None:
        ledger.record(tx, confirmed(Verdict.DOWN, minute=0), at=START)
        tx.flush()
        raise Interrupted

    with pytest.raises(Interrupted):
        store.write(work)
    tables = (IncidentRow, TicketRow, PromiseRow, EntryRow, MessageRow)
    assert [len(rows(store, table)) for table in tables] == [0] * 5
    [sighting] = rows(store, SightingRow)
    assert sighting.settled is None


def test_the_schema_itself_refuses_a_second_open_incident(store: Store, ledger: Ledger) -> None:
    record(store, ledger, confirmed(Verdict.DOWN, minute=0))

    def second(tx: Session) -> None:
        ticket = tx.exec(select(TicketRow)).one()
        copy = TicketRow.model_validate(ticket.model_dump(exclude={"id", "key"}))
        tx.add(copy)
        tx.flush()
        assert copy.id is not None
        row = tx.exec(select(IncidentRow)).one()
        extra = row.model_dump(exclude={"id", "ticket_id"})
        tx.add(IncidentRow(**extra, ticket_id=copy.id))

    with pytest.raises(IntegrityError):
        store.write(second)


def test_recovery_ends_the_incident_and_leaves_the_ticket_to_the_people(
    store: Store, ledger: Ledger
) -> None:
    record(store, ledger, confirmed(Verdict.DOWN, minute=0))
    record(store, ledger, confirmed(Verdict.UP, minute=12))
    [incident], [ticket] = rows(store, IncidentRow), rows(store, TicketRow)
    assert incident.ended_at == START + timedelta(minutes=12)
    assert incident.ended_as is IncidentEnd.RECOVERED
    assert ticket.status is Status.OPEN
    assert ticket.recovered_at is not None
    messages = [row for row in rows(store, MessageRow) if row.notice is Notice.RECOVERED]
    assert {row.address for row in messages} == {ANNA.address, BEN.address, DUTY.address}
    assert {row.facts["duration_seconds"] for row in messages} == {12 * 60}


def test_a_relapse_continues_the_incident_without_ticket_or_mail(
    store: Store, ledger: Ledger
) -> None:
    for after, minute in [(Verdict.DOWN, 0), (Verdict.UP, 5), (Verdict.DOWN, 20)]:
        record(store, ledger, confirmed(after, minute=minute))
    [incident], [ticket] = rows(store, IncidentRow), rows(store, TicketRow)
    assert incident.ended_at is None
    assert len(rows(store, IncidentIntervalRow)) == 2
    assert ticket.recovered_at is None
    assert {notice for notice, _ in told(store)} == {Notice.DOWN, Notice.RECOVERED}
    record(store, ledger, confirmed(Verdict.UP, minute=25))
    assert len([notice for notice, _ in told(store) if notice is Notice.RECOVERED]) == 3


def test_a_flapping_site_is_one_ticket_and_few_mails_in_an_hour(
    store: Store, ledger: Ledger
) -> None:
    for minute in range(0, 60, 4):
        record(store, ledger, confirmed(Verdict.DOWN, minute=minute))
        record(store, ledger, confirmed(Verdict.UP, minute=minute + 2))
    assert len(rows(store, TicketRow)) == 1
    to_anna = [notice for notice, address in told(store) if address == ANNA.address]
    assert to_anna == [Notice.DOWN, Notice.RECOVERED]


def test_a_failure_after_a_calm_while_is_a_new_incident_with_a_new_ticket(
    store: Store, ledger: Ledger
) -> None:
    for after, minute in [(Verdict.DOWN, 0), (Verdict.UP, 5), (Verdict.DOWN, 36)]:
        record(store, ledger, confirmed(after, minute=minute))
    assert len(rows(store, IncidentRow)) == len(rows(store, TicketRow)) == 2


def test_a_relapse_after_the_resolution_reopens_the_ticket_with_a_new_promise(
    store: Store, ledger: Ledger
) -> None:
    record(store, ledger, confirmed(Verdict.DOWN, minute=0))
    record(store, ledger, confirmed(Verdict.UP, minute=5))
    at = START + timedelta(minutes=10)
    store.write(
        lambda tx: resolve(
            tx, ledger.policy, "T-1001", cause="Full disk", done="Emptied it", actor=SAM, at=at
        )
    )
    record(store, ledger, confirmed(Verdict.DOWN, minute=20))
    [ticket] = rows(store, TicketRow)
    first, second = sorted(rows(store, PromiseRow), key=lambda row: row.number)
    assert ticket.status is Status.OPEN
    assert first.answered_at == at
    assert (second.answered_at, second.started_at) == (
        None,
        START + timedelta(minutes=20, seconds=40),
    )
    assert Notice.REOPENED in {notice for notice, _ in told(store)}


def test_a_relapse_after_the_ticket_was_closed_is_a_new_incident(
    store: Store, ledger: Ledger
) -> None:
    record(store, ledger, confirmed(Verdict.DOWN, minute=0))
    record(store, ledger, confirmed(Verdict.UP, minute=5))
    at = START + timedelta(minutes=6)
    store.write(
        lambda tx: close(
            tx,
            "T-1001",
            outcome=Outcome.NOT_AN_ISSUE,
            reason="A planned restart",
            actor=SAM,
            at=at,
        )
    )
    record(store, ledger, confirmed(Verdict.DOWN, minute=10))
    assert len(rows(store, TicketRow)) == len(rows(store, IncidentRow)) == 2


def test_down_covers_slow_on_the_same_ticket_and_the_same_promise(
    store: Store, ledger: Ledger
) -> None:
    record(store, ledger, confirmed(Verdict.SLOW, minute=0))
    record(store, ledger, confirmed(Verdict.DOWN, minute=10))
    [incident], [ticket], [promise] = (
        rows(store, IncidentRow),
        rows(store, TicketRow),
        rows(store, PromiseRow),
    )
    assert incident.kind is IncidentKind.DOWN
    assert ticket.title == "Harbour Inns: Booking site is down"
    assert ticket.category is Category.OUTAGE
    assert promise.started_at == START + timedelta(seconds=40)
    assert [notice for notice, address in told(store) if address == ANNA.address] == [
        Notice.DOWN,
        Notice.SLOW,
    ]


def test_a_removed_site_ends_its_incident_and_the_ticket_says_so(
    store: Store, ledger: Ledger
) -> None:
    record(store, ledger, confirmed(Verdict.DOWN, minute=0))
    watch(store, [], at=START + timedelta(minutes=9))
    [incident] = rows(store, IncidentRow)
    assert incident.ended_as is IncidentEnd.UNWATCHED
    page = store.read(lambda tx: get_ticket_page(tx, "T-1001"))
    assert page.ticket.status is Status.OPEN
    assert page.entries[-1].action is Action.UNWATCH
    assert "no longer watched" in page.entries[-1].text
    assert {notice for notice, _ in told(store)} == {Notice.DOWN}


def test_a_site_that_comes_back_starts_afresh(store: Store, ledger: Ledger) -> None:
    record(store, ledger, confirmed(Verdict.DOWN, minute=0))
    watch(store, [], at=START + timedelta(minutes=9))
    watch(store, [SITE], at=START + timedelta(minutes=10))
    [sighting] = rows(store, SightingRow)
    assert sighting.settled is None


def test_a_second_start_with_the_same_sites_changes_nothing(store: Store, ledger: Ledger) -> None:
    record(store, ledger, confirmed(Verdict.DOWN, minute=0))
    before = rows(store, SightingRow), rows(store, IncidentRow), rows(store, TicketRow)
    watch(store, [SITE], at=START + timedelta(minutes=9))
    assert (rows(store, SightingRow), rows(store, IncidentRow), rows(store, TicketRow)) == before


def test_the_ticket_sets_what_was_seen_beside_what_was_well(store: Store, ledger: Ledger) -> None:
    good = {
        "started_at": (START - timedelta(minutes=1)).isoformat(),
        "http_status": 200,
        "duration_seconds": 0.41,
        "remote_address": "203.0.113.7",
        "title": "Book a room",
    }
    bad = an_observation(
        started_at=START,
        cause=Cause.HTTP_STATUS,
        message="answered 503 Service Unavailable; expected 200-299",
        http_status=503,
        remote_address="203.0.113.9",
        title="<b>Oops</b>",
        excerpt="<script>alert(1)</script>",
    )
    store.write(lambda tx: keep_as_last_good(tx, good))
    record(store, ledger, confirmed(Verdict.DOWN, minute=0, observation=bad))
    evidence = store.read(lambda tx: get_ticket_page(tx, "T-1001")).evidence
    lines = {line.label: (line.now, line.before) for line in evidence.lines}
    assert lines["answer"] == (
        "503 in 0.41 s: answered 503 Service Unavailable; expected 200-299",
        "200 in 0.41 s",
    )
    assert lines["address"] == ("203.0.113.9", "203.0.113.7")
    assert lines["page title"] == ("<b>Oops</b>", "Book a room")
    assert evidence.excerpt == "<script>alert(1)</script>"
    [message, *_] = [row for row in rows(store, MessageRow) if row.address == ANNA.address]
    assert message.facts["what"] == "is answering with an error instead of its pages"


def test_text_that_no_database_takes_does_not_lose_the_ticket(store: Store, ledger: Ledger) -> None:
    hostile = "a\x00nul and half a pair \ud83d"
    bad = replace(a_refusal(), message=hostile, title=hostile, excerpt=hostile)
    record(store, ledger, confirmed(Verdict.DOWN, minute=0, observation=bad))
    page = store.read(lambda tx: get_ticket_page(tx, "T-1001"))
    assert page.entries[0].text == "A\ufffdnul and half a pair \ufffd"
    assert page.evidence.excerpt == "a\ufffdnul and half a pair \ufffd"


def test_a_clock_stepped_back_never_ends_an_incident_before_it_began(
    store: Store, ledger: Ledger
) -> None:
    record(store, ledger, confirmed(Verdict.DOWN, minute=0))
    record(store, ledger, confirmed(Verdict.UP, minute=-50))
    [incident] = rows(store, IncidentRow)
    assert incident.ended_at == incident.started_at
    durations = {
        row.facts["duration_seconds"]
        for row in rows(store, MessageRow)
        if row.notice is Notice.RECOVERED
    }
    assert durations == {0.0}


def test_entries_cannot_be_changed_or_deleted(store: Store, ledger: Ledger) -> None:
    record(store, ledger, confirmed(Verdict.DOWN, minute=0))
    for statement in ("UPDATE entry SET text = 'rewritten'", "DELETE FROM entry"):
        with pytest.raises(DBAPIError, match="never changed or deleted"):
            store.write(lambda tx, text=statement: tx.connection().exec_driver_sql(text))
    assert len(rows(store, EntryRow)) == 1
