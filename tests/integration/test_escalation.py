"""Staff hear that a promise runs out, was broken, or that the client waits: once, in hours."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from tests.builders import DUTY, LEAD, a_policy
from tests.stores import open_store
from tests.tickets import opened
from tickets import actions
from tickets.escalation import escalate, list_running_out, remind
from tickets.history import Actor
from tickets.holidays import build_support_hours
from tickets.policy import ClientPromises
from tickets.queries.tickets import get_ticket_page
from tickets.rules.notice import Notice
from tickets.rules.staff import Role
from tickets.rules.ticket import Action, Priority
from tickets.settings.support import SupportSettings
from tickets.store import Store
from tickets.sweep import sweep
from tickets.tables import EscalationRow, MessageRow, StaffRow

POLICY = a_policy()
OPENED = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
DUE = OPENED + timedelta(hours=1)
MOMENT = timedelta(microseconds=1)
STAFF_NOTICES = [Notice.AT_RISK, Notice.BREACHED, Notice.UPDATE_DUE]


def after(minutes: float) -> datetime:
    return OPENED + timedelta(minutes=minutes)


def told(store: Store) -> list[tuple[Notice, str, int | None]]:
    """Return who was told of what, with the share, in the order of writing."""
    query = (
        select(MessageRow)
        .where(MessageRow.notice.in_(STAFF_NOTICES))  # pyright: ignore[reportAttributeAccessIssue]
        .order_by(MessageRow.id)  # pyright: ignore[reportArgumentType]
    )
    rows = store.read(lambda tx: tx.exec(query).all())
    return [(row.notice, row.address, row.facts.get("percent")) for row in rows]


def a_member(store: Store) -> Actor:
    row = StaffRow(
        email="sam@agency.test",
        name="Sam Reed",
        role=Role.STAFF,
        password_hash="-",
        created_at=OPENED,
    )
    store.write(lambda tx: tx.add(row))
    return Actor(row.name, row.id, row.email)


async def test_each_step_is_told_once_to_those_it_names(store: Store) -> None:
    ref = opened(store, POLICY, at=OPENED)
    for minutes in (1, 29, 30, 31, 45, 46, 60, 61, 62, 300):
        await sweep(store, POLICY, now=after(minutes))
    assert told(store) == [
        (Notice.AT_RISK, DUTY.address, 50),
        (Notice.AT_RISK, DUTY.address, 75),
        (Notice.AT_RISK, LEAD.address, 75),
        (Notice.BREACHED, DUTY.address, 100),
        (Notice.BREACHED, LEAD.address, 100),
    ]
    page = store.read(lambda tx: get_ticket_page(tx, ref))
    assert [(entry.action, entry.text) for entry in page.entries[1:]] == [
        (Action.ESCALATE, "50 % of the time to answer is used up; told duty"),
        (Action.ESCALATE, "75 % of the time to answer is used up; told duty and lead"),
        (Action.BREACH, "The response deadline passed without an answer"),
    ]


@pytest.mark.parametrize(
    ("now", "is_breached"), [(DUE - MOMENT, False), (DUE, False), (DUE + MOMENT, True)]
)
async def test_a_breach_is_recorded_a_moment_after_the_deadline_not_at_it(
    store: Store, now: datetime, is_breached: bool
) -> None:
    ref = opened(store, POLICY, at=OPENED)
    promise = store.read(lambda tx: get_ticket_page(tx, ref)).ticket.promise
    assert promise.is_breached(now) is is_breached  # seen without any sweep
    await sweep(store, POLICY, now=now)
    await sweep(store, POLICY, now=now)
    page = store.read(lambda tx: get_ticket_page(tx, ref))
    assert page.ticket.promise.breached_at == (DUE if is_breached else None)
    assert [entry.action for entry in page.entries].count(Action.BREACH) == is_breached


async def test_a_breach_out_of_hours_is_recorded_at_once_and_told_when_support_opens(
    store: Store,
) -> None:
    ref = opened(store, POLICY, at=datetime(2026, 3, 6, 16, 0, tzinfo=UTC))  # due Friday 17:00
    await sweep(store, POLICY, now=datetime(2026, 3, 6, 17, 1, tzinfo=UTC))
    await sweep(store, POLICY, now=datetime(2026, 3, 8, 3, 0, tzinfo=UTC))
    page = store.read(lambda tx: get_ticket_page(tx, ref))
    assert page.ticket.promise.breached_at is not None
    assert told(store) == []
    await sweep(store, POLICY, now=datetime(2026, 3, 9, 9, 0, tzinfo=UTC))
    assert [(notice, address) for notice, address, _ in told(store)] == [
        (Notice.BREACHED, DUTY.address),
        (Notice.BREACHED, LEAD.address),
    ]


async def test_an_answered_promise_is_never_escalated(store: Store) -> None:
    sam = a_member(store)
    ref = opened(store, POLICY, at=OPENED)
    store.write(lambda tx: actions.acknowledge(tx, POLICY, ref, actor=sam, at=after(20)))
    await sweep(store, POLICY, now=after(79))
    assert store.write(lambda tx: escalate(tx, POLICY, 1, at=after(79))) is None
    assert told(store) == []


async def test_the_assignee_hears_as_well(store: Store) -> None:
    sam = a_member(store)
    ref = opened(store, POLICY, at=OPENED, priority=Priority.NORMAL)
    store.write(lambda tx: actions.acknowledge(tx, POLICY, ref, actor=sam, at=after(5)))
    await sweep(store, POLICY, now=OPENED + timedelta(days=1))
    assert [address for _, address, _ in told(store)] == ["sam@agency.test", DUTY.address]


async def test_nobody_is_told_where_escalate_is_empty_but_the_breach_is_recorded(
    store: Store,
) -> None:
    ref = opened(store, POLICY, at=OPENED)
    await sweep(store, replace(POLICY, escalation=()), now=after(61))
    assert told(store) == []
    page = store.read(lambda tx: get_ticket_page(tx, ref))
    assert page.ticket.promise.breached_at == DUE


def test_two_sweepers_at_once_tell_once(store: Store) -> None:
    opened(store, POLICY, at=OPENED)
    other = open_store(store.url)
    barrier = threading.Barrier(2)

    def pass_over(mine: Store) -> None:
        due = mine.read(lambda tx: list_running_out(tx, POLICY, after(46)))
        barrier.wait(60)
        for ticket_id in due:
            mine.write(lambda tx, id_=ticket_id: escalate(tx, POLICY, id_, at=after(46)))

    threads = [threading.Thread(target=pass_over, args=(one,)) for one in (store, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    other.close()
    assert [percent for _, _, percent in told(store)] == [75, 75]
    steps = store.read(lambda tx: tx.exec(select(EscalationRow.step)).all())
    assert sorted(steps) == ["50%", "75%"]


async def test_a_relapse_escalates_its_new_promise(store: Store) -> None:
    sam = a_member(store)
    ref = opened(store, POLICY, at=OPENED)
    await sweep(store, POLICY, now=after(30))
    store.write(
        lambda tx: actions.resolve(
            tx, POLICY, ref, cause="A full disk", done="More disk", actor=sam, at=after(31)
        )
    )
    store.write(lambda tx: actions.reopen(tx, POLICY, ref, reason="Again", actor=sam, at=after(60)))
    await sweep(store, POLICY, now=after(90))
    assert [percent for _, _, percent in told(store) if percent] == [50, 50, 50]


async def test_the_client_s_own_calendar_counts(store: Store) -> None:
    hours = build_support_hours(
        SupportSettings(hours={"mon": ("10:00-12:00",)}),
        "Europe/London",
        first_year=2025,
        last_year=2028,
    )
    own = ClientPromises(hours=hours, targets=POLICY.targets)
    policy = replace(POLICY, promises={"harbour": own})
    ref = opened(store, policy, at=OPENED)
    page = store.read(lambda tx: get_ticket_page(tx, ref))
    assert page.ticket.promise.respond_by == datetime(2026, 3, 9, 11, 0, tzinfo=UTC)
    await sweep(store, policy, now=datetime(2026, 3, 6, 12, 0, tzinfo=UTC))
    assert told(store) == []
    await sweep(store, policy, now=datetime(2026, 3, 9, 10, 30, tzinfo=UTC))
    assert [percent for _, _, percent in told(store)] == [50]


async def test_staff_are_reminded_once_of_each_word_that_the_client_is_due(store: Store) -> None:
    sam = a_member(store)
    ref = opened(store, POLICY, at=OPENED)
    store.write(lambda tx: actions.acknowledge(tx, POLICY, ref, actor=sam, at=after(10)))
    for minutes in (69, 70, 71, 100):
        await sweep(store, POLICY, now=after(minutes))
    everybody = ["sam@agency.test", DUTY.address, LEAD.address]
    assert [(notice, address) for notice, address, _ in told(store)] == [
        (Notice.UPDATE_DUE, address) for address in everybody
    ]
    store.write(
        lambda tx: actions.reply(tx, POLICY, ref, text="We still look", actor=sam, at=after(101))
    )
    for minutes in (102, 160, 161, 162):
        await sweep(store, POLICY, now=after(minutes))
    assert len(told(store)) == 2 * len(everybody)


def test_no_reminder_out_of_hours(store: Store) -> None:
    sam = a_member(store)
    at = datetime(2026, 3, 6, 16, 0, tzinfo=UTC)
    ref = opened(store, POLICY, at=at)
    store.write(lambda tx: actions.acknowledge(tx, POLICY, ref, actor=sam, at=at))
    night = at + timedelta(hours=9)  # the word was due at 17:00, closing time
    assert store.write(lambda tx: remind(tx, POLICY, 1, at=night)) is False
    monday = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
    assert store.write(lambda tx: remind(tx, POLICY, 1, at=monday)) is True
