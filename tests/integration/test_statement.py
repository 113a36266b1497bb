"""The figures of a monthly statement, each recomputed by hand from what was seeded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import col

from monitor.readings import Readings, store_changes
from monitor.readings.keeping import Retention, keep_readings
from monitor.rules.maintenance import DatedWindow
from monitor.rules.month import Month, parse_month
from monitor.rules.observation import Certificate
from monitor.rules.reading import Span
from monitor.rules.uptime import Uptime
from monitor.rules.verdict import Verdict, judge
from monitor.statement.figures import Kept, Statement
from monitor.statement.reading import read_statement
from monitor.tables import ReadingRow
from tests.builders import LONDON, a_policy, a_site, an_observation
from tests.sites import MAIN, settle, watch
from tests.statements import STEP, seed
from tests.tickets import opened
from tickets import actions
from tickets.errors import NotFound, Refused
from tickets.history import Actor, get_ticket
from tickets.relations import merge
from tickets.rules.allowance import Allowance
from tickets.rules.staff import Role
from tickets.rules.ticket import Priority
from tickets.store import Session, Store
from tickets.tables import StaffRow
from tickets.time_spent import Work, log_time

POLICY = a_policy()
MARCH = parse_month("2026-03")
START = datetime(2026, 3, 1, tzinfo=UTC)
END = datetime(2026, 3, 31, 23, tzinfo=UTC)
"""Midnight in London, where the clock went forward on 29 March."""

READ_AT = datetime(2026, 4, 1, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
UP, SLOW, DOWN, UNKNOWN = Verdict.UP, Verdict.SLOW, Verdict.DOWN, Verdict.UNKNOWN
WINDOW = DatedWindow(
    start=datetime(2026, 3, 15, 2, tzinfo=UTC), end=datetime(2026, 3, 15, 4, tzinfo=UTC)
)

TROUBLE: Mapping[tuple[datetime, datetime], Verdict | None] = {
    (datetime(2026, 3, 3, 10, tzinfo=UTC), datetime(2026, 3, 3, 10, 45, tzinfo=UTC)): DOWN,
    (datetime(2026, 3, 5, 14, tzinfo=UTC), datetime(2026, 3, 5, 15, tzinfo=UTC)): SLOW,
    (datetime(2026, 3, 7, 3, tzinfo=UTC), datetime(2026, 3, 7, 3, 20, tzinfo=UTC)): UNKNOWN,
    (datetime(2026, 3, 9, 0, tzinfo=UTC), datetime(2026, 3, 9, 2, tzinfo=UTC)): None,
    (datetime(2026, 3, 15, 3, tzinfo=UTC), datetime(2026, 3, 15, 3, 30, tzinfo=UTC)): DOWN,
    (datetime(2026, 3, 29, 0, 30, tzinfo=UTC), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)): DOWN,
}
"""From when to when the site was not simply up; the fifth lies within its maintenance window."""


def verdict_at(at: datetime) -> Verdict | None:
    return next((how for (since, until), how in TROUBLE.items() if since < at <= until), UP)


def statement_of(store: Store, month: Month = MARCH, *, at: datetime = READ_AT) -> Statement:
    return store.read(lambda tx: read_statement(tx, POLICY, "harbour", month, at=at))


def a_member(store: Store) -> Actor:
    row = StaffRow(
        email="sam@agency.test", name="Sam Reed", role=Role.STAFF, password_hash="-",
        created_at=START,
    )  # fmt: skip
    store.write(lambda tx: tx.add(row))
    return Actor(row.name, row.id, row.email)


async def test_uptime_is_what_the_observations_add_up_to(store: Store) -> None:
    """Once from the fine buckets, once from the hours and days that remain of them."""
    site = replace(a_site(interval=300), maintenance=(WINDOW,))
    watch(store, [site], at=START)
    seen = seed(store, site, START, END, verdict_at)

    minutes: Counter[str] = Counter()
    by_date: dict[date, Counter[str]] = {}
    for one in seen:
        # Each observation speaks for the five minutes before it.
        name = "unwatched" if one.verdict is None else one.verdict.value
        if WINDOW.start <= one.at < WINDOW.end and one.verdict is not None:
            name = "maintenance"
        on = (one.at - STEP).astimezone(LONDON).date()
        minutes[name] += 5
        by_date.setdefault(on, Counter())[name] += 5
    assert minutes == {
        "up": 743 * 60 - 45 - 60 - 20 - 120 - 120 - 60,  # one hour of March was skipped
        "down": 45 + 60,
        "slow": 60,
        "unknown": 20,
        "unwatched": 120,
        "maintenance": 120,
    }

    stated = statement_of(store)
    (figures,) = stated.sites
    assert figures.uptime == Uptime(**{name: MINUTE * count for name, count in minutes.items()})
    up, slow, down = minutes["up"], minutes["slow"], minutes["down"]
    assert figures.uptime.share == pytest.approx((up + slow) / (up + slow + down))
    assert (figures.start, figures.end, figures.is_late, figures.is_early) == (
        START, END, False, False,
    )  # fmt: skip
    assert [day.on for day in figures.days] == list(MARCH.dates())
    for day in figures.days:
        assert day.uptime == Uptime(
            **{name: MINUTE * count for name, count in by_date[day.on].items()}
        )
    assert sum(by_date[date(2026, 3, 29)].values()) == 23 * 60
    assert figures.typical_seconds == pytest.approx(0.5, abs=0.1)  # 0.41 s lies in 0.4 to 0.6
    assert not stated.is_so_far

    kept = Retention(fine=timedelta(hours=1), hourly=timedelta(hours=1))
    await keep_readings(store, zone=LONDON, retention=kept, now=READ_AT + 2 * HOUR)
    within = sa.select(col(ReadingRow.span)).where(col(ReadingRow.starts_at) < END).distinct()
    assert store.read(lambda tx: tx.connection().execute(within).scalars().all()) == [Span.DAY]
    assert statement_of(store) == stated


def test_a_site_is_stated_for_as_long_as_it_was_there(store: Store) -> None:
    """One stood all the month, one came in the middle of it, one went, one came after it."""
    added_at = datetime(2026, 3, 30, 11, 30, tzinfo=UTC)  # 12:30 in London
    removed_at = datetime(2026, 3, 2, 9, tzinfo=UTC)
    old, gone = a_site("old", interval=300), a_site("gone", interval=300)
    new, later = a_site("new", interval=300), a_site("later", interval=300)
    watch(store, [old, gone], at=START - HOUR)
    watch(store, [old], at=removed_at)
    watch(store, [old, new], at=added_at)
    watch(store, [old, new, later], at=END + HOUR)
    for site, since, until in ((old, END - HOUR, END), (gone, START - HOUR, removed_at)):
        seed(store, site, since, until)
    seed(store, new, added_at, END)

    stated = {site.slug: site for site in statement_of(store).sites}
    assert list(stated) == ["gone", "old", "new"]
    assert stated["old"].uptime == Uptime(up=HOUR, unwatched=742 * HOUR)
    assert (stated["gone"].end, stated["gone"].is_early) == (removed_at, True)
    assert stated["gone"].uptime == Uptime(up=removed_at - START)
    assert (stated["new"].start, stated["new"].is_late) == (added_at, True)
    assert stated["new"].uptime == Uptime(up=END - added_at)
    seen = [day.on.day for day in stated["new"].days if day.uptime is not None]
    assert seen == [30, 31]
    half = stated["new"].days[29].uptime
    assert half == Uptime(up=timedelta(hours=11, minutes=30))


def test_the_running_month_is_stated_so_far_and_one_to_come_is_refused(store: Store) -> None:
    site = a_site(interval=300)
    watch(store, [site], at=START)
    seed(store, site, START, START + 30 * HOUR)
    stated = statement_of(store, at=START + 30 * HOUR)
    assert stated.is_so_far
    assert stated.sites[0].uptime == Uptime(up=30 * HOUR)
    assert not stated.sites[0].is_early
    assert [day.uptime is None for day in stated.sites[0].days] == [False] * 2 + [True] * 29
    with pytest.raises(Refused, match="2026-04 is still to come"):
        statement_of(store, MARCH.next, at=START + 30 * HOUR)
    with pytest.raises(NotFound, match="no client 'nobody'"):
        store.read(lambda tx: read_statement(tx, POLICY, "nobody", MARCH, at=READ_AT))


def test_a_month_before_all_readings_states_no_uptime(store: Store) -> None:
    """Nothing is known of it, which is not the same as not watched."""
    site = a_site(interval=300)
    watch(store, [site], at=START - 40 * 24 * HOUR)
    seed(store, site, START, START + HOUR)
    assert statement_of(store, MARCH.previous, at=START + HOUR).sites == []


def test_incidents_are_stated_with_the_time_that_lies_in_the_month(store: Store) -> None:
    site, other = a_site("booking"), a_site("shop", client="moss")
    watch(store, [site, other], at=START - 48 * HOUR)
    before = datetime(2026, 2, 28, 23, tzinfo=UTC)
    day = datetime(2026, 3, 3, 10, tzinfo=UTC)
    last = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)
    settle(store, other, DOWN, since=day)
    settle(store, site, DOWN, since=before - 20 * HOUR)
    settle(store, site, UP, since=before - 19 * HOUR)
    settle(store, site, DOWN, since=before)
    settle(store, site, UP, since=before + 3 * HOUR)
    settle(store, site, SLOW, since=day)
    settle(store, site, UP, since=day + 20 * MINUTE)
    settle(store, site, SLOW, since=day + 30 * MINUTE)  # a relapse
    settle(store, site, UP, since=day + 45 * MINUTE)
    settle(store, site, DOWN, since=last)

    stated = statement_of(store).incidents
    assert [(one.kind, one.started_at, one.ended_at) for one in stated] == [
        ("down", before, before + 3 * HOUR),
        ("slow", day, day + 45 * MINUTE),
        ("down", last, None),
    ]
    assert [one.within for one in stated] == [2 * HOUR, 35 * MINUTE, 30 * MINUTE]
    assert [one.duration for one in stated] == [3 * HOUR, 35 * MINUTE, READ_AT - last]
    assert [one.stretches for one in stated] == [1, 2, 1]
    assert [one.words for one in stated] == [
        "is not answering",
        "is answering much more slowly than it should",
        "is not answering",
    ]
    assert stated[0].reference == "T-1003"


def test_promises_are_stated_with_how_they_were_kept_in_support_time(store: Store) -> None:
    """Tuesday 3 March 2026; support from 09:00 to 17:00, critical within an hour of it."""
    sam = a_member(store)
    nine = datetime(2026, 3, 3, 9, tzinfo=UTC)

    def ticket(at: datetime, priority: Priority = Priority.CRITICAL) -> str:
        return opened(store, POLICY, at=at, priority=priority)

    def answer(ref: str, at: datetime) -> None:
        store.write(lambda tx: actions.acknowledge(tx, POLICY, ref, actor=sam, at=at))

    kept, edge = ticket(nine), ticket(nine + MINUTE)
    answer(kept, nine + 10 * MINUTE)
    answer(edge, nine + HOUR + MINUTE)  # at the very deadline
    late = ticket(nine + 2 * MINUTE)
    answer(late, nine + HOUR + 14 * MINUTE + timedelta(seconds=30))
    # Due at 17:00 and answered at 17:20: late by no support time at all.
    evening = ticket(nine + 7 * HOUR)
    answer(evening, nine + 8 * HOUR + 20 * MINUTE)
    # Opened at night, answered in the morning: half an hour of support time.
    night = ticket(nine + 13 * HOUR)
    answer(night, nine + 24 * HOUR + 30 * MINUTE)
    twin = ticket(nine + 25 * HOUR)
    store.write(
        lambda tx: merge(tx, POLICY, twin, into=night, actor=sam, at=nine + 25 * HOUR + MINUTE)
    )
    forgotten = ticket(datetime(2026, 3, 31, 15, tzinfo=UTC))  # 16:00 in London, due at 17:00
    running = ticket(datetime(2026, 3, 31, 15, 30, tzinfo=UTC), Priority.NORMAL)
    opened(store, POLICY, at=nine, client="moss")
    hidden = opened(store, POLICY, at=nine)  # internal: no client knows of it
    store.write(lambda tx: setattr(get_ticket(tx, hidden), "is_internal", True))
    ticket(END)  # in London this is April

    stated = statement_of(store, at=datetime(2026, 4, 1, 9, tzinfo=UTC))  # 10:00 in London
    found = {one.reference: one for one in stated.promises}
    assert list(found) == [kept, edge, late, evening, night, twin, forgotten, running]
    assert {ref: one.kept for ref, one in found.items()} == {
        kept: Kept.KEPT,
        edge: Kept.KEPT,
        late: Kept.BROKEN,
        evening: Kept.BROKEN,
        night: Kept.KEPT,
        twin: Kept.VOID,
        forgotten: Kept.BROKEN,
        running: Kept.RUNNING,
    }
    took = {kept: 10, edge: 60, late: 72.5, evening: 60, night: 30}
    assert {ref: one.took for ref, one in found.items() if one.took is not None} == {
        ref: minutes * MINUTE for ref, minutes in took.items()
    }
    late_by = {ref: one.late_by for ref, one in found.items() if one.late_by is not None}
    assert late_by == {late: 12.5 * MINUTE, evening: timedelta(), forgotten: HOUR}
    assert found[evening].late_on_clock == 20 * MINUTE
    critical, normal = stated.responses
    assert (critical.priority, normal.priority) == (Priority.CRITICAL, Priority.NORMAL)
    assert (critical.kept, critical.broken, critical.void, normal.running) == (3, 3, 1, 1)
    assert critical.median == sorted(took.values())[2] * MINUTE
    assert critical.worst == 72.5 * MINUTE
    assert (normal.median, normal.worst) == (None, None)
    assert (stated.kept, stated.judged) == (3, 6)


def test_a_ticket_that_was_reopened_states_each_of_its_promises_in_its_own_month(
    store: Store,
) -> None:
    sam = a_member(store)
    first, again = datetime(2026, 3, 30, 9, tzinfo=UTC), datetime(2026, 4, 1, 9, tzinfo=UTC)
    ref = opened(store, POLICY, at=first)

    def act(tx: Session) -> None:
        actions.resolve(
            tx, POLICY, ref, cause="A full disk", done="Emptied it", actor=sam, at=first + MINUTE
        )
        actions.reopen(tx, POLICY, ref, reason="It is back", actor=sam, at=again)

    store.write(act)
    (march,) = statement_of(store, at=again + HOUR / 2).promises
    (april,) = statement_of(store, MARCH.next, at=again + HOUR / 2).promises
    assert (march.reference, march.kept, march.is_reopened) == (ref, Kept.KEPT, False)
    assert (april.reference, april.kept, april.is_reopened) == (ref, Kept.RUNNING, True)


def test_the_allowance_counts_what_was_worked_in_the_month(store: Store) -> None:
    sam = a_member(store)
    harbour = replace(
        POLICY.clients["harbour"], allowance=Allowance(per_month=5 * HOUR, counts_incidents=True)
    )
    policy = replace(POLICY, clients={"harbour": harbour})
    ref = opened(store, policy, at=START)
    for minutes, on in ((90, date(2026, 3, 1)), (45, date(2026, 3, 31)), (60, date(2026, 4, 1))):
        work = Work(minutes=minutes, worked_on=on, text="Moved the logs")
        store.write(
            lambda tx, work=work: log_time(tx, policy, ref, work=work, actor=sam, at=READ_AT)
        )
    stated = store.read(lambda tx: read_statement(tx, policy, "harbour", MARCH, at=READ_AT))
    assert stated.allowance is not None
    assert stated.allowance.spent == 135 * MINUTE
    assert stated.allowance.allowance.per_month == 5 * HOUR
    assert statement_of(store).allowance is None


async def test_certificates_are_stated_that_expire_within_sixty_days(store: Store) -> None:
    soon, late = READ_AT + timedelta(days=60), READ_AT + timedelta(days=60, seconds=1)
    ends = {"soon": soon, "late": late, "past": READ_AT - HOUR}
    sites = {slug: a_site(slug, name=slug.title()) for slug in ends}
    watch(store, [*sites.values(), a_site("plain", name="Plain")], at=START)
    readings = Readings(MAIN)
    for slug, end in ends.items():
        certificate = Certificate(
            not_after=end + timedelta(days=300), earliest_not_after=end, subject="", issuer="",
            names=(), verified=True,
        )  # fmt: skip
        seen = replace(an_observation(), certificate=certificate)
        judgement = judge(seen, slow_after=sites[slug].slow_after)
        readings.add(slug, seen, judgement, ended_at=READ_AT)
    await readings.flush(lambda changes: store.awrite(lambda tx: store_changes(tx, changes)))
    stated = statement_of(store).certificates
    assert [(one.site, one.expires_at) for one in stated] == [
        ("Past", READ_AT - HOUR),
        ("Soon", soon),
    ]
