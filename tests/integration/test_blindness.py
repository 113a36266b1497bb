"""Staff hear that a prober is blind or silent, and that it is back: once each, without a ticket."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from monitor import blindness, lease
from monitor.blindness import SILENT_AFTER, sweep_silent
from monitor.queries import readiness
from monitor.rules.observation import Cause
from monitor.rules.sight import Change, Sight
from monitor.store_watch import StoreWatch
from monitor.tables import ProberRow
from tests.builders import DUTY, LEAD, LONDON, a_site
from tests.clocks import FakeClock
from tests.sites import POLICY, watch
from tickets.letters import Letters
from tickets.queries.messages import list_messages
from tickets.rules.notice import Notice
from tickets.store import Store
from tickets.tables import MessageRow, TicketRow

START = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
BLIND = Sight(cycles=2, since=START, cause=Cause.OWN_RESOLVER, unwatched=40, is_told=True)


@pytest.fixture(autouse=True)
def prober(store: Store) -> None:
    """A prober at ``main`` that has just ticked, with a site every minute and one every two."""
    watch(store, [a_site("one", interval=60), a_site("two", interval=120)], at=START)
    store.write(lambda tx: lease.acquire(tx, location="main", holder="a", now=START))
    tick(store, START)


def tick(store: Store, at: datetime) -> None:
    store.write(
        lambda tx: lease.renew(tx, location="main", fence=1, now=at, ticked_at=at, figures={})
    )


def tell(store: Store, sight: Sight, change: Change, at: datetime) -> None:
    store.write(
        lambda tx: blindness.tell(
            tx, POLICY, tx.get_one(ProberRow, "main"), sight=sight, change=change, at=at
        )
    )


def sweep(store: Store, now: datetime) -> None:
    store.write(lambda tx: sweep_silent(tx, POLICY, now=now))


def told(store: Store) -> Sequence[MessageRow]:
    assert store.read(lambda tx: tx.exec(select(TicketRow)).all()) == []
    return store.read(lambda tx: tx.exec(select(MessageRow).order_by(MessageRow.id)).all())  # pyright: ignore[reportArgumentType]


def test_lead_and_duty_hear_of_blindness_and_of_its_end_and_no_client_does(store: Store) -> None:
    tell(store, BLIND, Change.BLIND, START + timedelta(minutes=2))
    later = START + timedelta(minutes=10)
    tell(store, BLIND, Change.SIGHTED, later)
    messages = told(store)
    assert [(row.notice, row.address) for row in messages] == [
        (notice, person.address)
        for notice in (Notice.BLIND, Notice.SIGHTED)
        for person in (LEAD, DUTY)
    ]
    assert len({row.thread_id for row in messages}) == 1
    assert len({row.header_id for row in messages}) == 4
    blind, sighted = (Letters().write(messages[n].notice, messages[n].audience, messages[n].facts)
                      for n in (0, 2))  # fmt: skip
    assert "its name servers do not answer" in blind.text
    assert "10 min" in sighted.text
    assert "40 slots" in sighted.text


def test_a_restart_knows_what_was_told_and_does_not_tell_it_again(store: Store) -> None:
    tell(store, BLIND, Change.BLIND, START)
    again = store.read(lambda tx: blindness.find_sight(tx, location="main"))
    assert again == Sight(since=START, cause=Cause.OWN_RESOLVER, unwatched=40, is_told=True)
    tell(store, BLIND, Change.BLIND, START + timedelta(minutes=1))
    assert len(told(store)) == 2
    tell(store, again, Change.SIGHTED, START + timedelta(minutes=2))
    assert store.read(lambda tx: blindness.find_sight(tx, location="main")) == Sight()
    tell(store, BLIND, Change.SIGHTED, START + timedelta(minutes=2))
    assert len(told(store)) == 4


def test_a_blind_prober_is_shown_on_every_page_and_not_ready(store: Store) -> None:
    clock = FakeClock(START + timedelta(minutes=3))
    watching = StoreWatch(clock, LONDON)
    tick(store, clock.now())
    assert store.read(lambda tx: readiness(tx, clock.now())) == []
    assert store.read(watching.summary).warnings == ()
    tell(store, BLIND, Change.BLIND, clock.now())
    assert store.read(lambda tx: readiness(tx, clock.now())) == [
        "the prober at main has been blind for 3 min: its name servers do not answer"
    ]
    [warning] = store.read(watching.summary).warnings
    assert warning == (
        "The prober at main has been blind since Tue 3 Mar 2026 10:00 GMT:"
        " its name servers do not answer"
    )


def test_a_prober_that_falls_silent_is_told_once_and_so_is_its_return(store: Store) -> None:
    sweep(store, START + SILENT_AFTER)
    assert told(store) == []
    for seconds in (1, 2):
        sweep(store, START + SILENT_AFTER + timedelta(seconds=seconds))
    assert [row.notice for row in told(store)] == [Notice.BLIND] * 2
    clock = FakeClock(START + timedelta(minutes=5))
    [warning] = store.read(StoreWatch(clock, LONDON).summary).warnings
    assert "no sign of life since Tue 3 Mar 2026 10:00 GMT" in warning
    tick(store, START + timedelta(minutes=8))
    for _ in range(2):
        sweep(store, START + timedelta(minutes=8))
    messages = told(store)
    assert [row.notice for row in messages][2:] == [Notice.SIGHTED] * 2
    assert messages[2].facts["unwatched"] == 8 + 4
    assert store.read(StoreWatch(clock, LONDON).summary).warnings == ()


def test_a_prober_that_was_stopped_in_order_is_not_missed(store: Store) -> None:
    at = START + timedelta(seconds=1)
    store.write(lambda tx: lease.release(tx, location="main", fence=1, now=at))
    sweep(store, START + timedelta(days=1))
    assert told(store) == []


def test_the_outbox_lists_notices_of_no_ticket(store: Store) -> None:
    tell(store, BLIND, Change.BLIND, START)
    assert {message.reference for message in store.read(list_messages)} == {None}
