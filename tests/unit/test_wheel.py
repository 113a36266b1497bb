"""Each site is due once an interval, at the same second after every restart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.rules.wheel import Wheel, slot_of
from tests.builders import a_site


def test_each_site_is_due_exactly_once_in_every_interval() -> None:
    sites = [a_site(f"site-{number}", interval=30) for number in range(200)]
    wheel = Wheel(sites)
    due = [site.slug for second in range(60, 90) for site in wheel.due(second, second + 1)[0]]
    assert sorted(due) == sorted(site.slug for site in sites)


def test_slots_are_spread_over_the_interval() -> None:
    wheel = Wheel(a_site(f"site-{number}", interval=60) for number in range(6000))
    loads = [len(wheel.due(second, second + 1)[0]) for second in range(60)]
    assert max(loads) < 2 * 6000 / 60


def test_a_restart_finds_the_same_slots() -> None:
    sites = [a_site(f"site-{number}", interval=60) for number in range(50)]
    first, _ = Wheel(sites).due(1000, 1020)
    second, _ = Wheel(reversed(sites)).due(1000, 1020)
    assert {site.slug for site in first} == {site.slug for site in second} != set()


def test_what_came_up_more_than_once_while_nobody_looked_is_due_once_and_missed_otherwise() -> None:
    sites = [a_site("quick", interval=10), a_site("slow", interval=600)]
    slot = slot_of("quick", 10)
    due, missed = Wheel(sites).due(slot, slot + 100)
    assert [site.slug for site in due].count("quick") == 1
    assert missed == 9


@given(
    st.lists(st.integers(1, 120), min_size=1, max_size=20),
    st.lists(st.integers(0, 300), min_size=1, max_size=20),
)
def test_due_and_missed_together_are_all_slots(intervals: list[int], steps: list[int]) -> None:
    sites = [a_site(f"s{number}", interval=each) for number, each in enumerate(intervals)]
    wheel, position, found = Wheel(sites), 1_000_000, 0
    for step in steps:
        due, missed = wheel.due(position, position + step)
        found += len(due) + missed
        position += step
    expected = sum(
        _turns(position, slot_of(site.slug, each), each)
        - _turns(1_000_000, slot_of(site.slug, each), each)
        for site, each in zip(sites, intervals, strict=True)
    )
    assert found == expected


def _turns(position: int, slot: int, interval: int) -> int:
    return (position - slot) // interval
