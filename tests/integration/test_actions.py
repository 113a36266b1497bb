"""What people do to a ticket: who may, what it changes, who is told, what the promise becomes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlmodel import Session, select

from tests.builders import ANNA, BEN, DUTY, LEAD, a_policy
from tests.stores import open_store
from tests.tickets import opened
from tickets import actions
from tickets.errors import Conflict, NotFound, Refused, ServiceError
from tickets.escalation import escalate
from tickets.history import Actor
from tickets.holidays import build_support_hours
from tickets.queries.tickets import get_ticket_page, list_queue
from tickets.queries.views import TicketPage
from tickets.rules.notice import Notice
from tickets.rules.staff import Role
from tickets.rules.ticket import Action, Outcome, Priority, Status
from tickets.settings.support import SupportSettings
from tickets.store import Store
from tickets.sweep import sweep
from tickets.tables import MessageRow, StaffRow, TicketRow

OPENED = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
SOON = OPENED + timedelta(minutes=20)
DUE = OPENED + timedelta(hours=1)
POLICY = a_policy()

Change = Callable[[Session], TicketRow]


@pytest.fixture
def sam(store: Store) -> Actor:
    return a_member(store, "Sam Reed", "sam@agency.test")


def a_member(store: Store, name: str, email: str) -> Actor:
    row = StaffRow(email=email, name=name, role=Role.STAFF, password_hash="-", created_at=OPENED)
    store.write(lambda tx: tx.add(row))
    return Actor(name, row.id, email)


def page(store: Store, ref: str) -> TicketPage:
    return store.read(lambda tx: get_ticket_page(tx, ref))


def told(store: Store, notice: Notice) -> set[str]:
    query = select(MessageRow.address).where(MessageRow.notice == notice)
    return set(store.read(lambda tx: tx.exec(query).all()))


def acknowledge(store: Store, ref: str, actor: Actor, at: datetime = SOON) -> TicketRow:
    return store.write(lambda tx: actions.acknowledge(tx, POLICY, ref, actor=actor, at=at))


def test_acknowledging_a_critical_ticket_keeps_the_promise_and_tells_the_client_who_has_it(
    store: Store, sam: Actor
) -> None:
    ref = opened(store, POLICY, at=OPENED)
    acknowledge(store, ref, sam)
    ticket = page(store, ref).ticket
    assert (ticket.status, ticket.assignee) == (Status.ACKNOWLEDGED, "Sam Reed")
    assert (ticket.promise.answered_at, ticket.promise.answered_by) == (SOON, "Sam Reed")
    assert ticket.promise.was_kept
    assert ticket.update_by == SOON + timedelta(hours=1)
    assert told(store, Notice.ACKNOWLEDGED) == {ANNA.address, BEN.address}


def test_acknowledging_a_normal_ticket_says_who_has_it_but_is_no_answer(
    store: Store, sam: Actor
) -> None:
    ref = opened(store, POLICY, at=OPENED, priority=Priority.NORMAL)
    acknowledge(store, ref, sam)
    assert not page(store, ref).ticket.promise.is_answered
    assert told(store, Notice.ACKNOWLEDGED) == set()
    words = {"text": "We look at it", "outlook": actions.NOTHING_KNOWN}
    store.write(lambda tx: actions.reply(tx, POLICY, ref, **words, actor=sam, at=SOON))
    assert page(store, ref).ticket.promise.answered_at == SOON


def test_a_promise_is_met_once_by_the_first_answer(store: Store, sam: Actor) -> None:
    ref = opened(store, POLICY, at=OPENED)
    acknowledge(store, ref, sam)
    later = SOON + timedelta(minutes=10)
    store.write(lambda tx: actions.reply(tx, POLICY, ref, text="Soon", actor=sam, at=later))
    assert page(store, ref).ticket.promise.answered_at == SOON


def test_resolving_an_unanswered_ticket_is_its_answer(store: Store, sam: Actor) -> None:
    ref = opened(store, POLICY, at=OPENED)
    store.write(
        lambda tx: actions.resolve(
            tx, POLICY, ref, cause="A full disk", done="Emptied it", actor=sam, at=SOON
        )
    )
    ticket = page(store, ref).ticket
    assert (ticket.status, ticket.promise.answered_at) == (Status.RESOLVED, SOON)
    assert told(store, Notice.RESOLVED) == {ANNA.address, BEN.address}


@pytest.mark.parametrize(
    ("at", "is_breached"),
    [
        (DUE - timedelta(microseconds=1), False),
        (DUE, False),
        (DUE + timedelta(microseconds=1), True),
    ],
)
def test_an_answer_at_the_deadline_is_in_time(
    store: Store, sam: Actor, at: datetime, is_breached: bool
) -> None:
    ref = opened(store, POLICY, at=OPENED)
    acknowledge(store, ref, sam, at)
    promise = page(store, ref).ticket.promise
    assert promise.was_kept is not is_breached
    assert (promise.breached_at is not None) is is_breached
    assert [entry.action for entry in page(store, ref).entries].count(Action.BREACH) == is_breached


async def test_the_sweep_records_a_breach_once_and_tells_duty_and_lead(store: Store) -> None:
    ref = opened(store, POLICY, at=OPENED)
    await sweep(store, POLICY, now=DUE)
    assert not page(store, ref).ticket.promise.breached_at
    for minutes in (1, 2, 3):
        await sweep(store, POLICY, now=DUE + timedelta(minutes=minutes))
    shown = page(store, ref)
    assert shown.ticket.promise.breached_at == DUE
    recorded = [entry.action for entry in shown.entries]
    assert recorded == [Action.OPEN, Action.ESCALATE, Action.BREACH]
    assert told(store, Notice.BREACHED) == {DUTY.address, LEAD.address}


def test_a_breach_is_seen_without_any_sweep(store: Store) -> None:
    ref = opened(store, POLICY, at=OPENED)
    promise = page(store, ref).ticket.promise
    assert not promise.is_breached(DUE)
    assert promise.is_breached(DUE + timedelta(seconds=1))


def test_an_answered_ticket_is_never_breached(store: Store, sam: Actor) -> None:
    ref = opened(store, POLICY, at=OPENED)
    acknowledge(store, ref, sam)
    number = int(ref[2:]) - 1000
    late = DUE + timedelta(days=9)
    assert store.write(lambda tx: escalate(tx, POLICY, number, at=late)) is None


async def test_a_resolved_ticket_closes_by_itself_after_five_support_days(
    store: Store, sam: Actor
) -> None:
    ref = opened(store, POLICY, at=OPENED)
    store.write(
        lambda tx: actions.resolve(tx, POLICY, ref, cause="c", done="d", actor=sam, at=SOON)
    )
    closes_at = SOON + timedelta(days=7)  # Tue to Tue: five support days and a weekend
    await sweep(store, POLICY, now=closes_at - timedelta(minutes=1))
    assert page(store, ref).ticket.status is Status.RESOLVED
    await sweep(store, POLICY, now=closes_at)
    ticket = page(store, ref).ticket
    assert (ticket.status, ticket.outcome) == (Status.CLOSED, Outcome.FIXED)


async def test_one_ticket_that_cannot_be_judged_is_counted_and_stops_no_other(
    store: Store, sam: Actor
) -> None:
    """The calendar of later years knows nothing of a ticket resolved before them."""
    hours = build_support_hours(SupportSettings(), "Europe/London", first_year=2027, last_year=2032)
    later = replace(POLICY, hours=hours)
    old = opened(store, POLICY, at=OPENED, key="old")
    new = opened(store, POLICY, at=OPENED, key="new")
    resolved_at = {old: SOON, new: datetime(2027, 2, 1, 10, 0, tzinfo=UTC)}
    for ref, at in resolved_at.items():
        store.write(partial(_resolve, ref=ref, actor=sam, at=at))
    assert await sweep(store, later, now=datetime(2027, 3, 1, 10, 0, tzinfo=UTC)) == 1
    assert page(store, old).ticket.status is Status.RESOLVED
    assert page(store, new).ticket.status is Status.CLOSED


def _resolve(tx: Session, *, ref: str, actor: Actor, at: datetime) -> TicketRow:
    return actions.resolve(tx, POLICY, ref, cause="c", done="d", actor=actor, at=at)


def test_reopening_makes_a_new_promise_and_keeps_the_old_one_as_it_was(
    store: Store, sam: Actor
) -> None:
    ref = opened(store, POLICY, at=OPENED)
    store.write(
        lambda tx: actions.resolve(tx, POLICY, ref, cause="c", done="d", actor=sam, at=SOON)
    )
    again = SOON + timedelta(hours=3)
    store.write(
        lambda tx: actions.reopen(tx, POLICY, ref, reason="Still broken", actor=sam, at=again)
    )
    ticket = page(store, ref).ticket
    assert ticket.status is Status.ACKNOWLEDGED
    assert (ticket.promise.number, ticket.promise.is_answered) == (2, False)
    assert ticket.promise.respond_by == again + timedelta(hours=1)


def test_a_note_is_for_staff_only(store: Store, sam: Actor) -> None:
    ref = opened(store, POLICY, at=OPENED)
    before = store.read(lambda tx: len(tx.exec(select(MessageRow)).all()))
    store.write(lambda tx: actions.note(tx, ref, text="Hosting again", actor=sam, at=SOON))
    assert page(store, ref).entries[-1].is_visible is False
    assert store.read(lambda tx: len(tx.exec(select(MessageRow)).all())) == before


def test_the_person_who_acts_is_not_told(store: Store) -> None:
    policy = a_policy(contacts=[ANNA, BEN])
    ref = opened(store, policy, at=OPENED)
    anna = Actor("Anna", None, ANNA.address.upper())
    store.write(lambda tx: actions.reply(tx, policy, ref, text="Hello", actor=anna, at=SOON))
    assert told(store, Notice.REPLY) == {BEN.address}


def test_a_person_on_several_lists_gets_one_mail(store: Store) -> None:
    policy = a_policy(contacts=[ANNA, ANNA], duty=[DUTY, DUTY])
    opened(store, policy, at=OPENED)
    messages = store.read(lambda tx: tx.exec(select(MessageRow)).all())
    assert sorted(row.address for row in messages) == [ANNA.address, DUTY.address]


REFUSED_FROM: list[tuple[Status, Action]] = [
    (Status.ACKNOWLEDGED, Action.ACKNOWLEDGE),
    (Status.OPEN, Action.REOPEN),
    (Status.ACKNOWLEDGED, Action.REOPEN),
    (Status.RESOLVED, Action.ACKNOWLEDGE),
    (Status.RESOLVED, Action.RESOLVE),
    (Status.CLOSED, Action.ACKNOWLEDGE),
    (Status.CLOSED, Action.REPLY),
    (Status.CLOSED, Action.RESOLVE),
    (Status.CLOSED, Action.REOPEN),
    (Status.CLOSED, Action.CLOSE),
]


@pytest.mark.parametrize(("status", "action"), REFUSED_FROM)
def test_what_the_table_of_actions_does_not_list_is_a_conflict(
    store: Store, sam: Actor, status: Status, action: Action
) -> None:
    ref = opened(store, POLICY, at=OPENED)
    steps = {
        Status.OPEN: [],
        Status.ACKNOWLEDGED: [Action.ACKNOWLEDGE],
        Status.RESOLVED: [Action.RESOLVE],
        Status.CLOSED: [Action.RESOLVE, Action.CLOSE],
    }
    for step in steps[status]:
        take(store, ref, step, sam)
    before = page(store, ref)
    with pytest.raises(Conflict, match=f"is {status}"):
        take(store, ref, action, sam)
    assert page(store, ref) == before


def take(store: Store, ref: str, action: Action, actor: Actor) -> None:
    changes: dict[Action, Change] = {
        Action.ACKNOWLEDGE: lambda tx: actions.acknowledge(tx, POLICY, ref, actor=actor, at=SOON),
        Action.REPLY: lambda tx: actions.reply(tx, POLICY, ref, text="t", actor=actor, at=SOON),
        Action.RESOLVE: lambda tx: actions.resolve(
            tx, POLICY, ref, cause="c", done="d", actor=actor, at=SOON
        ),
        Action.REOPEN: lambda tx: actions.reopen(tx, POLICY, ref, reason="r", actor=actor, at=SOON),
        Action.CLOSE: lambda tx: actions.close(
            tx, ref, outcome=Outcome.FIXED, actor=actor, at=SOON
        ),
    }
    store.write(changes[action])


def test_an_unresolved_ticket_closes_only_as_duplicate_or_no_issue_with_a_reason(
    store: Store, sam: Actor
) -> None:
    ref = opened(store, POLICY, at=OPENED)
    finish = partial(actions.close, ref=ref, actor=sam, at=SOON)
    with pytest.raises(Refused, match="duplicate or not_an_issue"):
        store.write(lambda tx: finish(tx, outcome=Outcome.FIXED, reason="Done"))
    with pytest.raises(Refused, match="reason is empty"):
        store.write(lambda tx: finish(tx, outcome=Outcome.DUPLICATE))
    store.write(lambda tx: finish(tx, outcome=Outcome.DUPLICATE, reason="Same as T-1"))
    assert page(store, ref).ticket.status is Status.CLOSED


@pytest.mark.parametrize("text", ["", "   \n", "x" * 20_001])
def test_an_empty_or_overlong_text_is_refused_and_changes_nothing(
    store: Store, sam: Actor, text: str
) -> None:
    ref = opened(store, POLICY, at=OPENED)
    with pytest.raises(Refused, match="reply"):
        store.write(lambda tx: actions.reply(tx, POLICY, ref, text=text, actor=sam, at=SOON))
    assert page(store, ref).ticket.version == 1


def test_control_characters_do_not_reach_the_store(store: Store, sam: Actor) -> None:
    ref = opened(store, POLICY, at=OPENED)
    text = "Two lines\r\nand a\x00 nul\x1b[31m"
    store.write(lambda tx: actions.note(tx, ref, text=text, actor=sam, at=SOON))
    assert page(store, ref).entries[-1].text == "Two lines\nand a\ufffd nul\ufffd[31m"


@pytest.mark.parametrize(
    "ref", ["T-1002", "T-1", "", "nonsense", "T-99999999999999", "T-\u0661\u0661"]
)
def test_a_reference_that_names_nothing_is_not_found(store: Store, sam: Actor, ref: str) -> None:
    opened(store, POLICY, at=OPENED)
    with pytest.raises(NotFound, match="there is no ticket"):
        acknowledge(store, ref, sam)


def test_a_stale_version_is_a_conflict_that_tells_what_happened_since(
    store: Store, sam: Actor
) -> None:
    ref = opened(store, POLICY, at=OPENED)
    acknowledge(store, ref, sam)
    with pytest.raises(Conflict, match="Sam Reed: acknowledge"):
        store.write(
            lambda tx: actions.resolve(
                tx, POLICY, ref, cause="c", done="d", actor=sam, at=SOON, version=1
            )
        )


def test_of_people_who_act_on_one_version_at_once_exactly_one_wins(store: Store) -> None:
    people = [a_member(store, f"Person {n}", f"p{n}@agency.test") for n in range(6)]
    ref = opened(store, POLICY, at=OPENED)
    barrier, outcomes = threading.Barrier(len(people)), list[str]()

    def act(actor: Actor) -> None:
        # Each thread has a store of its own, as processes would.
        own = open_store(store.url)
        barrier.wait()
        try:
            own.write(
                lambda tx: actions.acknowledge(tx, POLICY, ref, actor=actor, at=SOON, version=1)
            )
            outcomes.append(actor.name)
        except ServiceError as error:
            outcomes.append(type(error).__name__)
        finally:
            own.close()

    threads = [threading.Thread(target=act, args=(actor,)) for actor in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [outcome for outcome in outcomes if outcome.startswith("Person")]
    assert len(winners) == 1
    assert sorted(set(outcomes) - set(winners)) == ["Conflict"]
    shown = page(store, ref)
    assert shown.ticket.promise.answered_by == winners[0]
    assert [entry.action for entry in shown.entries] == [Action.OPEN, Action.ACKNOWLEDGE]


def test_the_queue_lists_unanswered_tickets_by_deadline_and_answered_ones_after(
    store: Store, sam: Actor
) -> None:
    late = opened(store, POLICY, at=OPENED, key="a")
    soon = opened(store, POLICY, at=OPENED - timedelta(minutes=30), key="b")
    answered = opened(store, POLICY, at=OPENED - timedelta(minutes=50), key="c")
    normal = opened(store, POLICY, at=OPENED, key="d", priority=Priority.NORMAL)
    acknowledge(store, answered, sam, OPENED)
    queue = [ticket.reference for ticket in store.read(list_queue)]
    assert queue == [soon, late, normal, answered]


def test_history_is_numbered_without_gaps_and_version_is_its_length(
    store: Store, sam: Actor
) -> None:
    ref = opened(store, POLICY, at=OPENED)
    for action in (Action.ACKNOWLEDGE, Action.REPLY, Action.RESOLVE, Action.REOPEN):
        take(store, ref, action, sam)
    shown = page(store, ref)
    assert [entry.number for entry in shown.entries] == [1, 2, 3, 4, 5]
    assert shown.ticket.version == 5
