"""Each second of a site's time is accounted for at most once, by the observation after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.readings import Document, Readings
from monitor.readings import buckets as module
from monitor.readings.buckets import ACCOUNTS, Bucket, Buckets, columns_of
from monitor.readings.latest import SITES_AT_ONCE
from monitor.rules.maintenance import DatedWindow
from monitor.rules.observation import Phases
from monitor.rules.verdict import Verdict, judge
from tests.builders import a_site, an_observation
from tickets.errors import Unavailable

START = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
UP, DOWN, UNKNOWN = Verdict.UP, Verdict.DOWN, Verdict.UNKNOWN

Seen = tuple[float, Verdict]


def fold(
    *seen: Seen, interval: float = 60, windows: Sequence[DatedWindow] = (), duration: float = 0.41
) -> Sequence[Bucket]:
    buckets = Buckets()
    site = replace(a_site("one", interval=interval), maintenance=tuple(windows))
    buckets.watch(site, seen_at=None, now=START)
    for after, verdict in seen:
        at = START + timedelta(seconds=after)
        buckets.observe("one", an_observation(started_at=at, duration=duration), verdict)
    return buckets.take()


def total(buckets: Sequence[Bucket], name: str) -> float:
    return round(sum(dict(columns_of(bucket))[name] for bucket in buckets), 3)


def accounts(buckets: Sequence[Bucket]) -> dict[str, float]:
    totals = {name: total(buckets, f"{name}_seconds") for name in ACCOUNTS}
    return {name: seconds for name, seconds in totals.items() if seconds}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param([(60, UP), (120, UP)], {"up": 120}, id="slot after slot"),
        pytest.param(
            [(60, UP), (120, DOWN), (130, DOWN), (140, DOWN), (180, UP)],
            {"up": 100, "down": 80},
            id="quick looks weigh no more than slots",
        ),
        pytest.param([(60, UP), (124, UP), (183, UP)], {"up": 183}, id="probes that start late"),
        pytest.param([(60, UP), (360, UP)], {"up": 120}, id="a gap belongs to nobody"),
        pytest.param([(60, UP), (120, UNKNOWN)], {"up": 60, "unknown": 60}, id="own fault"),
        pytest.param([(60, UP), (60 - 3600, UP), (70, UP)], {"up": 70}, id="clock set back"),
        pytest.param([(60, UP), (60 + 3600, UP)], {"up": 120}, id="clock set forward"),
        pytest.param(
            [(60 + 200_000, UP), (60, UP), (120, UP)], {"up": 120}, id="clock was days ahead"
        ),
    ],
)
def test_each_observation_accounts_for_the_time_before_it(
    seen: list[Seen], expected: dict[str, float]
) -> None:
    assert accounts(fold(*seen)) == expected


@given(
    st.lists(
        st.tuples(st.floats(min_value=-100, max_value=400), st.sampled_from(list(Verdict))),
        max_size=40,
    )
)
def test_no_bucket_accounts_for_more_than_its_length(steps: list[Seen]) -> None:
    at, seen = 0.0, list[Seen]()
    for step, verdict in steps:
        at += step
        seen.append((at, verdict))
    for bucket in fold(*seen):
        assert sum(accounts([bucket]).values()) <= 300.001


def test_time_is_split_where_a_bucket_ends() -> None:
    first, second = fold((290, UP), (350, DOWN), interval=300)
    assert (accounts([first]), accounts([second])) == ({"up": 290, "down": 10}, {"down": 50})


def test_within_maintenance_nothing_is_up_or_down() -> None:
    window = DatedWindow(start=START + timedelta(seconds=90), end=START + timedelta(seconds=200))
    buckets = fold((60, UP), (120, DOWN), (180, DOWN), (240, UP), windows=[window])
    assert accounts(buckets) == {"up": 120, "maintenance": 120}
    assert total(buckets, "down_count") == 0
    assert total(buckets, "maintenance_count") == 2


def test_only_good_answers_are_timed() -> None:
    buckets = Buckets()
    buckets.watch(a_site("one"), seen_at=None, now=START)
    for after, duration, verdict in ((60, 0.41, UP), (120, 4.2, Verdict.SLOW), (180, 9.9, DOWN)):
        seen = an_observation(started_at=START + timedelta(seconds=after), duration=duration)
        phases = Phases(resolve=0.0004, processing=duration)
        buckets.observe("one", replace(seen, phases=phases), verdict)
    (bucket,) = buckets.take()
    values = dict(columns_of(bucket))
    assert (values["latency_6"], values["latency_12"]) == (1, 1)
    assert values["total_seconds"] == pytest.approx(4.61)
    assert values["slowest_seconds"] == pytest.approx(4.2)
    assert values["resolve_seconds"] == pytest.approx(0.0008)


def test_a_restart_goes_on_where_the_last_run_ended() -> None:
    for away, expected in ((20, 60.0), (7200, 40.0)):
        buckets = Buckets()
        now = START + timedelta(seconds=away)
        buckets.watch(a_site("one"), seen_at=START, now=now)
        buckets.observe("one", an_observation(started_at=now + timedelta(seconds=40)), UP)
        assert accounts(buckets.take()) == {"up": expected}


def test_missed_slots_are_counted_and_account_for_no_time() -> None:
    buckets = Buckets()
    buckets.watch(a_site("one"), seen_at=None, now=START)
    buckets.miss("one", 3)
    buckets.miss("another", 3)
    taken = buckets.take()
    assert total(taken, "missed_count") == 3
    assert accounts(taken) == {}


def test_what_could_not_be_written_is_kept_and_added_to() -> None:
    buckets = Buckets()
    buckets.watch(a_site("one"), seen_at=None, now=START)
    buckets.observe("one", an_observation(started_at=START + timedelta(seconds=60)), UP)
    unwritten = buckets.take()
    buckets.observe(
        "one", an_observation(started_at=START + timedelta(seconds=120), duration=2.5), UP
    )
    buckets.put_back(unwritten)
    (bucket,) = buckets.take()
    values = dict(columns_of(bucket))
    assert (values["up_count"], values["up_seconds"], values["slowest_seconds"]) == (2, 120, 2.5)
    assert buckets.take() == []


def test_memory_is_bounded_while_the_store_is_away() -> None:
    buckets, empty = Buckets(), [0.0] * len(module.COLUMNS)
    many = module.MOST_KEPT + 7
    buckets.put_back(Bucket(300 * (n // 1000), f"site-{n % 1000}", empty) for n in range(many))
    kept = buckets.take()
    assert (len(kept), buckets.dropped) == (module.MOST_KEPT, 7)
    assert kept[-1].starts_at == 300 * (many // 1000)
    buckets.put_back([Bucket(0, "one", empty), Bucket(86_700, "one", empty)])
    assert [bucket.starts_at for bucket in buckets.take()] == [86_700]


async def test_a_flush_that_fails_half_way_writes_the_rest_later_and_nothing_twice() -> None:
    readings = Readings("main")
    slugs = [f"site-{n:04}" for n in range(SITES_AT_ONCE + 5)]
    for slug in slugs:
        site = a_site(slug)
        readings.buckets.watch(site, seen_at=None, now=START)
        seen = an_observation(started_at=START + timedelta(seconds=60))
        readings.add(slug, seen, judge(seen, slow_after=site.slow_after), ended_at=START)
    written: list[tuple[str, str]] = []
    is_away = [False, True]

    async def write(changes: list[Document], buckets: Sequence[Bucket]) -> None:
        if is_away and is_away.pop(0):
            raise Unavailable("the store does not answer")
        seen = [change["the_site"] for change in changes]
        written.extend(zip(seen, [bucket.site for bucket in buckets], strict=True))

    with pytest.raises(Unavailable):
        await readings.flush_all(write)
    assert len(written) == SITES_AT_ONCE
    await readings.flush_all(write)
    await readings.flush_all(write)
    assert written == [(slug, slug) for slug in slugs]
