"""Duty hears of what is not critical twice a day, and staff of the rest when support is open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from tests.builders import DUTY, a_policy
from tests.outbox import rows
from tickets.accounts import PasswordHash, add_staff
from tickets.actions import acknowledge, reopen, resolve
from tickets.digests import tell_digest
from tickets.history import Actor
from tickets.letters import Letters
from tickets.opening import NewRequest, Requester, open_request
from tickets.outbox_sweep import sweep_outbox
from tickets.rules.digest import last_digest
from tickets.rules.message import HoldReason
from tickets.rules.notice import Audience, Notice
from tickets.rules.staff import Role
from tickets.rules.ticket import Category, Priority, Source
from tickets.store import Store
from tickets.tables import MessageRow

POLICY = a_policy()
FORM = Actor("request form")


def at(text: str) -> datetime:
    """Return an instant of 2026, as ``03-03 10:00`` UTC, which is London's winter time."""
    return datetime.strptime(f"2026-{text} +0000", "%Y-%m-%d %H:%M %z").astimezone(UTC)


def ask(
    store: Store,
    when: str,
    *,
    title: str = "A new picture",
    priority: Priority = Priority.NORMAL,
    actor: Actor = FORM,
) -> str:
    new = NewRequest(
        client="harbour",
        priority=priority,
        category=Category.CONTENT_CHANGE,
        title=title,
        text="Please put it on the front page",
        requester=Requester("Carla Lund", "carla@harbour.test"),
        source=Source.PORTAL,
    )
    row = store.write(lambda tx: open_request(tx, POLICY, new, actor=actor, at=at(when)))
    return f"T-{1000 + (row.id or 0)}"


def digest(store: Store, when: str) -> int:
    return store.write(lambda tx: tell_digest(tx, POLICY, at=at(when)))


def digests(store: Store) -> Sequence[MessageRow]:
    return [row for row in rows(store) if row.notice is Notice.DIGEST]


def listed(message: MessageRow) -> list[str]:
    return [line["reference"] for line in message.facts["lines"]]


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("03-03 08:59", "03-02 13:00"),
        ("03-03 09:00", "03-03 09:00"),
        ("03-03 12:59", "03-03 09:00"),
        ("03-03 13:00", "03-03 13:00"),
        ("03-07 12:00", "03-06 13:00"),  # a Saturday
        ("04-06 10:00", "04-02 12:00"),  # Easter Monday, after Good Friday, in summer time
        ("04-07 08:00", "04-07 08:00"),
        ("12-31 10:00", "12-23 13:00"),  # the Christmas closure
    ],
)
def test_a_digest_is_due_at_nine_and_at_one_on_support_days(now: str, due: str) -> None:
    assert last_digest(POLICY.hours, at(now)) == at(due)


def test_requests_are_told_in_one_digest_each_and_critical_ones_at_once(store: Store) -> None:
    first = ask(store, "03-02 17:30")
    second = ask(store, "03-03 08:50", title="Another", priority=Priority.LOW)
    critical = ask(store, "03-03 08:55", priority=Priority.CRITICAL)
    told = [row for row in rows(store) if row.audience is Audience.STAFF]
    assert [(row.notice, row.address, row.ticket_id) for row in told] == [
        (Notice.RECEIVED, DUTY.address, int(critical[2:]) - 1000)
    ]
    ask(store, "03-03 09:01")
    assert digest(store, "03-03 09:02") == 2
    assert digest(store, "03-03 09:02") == 0
    [message] = digests(store)
    assert (message.address, listed(message)) == (DUTY.address, [first, second])
    letter = Letters().write(message.notice, message.audience, message.facts)
    assert letter.subject.startswith("New requests: 2 at 09:00 GMT, first answer by Wed 4 Mar")
    assert f"{second} Harbour Inns: Another\n  low, respond by" in letter.text
    assert digest(store, "03-03 13:00") == 1


def test_what_somebody_took_up_meanwhile_and_an_empty_hour_make_no_digest(store: Store) -> None:
    ref = ask(store, "03-03 09:30")
    sam = Actor("Sam Okafor")
    store.write(lambda tx: acknowledge(tx, POLICY, ref, actor=sam, at=at("03-03 10:00")))
    assert digest(store, "03-03 13:00") == 0
    assert digests(store) == []


def test_a_service_that_was_away_tells_once_of_all_that_came_meanwhile(store: Store) -> None:
    refs = [ask(store, when) for when in ("03-03 12:00", "03-04 12:00", "03-05 08:00")]
    assert digest(store, "03-05 10:00") == 3
    [message] = digests(store)
    assert listed(message) == refs


def test_what_came_in_time_but_was_stored_after_the_digest_has_one_of_its_own(
    sqlite_store: Store,
) -> None:
    first = ask(sqlite_store, "03-03 08:50")
    assert digest(sqlite_store, "03-03 09:00") == 1
    late = ask(sqlite_store, "03-03 08:59")
    assert digest(sqlite_store, "03-03 09:00") == 1
    assert digest(sqlite_store, "03-03 09:01") == 0
    assert [listed(message) for message in digests(sqlite_store)] == [[first], [late]]


def test_who_opened_a_ticket_is_not_told_of_it(store: Store) -> None:
    row = store.write(
        lambda tx: add_staff(
            tx,
            email=DUTY.address,
            name="Sam Okafor",
            role=Role.STAFF,
            password_hash=PasswordHash("$argon2id$none"),
            at=at("03-02 09:00"),
        )
    )
    ask(store, "03-03 10:00", actor=Actor("Sam Okafor", staff_id=row.id, address=DUTY.address))
    assert digest(store, "03-03 13:00") == 1
    assert digests(store) == []


async def test_the_sweep_tells_the_digest(store: Store) -> None:
    ask(store, "03-03 10:00")
    for when in ("03-03 12:59", "03-03 13:00", "03-03 13:01"):
        await sweep_outbox(store, POLICY, now=at(when))
    assert [row.written_at for row in digests(store)] == [at("03-03 13:00")]


@pytest.mark.parametrize(
    ("priority", "when", "held_until"),
    [
        (Priority.NORMAL, "03-03 11:00", None),
        (Priority.NORMAL, "03-06 18:00", "03-09 09:00"),
        (Priority.CRITICAL, "03-06 18:00", None),
    ],
)
def test_staff_hear_out_of_hours_of_what_is_critical_only(
    store: Store, priority: Priority, when: str, held_until: str | None
) -> None:
    ref = ask(store, "03-03 10:00", priority=priority)
    sam = Actor("Sam Okafor")
    resolved = at("03-03 10:30")
    store.write(
        lambda tx: resolve(tx, POLICY, ref, cause="Old", done="New", actor=sam, at=resolved)
    )
    store.write(
        lambda tx: reopen(tx, POLICY, ref, reason="Still old", actor=Actor("Carla"), at=at(when))
    )
    reopened = {row.audience: row for row in rows(store) if row.notice is Notice.REOPENED}
    assert reopened[Audience.CLIENT].not_before == at(when)
    staff = reopened[Audience.STAFF]
    assert staff.not_before == at(held_until or when)
    assert staff.held_for is (HoldReason.SUPPORT_HOURS if held_until else None)
