"""The rest of a ticket's life: requests, priority, assignment, waiting, merging, links, time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from tests.builders import ANNA, BEN, DUTY, LEAD, a_policy
from tests.tickets import opened
from tickets import actions, relations, time_spent, triage, waiting
from tickets.actions import NOTHING_KNOWN, Outlook
from tickets.errors import Conflict, NotFound, Refused
from tickets.history import PROMISE_COLUMNS, TICKET_COLUMNS, ActionRefused, Actor, describe
from tickets.opening import NewRequest, Requester, open_request
from tickets.outbox import Recipient
from tickets.policy import ClientContacts, ClientProfile, Policy, SiteName
from tickets.promises import promise_of
from tickets.queries.figures import count_figures
from tickets.queries.tickets import get_ticket_page
from tickets.queries.views import TicketPage
from tickets.refusals import attempt
from tickets.rules.allowance import Allowance
from tickets.rules.notice import Audience, Notice
from tickets.rules.replay import replay
from tickets.rules.staff import Role
from tickets.rules.ticket import Action, Category, LinkKind, Outcome, Priority, Source, Status
from tickets.store import Store
from tickets.sweep import sweep
from tickets.tables import MessageRow, StaffRow, TicketRow
from tickets.time_spent import Work
from tickets.work import WorkView, list_work

OPENED = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)  # a Tuesday
SOON = OPENED + timedelta(minutes=20)
CARLA = Requester("Carla Lund", "carla@harbour.test")


def the_policy(allowance: Allowance | None = None) -> Policy:
    site = SiteName("booking", "Booking site", "https://booking.harbour.test/")
    moss = Recipient("Moss", "moss@moss.test", Audience.CLIENT)
    policy = a_policy()
    return replace(
        policy,
        clients={
            "harbour": ClientProfile(name="Harbour Inns", sites=(site,), allowance=allowance),
            "moss": ClientProfile(name="Moss Theatre"),
        },
        contacts={**policy.contacts, "moss": ClientContacts(incidents=(moss,), tickets=(moss,))},
    )


POLICY = the_policy()

on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
"""What depends on no database runs on one."""


@pytest.fixture
def sam(store: Store) -> Actor:
    return a_member(store, "Sam Reed")


@pytest.fixture
def mia(store: Store) -> Actor:
    return a_member(store, "Mia Holt")


def a_member(store: Store, name: str, *, role: Role = Role.STAFF) -> Actor:
    email = f"{name.split(maxsplit=1)[0].lower()}@agency.test"
    row = StaffRow(email=email, name=name, role=role, password_hash="-", created_at=OPENED)
    store.write(lambda tx: tx.add(row))
    return Actor(name, row.id, email)


def a_request(**changes: Any) -> NewRequest:
    values: dict[str, Any] = {
        "client": "harbour",
        "priority": Priority.NORMAL,
        "category": Category.CONTENT_CHANGE,
        "title": "A new picture",
        "text": "Please put the harbour on the front page.",
        "requester": CARLA,
    }
    return NewRequest(**{**values, **changes})


def asked(store: Store, actor: Actor, *, at: datetime = OPENED, **changes: Any) -> str:
    new = a_request(**changes)
    row = store.write(lambda tx: open_request(tx, POLICY, new, actor=actor, at=at))
    return f"T-{1000 + (row.id or 0)}"


def page(store: Store, ref: str) -> TicketPage:
    return store.read(lambda tx: get_ticket_page(tx, ref))


def work_of(store: Store, ref: str, today: date = OPENED.date()) -> WorkView:
    return store.read(lambda tx: list_work(tx, int(ref[2:]) - 1000, today=today))


def told(store: Store, notice: Notice) -> list[str]:
    query = select(MessageRow.address).where(MessageRow.notice == notice)
    return sorted(store.read(lambda tx: tx.exec(query).all()))


def do(store: Store, action: Callable[..., TicketRow], *args: Any, **how: Any) -> TicketRow:
    how.setdefault("at", SOON)
    return store.write(lambda tx: action(tx, *args, **how))


@pytest.fixture(autouse=True)
def replayed(store: Store) -> Iterator[None]:
    """After every test: the entries of each ticket tell what is stored."""
    yield
    for number in store.read(lambda tx: tx.exec(select(TicketRow.id)).all()):
        check_replay(store, number or 0)


def check_replay(store: Store, number: int) -> None:
    ref = f"T-{1000 + number}"
    shown = page(store, ref)
    state = dict(replay(shown.entries))

    def stored(tx: Session) -> dict[str, object]:
        ticket = tx.get_one(TicketRow, number)
        return describe(ticket, promise_of(tx, ticket)) | {"version": ticket.version}

    expected = store.read(stored)
    belongs = work_of(store, ref)
    assert state.pop("minutes") == belongs.spent // timedelta(minutes=1)
    assert state.pop("links") == sorted(link.reference for link in belongs.links)
    assert state == expected
    assert set(state) == {*TICKET_COLUMNS, *PROMISE_COLUMNS, "version"}


# Opening by a person


def test_a_request_is_receipted_with_its_deadline_and_duty_is_not_called(
    store: Store, sam: Actor
) -> None:
    ref = asked(store, sam, site="booking")
    ticket = page(store, ref).ticket
    assert (ticket.source, ticket.status, ticket.site_name) == (
        Source.STAFF,
        Status.OPEN,
        "Booking site",
    )
    assert ticket.promise.respond_by == OPENED + timedelta(days=2)
    assert told(store, Notice.RECEIVED) == [CARLA.address]


def test_a_form_that_is_sent_twice_opens_one_ticket(store: Store, sam: Actor) -> None:
    refs = {asked(store, sam, key="form-1") for _ in range(3)}
    assert len(refs) == 1
    assert told(store, Notice.RECEIVED) == [CARLA.address]
    assert asked(store, sam, key="form-2") not in refs


@on_sqlite
def test_without_a_requester_the_contacts_for_tickets_are_told(store: Store, sam: Actor) -> None:
    asked(store, sam, requester=None)
    assert told(store, Notice.RECEIVED) == [ANNA.address, BEN.address]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"client": "nobody"}, "there is no client 'nobody': allowed are harbour, moss"),
        ({"site": "shop"}, "the client harbour has no site 'shop': allowed are booking"),
        ({"category": Category.OUTAGE}, "allowed are bug_fix, content_change, advice, cms_update"),
        ({"title": " \n "}, "the title is empty"),
        ({"title": "x" * 201}, "the title has 201 characters; at most 200"),
        ({"text": ""}, "the text is empty"),
        ({"requester": Requester("", "a@b.test, c@d.test")}, "the requester's address"),
        ({"requester": Requester("", "a@b.test\r\nBcc: c@d.test")}, "the requester's address"),
        ({"key": "k" * 201}, "the key has 201 characters"),
        ({"source": Source.MONITOR}, "is a machine's"),
    ],
)
@on_sqlite
def test_a_request_that_is_not_allowed_is_refused_by_one_sentence(
    store: Store, sam: Actor, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Refused, match=sentence):
        asked(store, sam, **changes)
    assert store.read(lambda tx: tx.exec(select(TicketRow)).all()) == []


@on_sqlite
def test_the_receipt_names_the_closure_that_comes_within_two_weeks(
    store: Store, sam: Actor
) -> None:
    asked(store, sam, at=datetime(2026, 12, 18, 10, 0, tzinfo=UTC))
    facts = store.read(lambda tx: tx.exec(select(MessageRow.facts)).all())
    assert {fact["closure"] for fact in facts} == {
        "from Thu 24 Dec 2026 to Fri 1 Jan 2027 (Christmas closure)"
    }


# The first reply


@on_sqlite
def test_the_first_reply_to_a_normal_ticket_says_next_steps_and_an_estimate(
    store: Store, sam: Actor
) -> None:
    ref = asked(store, sam)
    for outlook in (None, Outlook(next_steps="We crop it"), Outlook(estimate="Thursday")):
        with pytest.raises(Refused, match="missing: the first reply to a normal ticket says"):
            do(store, actions.reply, POLICY, ref, text="Hello", outlook=outlook, actor=sam)
    do(
        store,
        actions.reply,
        POLICY,
        ref,
        text="Hello",
        outlook=Outlook(next_steps="We crop it", estimate="not yet known"),
        actor=sam,
    )
    ticket = page(store, ref).ticket
    assert (ticket.next_steps, ticket.estimate) == ("We crop it", "not yet known")
    assert ticket.promise.answered_at == SOON
    do(store, actions.reply, POLICY, ref, text="Done soon", actor=sam)


@on_sqlite
def test_the_first_reply_to_a_critical_ticket_needs_neither(store: Store, sam: Actor) -> None:
    ref = opened(store, POLICY, at=OPENED)
    do(store, actions.reply, POLICY, ref, text="We are on it", actor=sam)
    assert page(store, ref).ticket.promise.was_kept


def test_a_reply_to_a_closed_ticket_is_refused_and_recorded(store: Store, sam: Actor) -> None:
    ref = opened(store, POLICY, at=OPENED)
    close = partial(actions.close, outcome=Outcome.NOT_AN_ISSUE, reason="A test")
    do(store, close, ref, actor=sam)
    before = page(store, ref)
    with pytest.raises(ActionRefused, match=f"{ref} is closed: 'reply' is possible only while"):
        attempt(
            store,
            lambda tx: actions.reply(tx, POLICY, ref, text="Hello", actor=sam, at=SOON),
            at=SOON,
        )
    assert page(store, ref) == before
    (refusal,) = work_of(store, ref).refusals
    assert (refusal.action, refusal.actor, refusal.at) == (Action.REPLY, "Sam Reed", SOON)


# Priority


def test_a_raised_priority_counts_from_the_start_and_both_deadlines_are_mailed(
    store: Store, sam: Actor
) -> None:
    ref = asked(store, sam)
    how = {"priority": Priority.CRITICAL, "reason": "Nobody can book"}
    do(store, triage.set_priority, POLICY, ref, **how, actor=sam)
    shown = page(store, ref)
    assert shown.ticket.promise.respond_by == OPENED + timedelta(hours=1)
    assert shown.entries[-1].before == {
        "priority": "normal",
        "respond_by": "2026-03-05T10:00:00+00:00",
    }
    assert told(store, Notice.PRIORITY_CHANGED) == [CARLA.address, DUTY.address]
    do(store, actions.acknowledge, POLICY, ref, actor=sam)
    assert page(store, ref).ticket.promise.was_kept


@on_sqlite
def test_a_lowered_priority_gives_no_time_back_and_nobody_is_mailed(
    store: Store, sam: Actor
) -> None:
    ref = opened(store, POLICY, at=OPENED)
    how = {"priority": Priority.LOW, "reason": "Only a banner"}
    do(store, triage.set_priority, POLICY, ref, **how, actor=sam)
    shown = page(store, ref)
    assert shown.ticket.promise.respond_by == OPENED + timedelta(hours=1)
    assert shown.entries[-1].before == {"priority": "critical"}
    assert told(store, Notice.PRIORITY_CHANGED) == []


@on_sqlite
def test_an_answered_promise_does_not_move(store: Store, sam: Actor) -> None:
    ref = asked(store, sam)
    do(store, actions.reply, POLICY, ref, text="Hello", outlook=NOTHING_KNOWN, actor=sam)
    how = {"priority": Priority.CRITICAL, "reason": "Worse than we thought"}
    do(store, triage.set_priority, POLICY, ref, **how, actor=sam)
    ticket = page(store, ref).ticket
    assert ticket.promise.respond_by == OPENED + timedelta(days=2)
    assert ticket.update_by == SOON + timedelta(hours=1)


@pytest.mark.parametrize(
    ("priority", "reason", "sentence"),
    [
        (Priority.NORMAL, "Why not", "has priority normal already"),
        (Priority.LOW, " ", "the reason is empty"),
    ],
)
@on_sqlite
def test_a_priority_needs_a_change_and_a_reason(
    store: Store, sam: Actor, priority: Priority, reason: str, sentence: str
) -> None:
    ref = asked(store, sam)
    with pytest.raises(Refused, match=sentence):
        do(store, triage.set_priority, POLICY, ref, priority=priority, reason=reason, actor=sam)


def test_the_count_of_opened_tickets_does_not_fall_when_a_priority_changes(
    store: Store, sam: Actor
) -> None:
    ref = opened(store, POLICY, at=OPENED)
    figures = partial(count_figures, now=SOON)
    before = store.read(figures).opened
    do(store, triage.set_priority, POLICY, ref, priority=Priority.LOW, reason="r", actor=sam)
    assert store.read(figures).opened == before == {(Priority.CRITICAL, Source.MONITOR): 1}


# Assignment and category


@on_sqlite
def test_an_assignee_is_told_unless_they_act_and_may_be_taken_off_again(
    store: Store, sam: Actor, mia: Actor
) -> None:
    ref = asked(store, sam)
    assign = partial(do, store, triage.assign, POLICY, ref, actor=sam)
    assign(assignee_id=sam.staff_id)
    assert told(store, Notice.ASSIGNED) == []
    assign(assignee_id=mia.staff_id)
    assert told(store, Notice.ASSIGNED) == [mia.address]
    with pytest.raises(Refused, match="is with Mia Holt already"):
        assign(assignee_id=mia.staff_id)
    assign(assignee_id=None)
    ticket = page(store, ref).ticket
    assert (ticket.assignee, ticket.status) == (None, Status.OPEN)


@on_sqlite
def test_a_ticket_is_not_given_to_who_cannot_work_on_it(store: Store, sam: Actor) -> None:
    ref = asked(store, sam)
    viewer = a_member(store, "Vera Pym", role=Role.VIEWER)
    for staff_id, sentence in ((viewer.staff_id, "who reads tickets"), (99, "none of the staff")):
        with pytest.raises(Refused, match=sentence):
            do(store, triage.assign, POLICY, ref, assignee_id=staff_id, actor=sam)


@on_sqlite
def test_a_category_is_changed_among_those_of_people(store: Store, sam: Actor) -> None:
    ref = asked(store, sam)
    do(store, triage.set_category, ref, category=Category.BUG_FIX, actor=sam)
    assert page(store, ref).ticket.category is Category.BUG_FIX
    with pytest.raises(Refused, match="is for machines: allowed are bug_fix"):
        do(store, triage.set_category, ref, category=Category.ALERT, actor=sam)
    machine = opened(store, POLICY, at=OPENED)
    with pytest.raises(Refused, match="opened by a machine"):
        do(store, triage.set_category, machine, category=Category.ADVICE, actor=sam)


# Waiting


def answered(store: Store, sam: Actor) -> str:
    ref = asked(store, sam)
    do(store, actions.reply, POLICY, ref, text="Hello", outlook=NOTHING_KNOWN, actor=sam)
    return ref


def wait(store: Store, ref: str, actor: Actor, on: date, at: datetime = SOON) -> None:
    how = {"question": "Which picture?", "resume_on": on, "actor": actor, "at": at}
    do(store, waiting.wait, POLICY, ref, **how)


@on_sqlite
def test_waiting_asks_the_client_and_pauses_the_update_clock(store: Store, sam: Actor) -> None:
    ref = opened(store, POLICY, at=OPENED)
    do(store, actions.acknowledge, POLICY, ref, actor=sam)
    wait(store, ref, sam, date(2026, 3, 6))
    ticket = page(store, ref).ticket
    assert (ticket.status, ticket.update_by) == (Status.WAITING, None)
    assert ticket.resume_at == datetime(2026, 3, 6, 9, 0, tzinfo=UTC)
    assert told(store, Notice.QUESTION) == [ANNA.address, BEN.address]
    do(store, waiting.resume, POLICY, ref, actor=sam)
    ticket = page(store, ref).ticket
    assert (ticket.status, ticket.resume_at) == (Status.ACKNOWLEDGED, None)
    assert ticket.update_by == SOON + timedelta(hours=1)


@on_sqlite
def test_a_ticket_with_an_unmet_promise_cannot_wait(store: Store, sam: Actor) -> None:
    ref = asked(store, sam)
    with pytest.raises(ActionRefused, match=f"{ref} is open: 'wait' is possible only while"):
        wait(store, ref, sam, date(2026, 3, 6))
    do(store, actions.acknowledge, POLICY, ref, actor=sam)
    with pytest.raises(ActionRefused, match="its promise is not met; reply to the client"):
        wait(store, ref, sam, date(2026, 3, 6))


GOOD_FRIDAY_WEEK = datetime(2026, 3, 31, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("on", "sentence"),
    [
        (date(2026, 3, 31), "the resume date Tue 31 Mar 2026 is not ahead: choose a support day"),
        (date(2026, 4, 3), "is no support day .Good Friday.: choose a support day from Wed 1 Apr"),
        (date(2026, 4, 4), "is no support day"),
        (date(2026, 4, 17), "more than 10 support days ahead: choose .* to Thu 16 Apr 2026"),
        (date(9999, 12, 31), "more than 10 support days ahead"),
    ],
)
@on_sqlite
def test_a_resume_date_must_be_a_support_day_at_most_ten_ahead(
    store: Store, sam: Actor, on: date, sentence: str
) -> None:
    ref = answered(store, sam)
    with pytest.raises(Refused, match=sentence):
        wait(store, ref, sam, on, at=GOOD_FRIDAY_WEEK)
    wait(store, ref, sam, date(2026, 4, 16), at=GOOD_FRIDAY_WEEK)
    assert page(store, ref).ticket.status is Status.WAITING


@on_sqlite
def test_a_resume_date_in_a_closure_is_refused(store: Store, sam: Actor) -> None:
    ref = answered(store, sam)
    with pytest.raises(Refused, match=r"Wed 30 Dec 2026 is no support day \(Christmas closure\)"):
        wait(store, ref, sam, date(2026, 12, 30), at=datetime(2026, 12, 21, 10, 0, tzinfo=UTC))


async def test_the_sweep_resumes_a_ticket_when_its_date_is_reached(
    store: Store, sam: Actor
) -> None:
    ref = answered(store, sam)
    wait(store, ref, sam, date(2026, 3, 6))
    opens_at = datetime(2026, 3, 6, 9, 0, tzinfo=UTC)
    await sweep(store, POLICY, now=opens_at - timedelta(seconds=1))
    assert page(store, ref).ticket.status is Status.WAITING
    for _ in range(2):
        await sweep(store, POLICY, now=opens_at)
    assert page(store, ref).ticket.status is Status.ACKNOWLEDGED
    assert told(store, Notice.RESUMED) == [sam.address]


def test_a_clients_reply_resumes_reopens_or_is_just_heard(store: Store, sam: Actor) -> None:
    ref = answered(store, sam)
    carla = Actor(CARLA.name, None, CARLA.address)
    hear = partial(do, store, waiting.client_reply, POLICY, ref, text="The first", actor=carla)
    hear()
    assert page(store, ref).entries[-1].action is Action.CLIENT_REPLY
    wait(store, ref, sam, date(2026, 3, 6))
    hear()
    assert page(store, ref).ticket.status is Status.ACKNOWLEDGED
    assert told(store, Notice.CLIENT_REPLIED) == [sam.address, sam.address]
    do(store, actions.resolve, POLICY, ref, cause="c", done="d", actor=sam)
    hear()
    ticket = page(store, ref).ticket
    assert (ticket.status, ticket.promise.number) == (Status.ACKNOWLEDGED, 2)
    assert not ticket.promise.is_answered
    do(store, actions.close, ref, outcome=Outcome.NOT_AN_ISSUE, reason="r", actor=sam)
    with pytest.raises(Conflict, match="is closed"):
        hear()


@on_sqlite
def test_after_ten_support_days_a_resolution_stands(store: Store, sam: Actor) -> None:
    ref = answered(store, sam)
    do(store, actions.resolve, POLICY, ref, cause="c", done="d", actor=sam)
    reopen = partial(do, store, actions.reopen, POLICY, ref, reason="Again", actor=sam)
    with pytest.raises(ActionRefused, match="within 10 support days, until Tue 17 Mar 2026 10:20"):
        reopen(at=SOON + timedelta(days=14, seconds=1))
    reopen(at=SOON + timedelta(days=14))
    assert page(store, ref).ticket.status is Status.ACKNOWLEDGED


# Merging and linking


def test_a_duplicate_is_closed_linked_and_told_once_and_gives_its_deadline(
    store: Store, sam: Actor
) -> None:
    first = asked(store, sam, at=OPENED - timedelta(hours=1), title="First")
    second = asked(store, sam, title="Second", requester=Requester("Dan", "dan@harbour.test"))
    do(store, relations.merge, POLICY, first, into=second, actor=sam)
    duplicate, survivor = page(store, first), page(store, second)
    assert (duplicate.ticket.status, duplicate.ticket.outcome) == (
        Status.CLOSED,
        Outcome.DUPLICATE,
    )
    assert duplicate.ticket.merged_into == second
    assert survivor.ticket.promise.respond_by == duplicate.ticket.promise.respond_by
    assert told(store, Notice.MERGED) == [CARLA.address]
    assert [entry.action for entry in survivor.entries] == [Action.OPEN, Action.ABSORB]
    (link,) = work_of(store, first).links
    assert (link.reference, link.kind, link.is_survivor) == (second, LinkKind.DUPLICATE, True)
    do(store, actions.reply, POLICY, second, text="Hello", outlook=NOTHING_KNOWN, actor=sam)
    assert told(store, Notice.REPLY) == [CARLA.address, "dan@harbour.test"]


@on_sqlite
def test_a_ticket_is_not_merged_into_itself_a_closed_one_or_another_clients(
    store: Store, sam: Actor
) -> None:
    ref, closed = asked(store, sam), asked(store, sam)
    foreign = asked(store, sam, client="moss")
    do(store, actions.close, closed, outcome=Outcome.NOT_AN_ISSUE, reason="r", actor=sam)
    before = page(store, ref)
    for into, error, sentence in (
        (ref, Refused, f"{ref} cannot be merged into itself: name another ticket"),
        (closed, ActionRefused, f"{closed} is closed: {ref} cannot be merged into it"),
        (foreign, Refused, "is of the client Harbour Inns, the other of Moss Theatre"),
        ("T-4711", NotFound, "there is no ticket"),
        ("", NotFound, "there is no ticket"),
    ):
        with pytest.raises(error, match=sentence):
            do(store, relations.merge, POLICY, ref, into=into, actor=sam)
    with pytest.raises(ActionRefused, match=f"{closed} is closed: 'merge' is possible only"):
        do(store, relations.merge, POLICY, closed, into=ref, actor=sam)
    assert page(store, ref) == before


def test_linked_tickets_show_each_other_and_are_linked_once(store: Store, sam: Actor) -> None:
    first, second = asked(store, sam), asked(store, sam)
    do(store, relations.link, first, other=second, actor=sam)
    for one, other in ((first, second), (second, first)):
        assert [link.reference for link in work_of(store, one).links] == [other]
        assert page(store, one).entries[-1].action is Action.LINK
    with pytest.raises(Refused, match="are linked already"):
        do(store, relations.link, second, other=first, actor=sam)
    with pytest.raises(Refused, match="cannot be linked to itself"):
        do(store, relations.link, first, other=first, actor=sam)
    do(store, relations.merge, POLICY, first, into=second, actor=sam)
    assert [link.kind for link in work_of(store, second).links] == [LinkKind.DUPLICATE]


# Time spent


def log(
    store: Store, ref: str, actor: Actor, minutes: int, on: date, *, policy: Policy = POLICY
) -> None:
    work = Work(minutes=minutes, worked_on=on, text="Cropped the picture")
    do(store, time_spent.log_time, policy, ref, work=work, actor=actor)


def test_the_lead_is_told_at_80_and_100_per_cent_once_a_month(store: Store, sam: Actor) -> None:
    policy = the_policy(Allowance(per_month=timedelta(hours=5)))
    ref = asked(store, sam)
    today = SOON.date()
    spend = partial(log, store, ref, sam, policy=policy)
    shares = list[int]()
    for minutes in (239, 1, 30, 60, 60):
        spend(minutes, today)
        facts = store.read(
            lambda tx: tx.exec(
                select(MessageRow.facts).where(MessageRow.notice == Notice.ALLOWANCE)
            ).all()
        )
        shares.append(len(facts))
    assert shares == [0, 1, 1, 2, 2]
    assert told(store, Notice.ALLOWANCE) == [LEAD.address, LEAD.address]
    spend(300, date(2026, 2, 27))  # the month before has a count of its own
    assert len(told(store, Notice.ALLOWANCE)) == 3
    shown = work_of(store, ref, today)
    assert (shown.spent, shown.month) == (timedelta(minutes=690), timedelta(minutes=390))


@pytest.mark.parametrize("counts", [True, False])
@on_sqlite
def test_incidents_of_the_monitor_count_only_if_the_client_agreed(
    store: Store, sam: Actor, counts: bool
) -> None:
    policy = the_policy(Allowance(per_month=timedelta(hours=1), counts_incidents=counts))
    ref = opened(store, policy, at=OPENED)
    log(store, ref, sam, 60, SOON.date(), policy=policy)
    assert told(store, Notice.ALLOWANCE) == ([LEAD.address] if counts else [])
    shown = work_of(store, ref, SOON.date())
    assert (shown.spent, shown.month) == (
        timedelta(hours=1),
        timedelta(hours=1) if counts else timedelta(),
    )


@pytest.mark.parametrize(
    ("minutes", "on", "sentence"),
    [
        (0, date(2026, 3, 3), "the minutes are 0: allowed are 1 to 1440"),
        (1441, date(2026, 3, 3), "allowed are 1 to 1440"),
        (10, date(2026, 3, 4), "the date of the work is Wed 4 Mar 2026: allowed are"),
        (10, date(2024, 3, 3), "allowed are Sun 2 Mar 2025 to Tue 3 Mar 2026"),
    ],
)
@on_sqlite
def test_time_is_logged_in_whole_minutes_of_a_date_that_has_been(
    store: Store, sam: Actor, minutes: int, on: date, sentence: str
) -> None:
    ref = asked(store, sam)
    with pytest.raises(Refused, match=sentence):
        log(store, ref, sam, minutes, on)


# Outcomes, history


@on_sqlite
def test_the_outcome_of_the_resolution_is_that_of_the_closed_ticket(
    store: Store, sam: Actor
) -> None:
    ref = answered(store, sam)
    resolve = partial(do, store, actions.resolve, POLICY, ref, cause="c", done="d", actor=sam)
    with pytest.raises(Refused, match="merge a duplicate instead"):
        resolve(outcome=Outcome.DUPLICATE)
    resolve(outcome=Outcome.ANSWERED)
    do(store, actions.close, ref, actor=sam)
    assert page(store, ref).ticket.outcome is Outcome.ANSWERED


def test_entries_can_be_neither_changed_nor_deleted(store: Store, sam: Actor) -> None:
    asked(store, sam)
    for statement in ("UPDATE entry SET text = 'other'", "DELETE FROM entry"):
        with pytest.raises(DBAPIError, match="never changed or deleted"):
            store.write(lambda tx, sql=statement: tx.connection().execute(sa.text(sql)))


@on_sqlite
def test_every_change_shows_what_changed_since_a_stale_version(store: Store, sam: Actor) -> None:
    ref = answered(store, sam)
    other = asked(store, sam)
    for action, how in (
        (triage.set_priority, {"priority": Priority.LOW, "reason": "r"}),
        (triage.assign, {"assignee_id": None}),
        (waiting.wait, {"question": "q", "resume_on": date(2026, 3, 6)}),
        (relations.merge, {"into": other}),
    ):
        with pytest.raises(Conflict, match=r"has changed since you read it \(Sam Reed: reply\)"):
            do(store, action, POLICY, ref, **how, actor=sam, version=1)
