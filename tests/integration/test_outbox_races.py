"""Two processes at one outbox on PostgreSQL, each in the middle of what the other does.

On SQLite a write transaction waits until the other has ended; on PostgreSQL it goes on until both
want the same row.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from tests.builders import ANNA, LEAD, a_policy
from tests.outbox import claim, rows, settle, states, tell
from tests.postgresql import PostgreSQL
from tests.stores import open_store
from tests.tickets import opened
from tickets import claims, interventions, mail_faults, outbox
from tickets.digests import tell_digest
from tickets.errors import Conflict
from tickets.fault_notices import tell_faults
from tickets.history import Actor
from tickets.opening import NewRequest, Requester, open_request
from tickets.outbox import StaffNotice
from tickets.outbox_tables import UndeliverableRow
from tickets.rules.message import DeliveryOutcome, FailureReason, MessageState
from tickets.rules.notice import Notice
from tickets.rules.ticket import Category, Priority, Source
from tickets.store import Store

First = TypeVar("First")
Second = TypeVar("Second")

AT = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ONE = a_policy(contacts=[ANNA], duty=[])
REFUSED = (DeliveryOutcome.REFUSED, FailureReason.PERMANENT)


@pytest.fixture
def store(postgresql: PostgreSQL) -> Iterator[Store]:
    """A fresh store on PostgreSQL alone."""
    store = Store(postgresql.fresh_database())
    yield store
    store.close()


def crossed(
    store: Store, first: Callable[[Session], First], second: Callable[[Session], Second]
) -> tuple[First, Second]:
    """Run ``second`` for another process while ``first`` has done its work and not committed.

    ``first`` commits once ``second`` waits for it, or has ended without.
    """
    other = open_store(store.url)
    begun: list[Future[Second]] = []

    def work(tx: Session) -> First:
        result = first(tx)
        tx.flush()
        begun.append(pool.submit(other.write, second))
        waits = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        while not tx.connection().execute(waits).scalar_one():
            if concurrent.futures.wait(begun, timeout=0.01).done:
                break
        return result

    with ThreadPoolExecutor(1) as pool:
        try:
            return store.write(work), begun[0].result()
        finally:
            other.close()


def a_request(tx: Session) -> None:
    new = NewRequest(
        client="harbour",
        priority=Priority.NORMAL,
        category=Category.CONTENT_CHANGE,
        title="A new picture",
        text="Please put it on the front page",
        requester=Requester("Carla Lund", "carla@harbour.test"),
        source=Source.PORTAL,
    )
    open_request(tx, a_policy(), new, actor=Actor("request form"), at=AT)


def test_two_sweeps_at_once_write_one_digest(store: Store) -> None:
    store.write(a_request)
    later = AT + timedelta(hours=3)
    first, second = crossed(
        store,
        lambda tx: tell_digest(tx, a_policy(), at=later),
        lambda tx: tell_digest(tx, a_policy(), at=later),
    )
    assert (first, second) == (1, 0)
    assert [row.notice for row in rows(store)].count(Notice.DIGEST) == 1


def test_two_sweeps_at_once_tell_one_fault_once(store: Store) -> None:
    opened(store, ONE, at=AT)
    [message] = claim(store, AT)
    settle(store, message, AT, *REFUSED, is_address_refused=True)
    policy = a_policy(contacts=[ANNA], duty=[], lead=[LEAD])
    told = crossed(
        store,
        lambda tx: tell_faults(tx, policy, at=AT),
        lambda tx: tell_faults(tx, policy, at=AT),
    )
    assert told == (1, 0)
    assert [row.notice for row in rows(store)] == [Notice.DOWN, Notice.MAIL_FAULT]


def test_two_processes_at_once_put_a_notice_of_one_key_once(store: Store) -> None:
    notice = StaffNotice(key="calendar", thread="calendar", notice=Notice.CALENDAR_ENDS, facts={})

    def put(tx: Session) -> bool:
        return outbox.put_notice(tx, notice, recipients=[LEAD], domain="agency.test", at=AT)

    assert crossed(store, put, put) == (True, False)
    assert len(rows(store)) == 1


@pytest.mark.parametrize("outcome", [DeliveryOutcome.SENT, DeliveryOutcome.REFUSED])
def test_a_mark_that_another_sender_takes_off_meanwhile_stops_neither(
    store: Store, outcome: DeliveryOutcome
) -> None:
    for number in range(3):
        opened(store, ONE, at=AT, key=str(number), priority=Priority.LOW)
    [first] = claim(store, AT, most=1)
    settle(store, first, AT, *REFUSED, is_address_refused=True)
    [second] = claim(store, AT + DAY, most=1)
    taken = second.message.id
    assert taken is not None
    if outcome is DeliveryOutcome.SENT:
        # The next day's try is due while yesterday's is settled at last.
        claimed = crossed(
            store,
            lambda tx: outbox.settle(
                tx, taken, outcome=DeliveryOutcome.SENT, answer="250 taken", now=AT + 2 * DAY
            ),
            lambda tx: claims.claim(tx, now=AT + 2 * DAY, most=1),
        )[1]
        assert [one.message.state for one in claimed] == [MessageState.SENDING]
    else:
        crossed(
            store,
            lambda tx: mail_faults.clear_undeliverable(tx, ANNA.address, at=AT + DAY),
            lambda tx: outbox.settle(
                tx,
                taken,
                outcome=DeliveryOutcome.REFUSED,
                answer="550 no such user",
                reason=FailureReason.PERMANENT,
                is_address_refused=True,
                now=AT + DAY,
            ),
        )
        [mark] = store.read(lambda tx: tx.exec(select(UndeliverableRow)).all())
        assert mark.since == AT + DAY


def test_what_has_just_got_into_anothers_mail_cannot_be_cancelled_out_of_it(store: Store) -> None:
    ref = opened(store, ONE, at=AT)
    tell(store, ref, Notice.ACKNOWLEDGED, AT)
    carried = rows(store)[1].id
    assert carried is not None

    def cancel(tx: Session) -> str:
        try:
            interventions.cancel(tx, carried, actor=Actor("Sam Reed"), at=AT)
        except Conflict as refusal:
            return str(refusal)
        return "cancelled"

    claimed, answer = crossed(store, lambda tx: claims.claim(tx, now=AT, most=1), cancel)
    assert "is being sent at this moment" in answer
    settle(store, claimed[0], AT)
    assert states(store) == [MessageState.SENT, MessageState.SENT]
