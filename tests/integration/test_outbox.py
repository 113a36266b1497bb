"""Messages are claimed once, settled once, tried again as agreed, and never lost."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from tests.builders import ANNA, BEN, DUTY, a_policy
from tests.stores import open_store
from tests.tickets import opened
from tickets import claims, outbox
from tickets.rules.message import DeliveryOutcome, FailureReason, MessageState, backoff
from tickets.rules.pace import Pace
from tickets.rules.ticket import Priority
from tickets.store import Store
from tickets.tables import DeliveryRow, MessageRow

AT = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
GREYLISTED = FailureReason.TEMPORARY


def claim(
    store: Store, now: datetime, most: int = 10, *, pace: Pace = Pace(), holder: str | None = None
) -> Sequence[MessageRow]:
    claimed = store.write(lambda tx: claims.claim(tx, now=now, most=most, pace=pace, holder=holder))
    return [one.message for one in claimed]


def settle(
    store: Store,
    message: MessageRow,
    outcome: DeliveryOutcome,
    now: datetime,
    reason: FailureReason | None = None,
    *,
    holder: str | None = None,
    wait: float | None = None,
) -> MessageRow:
    number = message.id
    assert number is not None
    return store.write(
        lambda tx: outbox.settle(
            tx,
            number,
            outcome=outcome,
            answer="as told",
            now=now,
            reason=reason,
            holder=holder,
            retry_after=None if wait is None else timedelta(seconds=wait),
        )
    )


def one_message(
    store: Store, priority: Priority = Priority.CRITICAL, *, holder: str | None = None
) -> MessageRow:
    opened(store, a_policy(contacts=[ANNA], duty=[]), at=AT, priority=priority)
    [message] = claim(store, AT, holder=holder)
    return message


def test_a_claimed_message_is_not_handed_out_again_until_its_lease_ends(store: Store) -> None:
    message = one_message(store)
    assert claim(store, AT + timedelta(seconds=59)) == []
    [again] = claim(store, AT + claims.LEASE)
    assert (again.id, again.header_id, again.written_at) == (
        message.id,
        message.header_id,
        message.written_at,
    )


def test_what_a_dead_sender_held_is_taken_over_by_its_successor_at_once(store: Store) -> None:
    opened(store, a_policy(contacts=[ANNA], duty=[]), at=AT)
    [message] = claim(store, AT, holder="first run")
    store.write(lambda tx: claims.take_over(tx, "another run"))
    assert claim(store, AT) == []
    store.write(lambda tx: claims.take_over(tx, "first run"))
    [again] = claim(store, AT)
    assert (again.id, again.header_id) == (message.id, message.header_id)


def test_what_is_in_hand_after_a_standstill_takes_no_place_of_another(store: Store) -> None:
    for _ in range(3):
        opened(store, a_policy(contacts=[ANNA], duty=[]), at=AT)
    in_hand = [message.id or 0 for message in claim(store, AT, most=2, holder="stalled")]
    later = AT + claims.LEASE
    store.write(lambda tx: claims.renew(tx, in_hand, holder="another", now=later))
    [lost] = claim(store, later, most=1, holder="another")
    assert lost.id == in_hand[0]
    store.write(lambda tx: claims.renew(tx, in_hand, holder="stalled", now=later))
    [free] = claim(store, later, holder="stalled")
    assert free.id not in in_hand
    [taken_again] = claim(store, later + claims.LEASE, most=1, holder="third")
    assert taken_again.id == lost.id, "what was lost stayed with the other, until then"


def test_many_senders_at_once_share_the_messages_without_doubling_any(store: Store) -> None:
    for number in range(8):
        opened(store, a_policy(contacts=[ANNA, BEN], duty=[DUTY]), at=AT, key=str(number))
    claimed, lock = list[int | None](), threading.Lock()

    def work() -> None:
        own = open_store(store.url)
        while messages := claim(own, AT, most=3):
            with lock:
                claimed.extend(message.id for message in messages)
        own.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed)) == 24


def test_critical_messages_leave_before_older_ones_of_lower_priority(store: Store) -> None:
    policy = a_policy(contacts=[ANNA], duty=[])
    for minute, priority in enumerate([Priority.LOW, Priority.NORMAL, Priority.CRITICAL]):
        at = AT + timedelta(minutes=minute)
        opened(store, policy, at=at, key=priority, priority=priority)
    claimed = claim(store, AT + timedelta(minutes=5))
    assert [message.priority for message in claimed] == ["critical", "normal", "low"]


def test_a_passing_failure_is_tried_again_after_the_agreed_waits(store: Store) -> None:
    message, now, waits = one_message(store), AT, list[int]()
    for _ in range(7):
        message = settle(store, message, DeliveryOutcome.DEFERRED, now, FailureReason.TEMPORARY)
        assert message.state is MessageState.PENDING
        waits.append(round((message.not_before - now) / timedelta(minutes=1)))
        assert claim(store, message.not_before - timedelta(seconds=1)) == []
        now = message.not_before
        [message] = claim(store, now)
    assert waits == [1, 2, 5, 15, 60, 60, 60]


@pytest.mark.parametrize(("priority", "hours"), [(Priority.CRITICAL, 24), (Priority.NORMAL, 72)])
def test_a_failure_that_does_not_pass_is_given_up_after_a_day_or_three(
    store: Store, priority: Priority, hours: int
) -> None:
    message = one_message(store, priority)
    for at in (AT, AT + timedelta(hours=hours) - SECOND):
        assert settle(store, message, DeliveryOutcome.DEFERRED, at).state is MessageState.PENDING
    at = AT + timedelta(hours=hours, minutes=2)
    [message] = claim(store, at)
    assert settle(store, message, DeliveryOutcome.DEFERRED, at).state is MessageState.DEAD
    assert claim(store, at + timedelta(days=30)) == []


def test_a_refused_message_is_dead_at_once_and_blocks_no_other(store: Store) -> None:
    opened(store, a_policy(contacts=[ANNA, BEN], duty=[]), at=AT)
    first, second = claim(store, AT)
    refused = settle(store, first, DeliveryOutcome.REFUSED, AT, FailureReason.PERMANENT)
    assert (refused.state, refused.last_failure) == (MessageState.DEAD, "as told")
    assert settle(store, second, DeliveryOutcome.SENT, AT).state is MessageState.SENT


def test_a_sent_message_stays_sent_when_a_late_sender_reports_failure(store: Store) -> None:
    message = one_message(store)
    settle(store, message, DeliveryOutcome.SENT, AT)
    late = settle(store, message, DeliveryOutcome.DEFERRED, AT, FailureReason.TIMEOUT)
    assert late.state is MessageState.SENT
    assert claim(store, AT + timedelta(days=1)) == []


def test_a_sender_that_lost_its_message_decides_nothing_about_it(store: Store) -> None:
    message = one_message(store, holder="slow")
    [again] = claim(store, AT + claims.LEASE, holder="quick")
    until = again.lease_until
    for outcome in (DeliveryOutcome.DEFERRED, DeliveryOutcome.REFUSED):
        late = settle(store, message, outcome, AT + claims.LEASE, holder="slow")
        assert (late.state, late.lease_until) == (MessageState.SENDING, until)
        assert claim(store, AT + claims.LEASE + timedelta(seconds=30)) == []
    dead = settle(store, again, DeliveryOutcome.REFUSED, AT + 2 * claims.LEASE, holder="quick")
    assert (dead.state, dead.attempts) == (MessageState.DEAD, 3)
    late = settle(store, message, DeliveryOutcome.DEFERRED, AT + 2 * claims.LEASE, holder="slow")
    assert late.state is MessageState.DEAD


def test_a_sender_that_lost_its_message_and_sent_it_all_the_same_says_so(store: Store) -> None:
    message = one_message(store, holder="slow")
    claim(store, AT + claims.LEASE, holder="quick")
    late = settle(store, message, DeliveryOutcome.SENT, AT + claims.LEASE, holder="slow")
    assert late.state is MessageState.SENT
    again = settle(store, message, DeliveryOutcome.DEFERRED, AT + claims.LEASE, holder="quick")
    assert again.state is MessageState.SENT


def test_a_stop_gives_back_only_what_nobody_took_over(store: Store) -> None:
    message = one_message(store, holder="slow")
    assert message.id is not None
    number = message.id
    claim(store, AT + claims.LEASE, holder="quick")
    store.write(lambda tx: claims.release(tx, [number], holder="slow"))
    assert claim(store, AT + claims.LEASE) == []


def test_what_waited_for_long_before_its_first_attempt_is_still_tried_for_a_day(
    sqlite_store: Store,
) -> None:
    message, monday = one_message(sqlite_store), AT + timedelta(days=11)
    message = settle(sqlite_store, message, DeliveryOutcome.DEFERRED, monday, GREYLISTED)
    assert message.state is MessageState.PENDING
    end = monday + timedelta(hours=24)
    late = settle(sqlite_store, message, DeliveryOutcome.DEFERRED, end - SECOND, GREYLISTED)
    assert late.state is MessageState.PENDING
    assert settle(sqlite_store, message, DeliveryOutcome.DEFERRED, end).state is MessageState.DEAD


def test_the_days_of_a_wrong_password_cost_no_message_its_patience(sqlite_store: Store) -> None:
    message = one_message(sqlite_store)
    for day in range(3):
        at = AT + timedelta(days=day)
        failed = settle(
            sqlite_store, message, DeliveryOutcome.DEFERRED, at, FailureReason.AUTH, wait=5
        )
        assert failed.state is MessageState.PENDING
    at = AT + timedelta(days=3)
    failed = settle(sqlite_store, message, DeliveryOutcome.DEFERRED, at, GREYLISTED)
    assert failed.state is MessageState.PENDING


def test_attempts_that_found_no_mail_server_do_not_lengthen_the_back_off(
    sqlite_store: Store,
) -> None:
    message, now = one_message(sqlite_store), AT
    for _ in range(6):
        now += timedelta(seconds=30)
        settle(sqlite_store, message, DeliveryOutcome.DEFERRED, now, FailureReason.CONNECT, wait=30)
    failed = settle(sqlite_store, message, DeliveryOutcome.DEFERRED, now, GREYLISTED)
    assert failed.not_before == now + timedelta(minutes=1)
    failed = settle(sqlite_store, message, DeliveryOutcome.DEFERRED, now, GREYLISTED)
    assert failed.not_before == now + timedelta(minutes=2)


def test_every_attempt_is_kept_with_the_servers_answer(store: Store) -> None:
    message = one_message(store)
    settle(store, message, DeliveryOutcome.DEFERRED, AT, FailureReason.CONNECT)
    settle(store, message, DeliveryOutcome.SENT, AT + timedelta(minutes=1))
    attempts = store.read(lambda tx: tx.exec(select(DeliveryRow)).all())
    assert [(row.number, row.outcome, row.reason) for row in attempts] == [
        (1, DeliveryOutcome.DEFERRED, FailureReason.CONNECT),
        (2, DeliveryOutcome.SENT, None),
    ]


def test_messages_given_back_untried_are_due_at_once(store: Store) -> None:
    message = one_message(store)
    assert message.id is not None
    number = message.id
    store.write(lambda tx: claims.release(tx, [number], holder=None))
    [again] = claim(store, AT)
    assert (again.id, again.attempts) == (number, 0)


def test_a_back_off_is_spread_by_a_tenth_and_never_shorter() -> None:
    waits = [backoff(1, chance=chance) for chance in (0.0, 0.5, 1.0)]
    assert waits == [timedelta(seconds=seconds) for seconds in (60, 63, 66)]


def test_a_back_off_counts_from_the_first_failed_attempt() -> None:
    with pytest.raises(ValueError, match="from 1"):
        backoff(0)
