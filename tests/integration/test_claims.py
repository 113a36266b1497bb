"""Which mails leave when: what shares a mail, what a limit holds back, and what senders share."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlmodel import select

from tests.builders import ANNA, BEN, DUTY, a_policy
from tests.outbox import claim, notices, rows, send_all, settle, states, tell
from tests.stores import open_store
from tests.tickets import opened
from tickets import claims
from tickets.outbox import Recipient
from tickets.outbox_tables import BrakeRow, UndeliverableRow
from tickets.queries.figures import count_figures
from tickets.queries.mail_faults import count_held
from tickets.rules.message import DeliveryOutcome, FailureReason, HoldReason, MessageState
from tickets.rules.notice import Notice
from tickets.rules.pace import Pace
from tickets.rules.ticket import Priority
from tickets.store import Store

AT = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
ONE = a_policy(contacts=[ANNA], duty=[])


# What shares a mail


def test_the_first_word_leaves_at_once_and_the_rest_of_its_minute_as_one_mail(
    store: Store,
) -> None:
    ref = opened(store, ONE, at=AT)
    [down] = claim(store, AT)
    settle(store, down, AT)
    tell(store, ref, Notice.ACKNOWLEDGED, AT + 5 * SECOND)
    tell(store, ref, Notice.REPLY, AT + 20 * SECOND)
    assert claim(store, AT + 59 * SECOND) == []
    [second] = claim(store, AT + MINUTE)
    assert notices([down, second]) == [[Notice.DOWN], [Notice.ACKNOWLEDGED, Notice.REPLY]]
    settle(store, second, AT + MINUTE)
    assert states(store) == [MessageState.SENT] * 3
    tell(store, ref, Notice.RESOLVED, AT + 3 * MINUTE)
    assert notices(claim(store, AT + 3 * MINUTE)) == [[Notice.RESOLVED]]


def test_other_people_and_other_tickets_wait_for_nothing(store: Store) -> None:
    ref = opened(store, ONE, at=AT)
    assert send_all(store, AT) == 1
    tell(store, ref, Notice.ACKNOWLEDGED, AT, BEN)
    other = opened(store, ONE, at=AT, key="other")
    assert other != ref
    assert sorted(notices(claim(store, AT))) == [[Notice.ACKNOWLEDGED], [Notice.DOWN]]


def test_what_comes_while_a_mail_is_on_its_way_waits_for_its_end_and_a_minute(
    store: Store,
) -> None:
    ref = opened(store, ONE, at=AT)
    [down] = claim(store, AT)
    tell(
        store,
        ref,
        Notice.ACKNOWLEDGED,
        AT + SECOND,
        Recipient("Anna", "ANNA@Harbour.test", ANNA.audience),
    )
    assert claim(store, AT + 30 * SECOND) == []
    settle(store, down, AT + 30 * SECOND)
    assert claim(store, AT + 89 * SECOND) == []
    assert notices(claim(store, AT + 90 * SECOND)) == [[Notice.ACKNOWLEDGED]]


def test_a_mail_that_may_have_been_taken_is_repeated_as_it_was_whatever_came_since(
    store: Store,
) -> None:
    ref = opened(store, ONE, at=AT)
    tell(store, ref, Notice.ACKNOWLEDGED, AT)
    [first] = claim(store, AT, holder="killed")
    tell(store, ref, Notice.RESOLVED, AT + SECOND)
    store.write(lambda tx: claims.take_over(tx, "killed"))
    [again] = claim(store, AT + 2 * SECOND)
    assert notices([again]) == notices([first]) == [[Notice.DOWN, Notice.ACKNOWLEDGED]]
    assert again.message.header_id == first.message.header_id
    later = AT + 2 * SECOND + claims.LEASE
    assert notices(claim(store, later)) == notices([first])


def test_what_shares_a_mail_shares_its_fate(store: Store) -> None:
    ref = opened(store, ONE, at=AT)
    tell(store, ref, Notice.ACKNOWLEDGED, AT)
    [both] = claim(store, AT)
    settle(store, both, AT, DeliveryOutcome.DEFERRED, FailureReason.TEMPORARY)
    assert {(row.state, row.not_before) for row in rows(store)} == {
        (MessageState.PENDING, AT + MINUTE)
    }
    [again] = claim(store, AT + MINUTE)
    assert notices([again]) == notices([both])
    settle(store, again, AT + MINUTE, DeliveryOutcome.REFUSED, FailureReason.PERMANENT)
    assert states(store) == [MessageState.DEAD] * 2


def test_a_clock_that_was_set_back_holds_up_nothing(store: Store) -> None:
    ref = opened(store, ONE, at=AT)
    assert send_all(store, AT + timedelta(hours=1)) == 1
    tell(store, ref, Notice.ACKNOWLEDGED, AT)
    assert send_all(store, AT) == 1


def test_with_no_window_each_message_is_a_mail(store: Store) -> None:
    ref = opened(store, ONE, at=AT)
    tell(store, ref, Notice.ACKNOWLEDGED, AT)
    assert send_all(store, AT, Pace(merge_within=timedelta(0))) == 2


def test_two_senders_at_once_never_share_a_message_nor_split_a_mail(store: Store) -> None:
    refs = [opened(store, ONE, at=AT, key=str(number)) for number in range(6)]
    for ref in refs:
        tell(store, ref, Notice.ACKNOWLEDGED, AT)
    taken, lock = list[list[Notice]](), threading.Lock()
    begin = threading.Barrier(2)

    def work() -> None:
        own = open_store(store.url)
        begin.wait()
        while claimed := claim(own, AT, most=2):
            with lock:
                taken.extend(notices(claimed))
        own.close()

    senders = [threading.Thread(target=work) for _ in range(2)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert taken == [[Notice.DOWN, Notice.ACKNOWLEDGED]] * 6


# Limits


def test_over_the_limit_of_a_minute_mails_wait_and_the_critical_leave_first(
    store: Store,
) -> None:
    pace = Pace(per_minute=3)
    for number, priority in enumerate([Priority.LOW] * 3 + [Priority.CRITICAL] * 2):
        opened(store, ONE, at=AT, key=str(number), priority=priority)
    assert [one.message.priority for one in claim(store, AT, pace=pace)] == [
        Priority.CRITICAL,
        Priority.CRITICAL,
        Priority.LOW,
    ]
    assert claim(store, AT, pace=pace) == []  # those on their way count
    [brake] = store.read(lambda tx: tx.exec(select(BrakeRow)).all())
    assert (brake.address, brake.tripped_at) == ("", AT)


def test_the_limit_of_a_minute_lets_go_as_the_minute_passes(store: Store) -> None:
    for number in range(5):
        opened(store, ONE, at=AT, key=str(number))
    pace = Pace(per_minute=3)
    assert send_all(store, AT, pace) == 3
    assert send_all(store, AT + 59 * SECOND, pace) == 0
    assert send_all(store, AT + MINUTE, pace) == 2
    assert states(store) == [MessageState.SENT] * 5


def test_an_address_that_had_its_share_of_the_day_waits_for_tomorrow_but_not_for_people(
    store: Store,
) -> None:
    policy = a_policy(contacts=[ANNA, BEN], duty=[DUTY])
    pace = Pace(client_address_per_day=2)
    refs = [opened(store, policy, at=AT, key=str(number)) for number in range(4)]
    assert send_all(store, AT, pace) == 2 + 2 + 4  # staff have a limit of their own
    held = [row for row in rows(store) if row.state is MessageState.PENDING]
    assert {(row.held_for, row.not_before) for row in held} == {
        (HoldReason.LIMIT, AT + timedelta(days=1))
    }
    brakes = store.read(lambda tx: tx.exec(select(BrakeRow.address)).all())
    assert sorted(brakes) == [ANNA.address, BEN.address]
    tell(store, refs[3], Notice.REPLY, AT + MINUTE)
    assert notices(claim(store, AT + MINUTE, pace=pace)) == [[Notice.REPLY]]
    assert send_all(store, AT + timedelta(days=1), pace) == 4


def test_what_is_held_is_counted_so_only_while_it_is_held(sqlite_store: Store) -> None:
    policy = a_policy(contacts=[], duty=[DUTY])
    ref = opened(sqlite_store, policy, at=AT, priority=Priority.NORMAL)
    send_all(sqlite_store, AT)
    evening, nine = AT + 9 * HOUR, AT + 23 * HOUR
    for notice in (Notice.REOPENED, Notice.CLIENT_REPLIED):
        tell(sqlite_store, ref, notice, evening, DUTY, staff_from=nine)

    def held(now: datetime) -> Mapping[HoldReason, int]:
        return sqlite_store.read(lambda tx: count_held(tx, now))

    def oldest(now: datetime) -> datetime | None:
        return sqlite_store.read(lambda tx: count_figures(tx, now=now)).oldest_pending

    assert (held(evening), oldest(evening)) == ({HoldReason.SUPPORT_HOURS: 2}, None)
    # The mail server may be away just then: what is due counts as due.
    assert (held(nine), oldest(nine)) == ({}, evening)
    [both] = claim(sqlite_store, nine)
    settle(sqlite_store, both, nine, DeliveryOutcome.DEFERRED, FailureReason.TEMPORARY)
    assert held(nine) == {}


# Addresses that take nothing


def test_an_address_refused_for_good_is_tried_once_a_day_until_it_takes_a_mail(
    store: Store,
) -> None:
    for number in range(4):
        opened(store, ONE, at=AT, key=str(number), priority=Priority.LOW)
    [first] = claim(store, AT, most=1)
    refused = (DeliveryOutcome.REFUSED, FailureReason.PERMANENT)
    settle(store, first, AT, *refused, is_address_refused=True)
    assert claim(store, AT) == []
    day = timedelta(days=1)
    [second] = claim(store, AT + day)
    settle(store, second, AT + day, *refused, is_address_refused=True)
    assert claim(store, AT + day) == []
    marks = store.read(lambda tx: tx.exec(select(UndeliverableRow)).all())
    assert [(mark.address, mark.since) for mark in marks] == [(ANNA.address, AT)]
    [third] = claim(store, AT + 2 * day)
    settle(store, third, AT + 2 * day)
    assert store.read(lambda tx: tx.exec(select(UndeliverableRow)).all()) == []
    assert send_all(store, AT + 2 * day) == 1
    assert sorted(states(store)) == [MessageState.DEAD] * 2 + [MessageState.SENT] * 2


def test_a_daily_try_that_is_put_off_goes_on_by_its_back_off(store: Store) -> None:
    for number in range(3):
        opened(store, ONE, at=AT, key=str(number), priority=Priority.LOW)
    [first] = claim(store, AT, most=1)
    refused = (DeliveryOutcome.REFUSED, FailureReason.PERMANENT)
    settle(store, first, AT, *refused, is_address_refused=True)
    assert claim(store, AT) == []
    tomorrow = AT + timedelta(days=1)
    [tried] = claim(store, tomorrow)
    settle(store, tried, tomorrow, DeliveryOutcome.DEFERRED, FailureReason.TEMPORARY)
    [again] = claim(store, tomorrow + MINUTE)
    assert again.message.id == tried.message.id
    settle(store, again, tomorrow + MINUTE)
    assert send_all(store, tomorrow + MINUTE) == 1


def test_a_daily_try_that_met_no_mail_server_is_made_up_for(sqlite_store: Store) -> None:
    for number in range(2):
        opened(sqlite_store, ONE, at=AT, key=str(number), priority=Priority.LOW)
    [first] = claim(sqlite_store, AT, most=1)
    refused = (DeliveryOutcome.REFUSED, FailureReason.PERMANENT)
    settle(sqlite_store, first, AT, *refused, is_address_refused=True)
    tomorrow = AT + timedelta(days=1)
    [tried] = claim(sqlite_store, tomorrow)
    away = (DeliveryOutcome.DEFERRED, FailureReason.CONNECT)
    settle(sqlite_store, tried, tomorrow, *away, retry_after=30 * SECOND)
    [again] = claim(sqlite_store, tomorrow + 30 * SECOND)
    assert again.message.id == tried.message.id


def test_what_is_held_for_a_dead_address_dies_when_its_time_is_over(store: Store) -> None:
    for number in range(3):
        opened(store, ONE, at=AT, key=str(number), priority=Priority.CRITICAL)
    [first] = claim(store, AT, most=1)
    settle(
        store,
        first,
        AT,
        DeliveryOutcome.REFUSED,
        FailureReason.PERMANENT,
        is_address_refused=True,
    )
    day = timedelta(days=1)
    assert claim(store, AT + day - SECOND) == []
    [tried] = claim(store, AT + day)
    settle(store, tried, AT + day, DeliveryOutcome.DEFERRED, FailureReason.TEMPORARY)
    assert claim(store, AT + day + SECOND) == []
    # The one that is tried has its own patience from then on.
    assert states(store) == [MessageState.DEAD, MessageState.PENDING, MessageState.DEAD]
    later = AT + day + MINUTE
    opened(store, ONE, at=AT, key="stale", priority=Priority.CRITICAL)
    [again] = claim(store, later)
    assert again.message.id == tried.message.id
    assert states(store)[3] is MessageState.DEAD
