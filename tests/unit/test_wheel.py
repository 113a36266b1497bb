"""Each site is due once an interval, at the same second after every restart."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from monitor.rules.wheel import LATE_SECONDS, STEPS, Wheel, slot_of, step_of
from tests.builders import a_site


def due_at(wheel: Wheel, second: int) -> list[str]:
    return [site.slug for site in wheel.turn(second - 1, second).due]


def test_each_site_is_due_exactly_once_in_every_interval() -> None:
    sites = [a_site(f"site-{number}", interval=30) for number in range(200)]
    wheel = Wheel(sites)
    due = [slug for second in range(61, 91) for slug in due_at(wheel, second)]
    assert sorted(due) == sorted(site.slug for site in sites)


def test_slots_are_spread_over_the_interval_and_steps_over_each_second() -> None:
    slugs = [f"site-{number}" for number in range(6000)]
    wheel = Wheel(a_site(slug, interval=60) for slug in slugs)
    loads = [len(due_at(wheel, second)) for second in range(60)]
    assert max(loads) < 1.5 * 6000 / 60
    starts = Counter((slot_of(slug, 60), step_of(slug)) for slug in slugs)
    assert len(starts) > 0.95 * 60 * STEPS
    assert max(starts.values()) < 4 * 6000 / 60 / STEPS


def test_a_restart_finds_the_same_slots() -> None:
    sites = [a_site(f"site-{number}", interval=60) for number in range(50)]
    first, second = Wheel(sites), Wheel(reversed(sites))
    for position in range(1000, 1060):
        assert sorted(due_at(first, position)) == sorted(due_at(second, position))


def test_slots_that_went_by_unseen_are_missed_and_do_not_bunch_afterwards() -> None:
    sites = [a_site(f"site-{number}", interval=60) for number in range(600)]
    turn = Wheel(sites).turn(1000, 1060)
    assert len(turn.due) < 600 / 60 * LATE_SECONDS * 2
    assert sum(slots for _, slots in turn.missed) == 600 - len(turn.due)


def test_what_came_up_more_than_once_while_nobody_looked_is_due_once_and_missed_otherwise() -> None:
    sites = [a_site("quick", interval=10), a_site("slow", interval=600)]
    slot = slot_of("quick", 10)
    turn = Wheel(sites).turn(slot, slot + 100)
    assert [site.slug for site in turn.due].count("quick") == 1
    assert [slots for site, slots in turn.missed if site.slug == "quick"] == [9]


@given(
    st.lists(st.integers(1, 120), min_size=1, max_size=20),
    st.lists(st.integers(0, 300), min_size=1, max_size=20),
)
def test_due_and_missed_together_are_all_slots(intervals: list[int], steps: list[int]) -> None:
    sites = [a_site(f"s{number}", interval=each) for number, each in enumerate(intervals)]
    wheel, position, found = Wheel(sites), 1_000_000, 0
    for step in steps:
        turn = wheel.turn(position, position + step)
        found += len(turn.due) + sum(slots for _, slots in turn.missed)
        position += step
    expected = sum(
        _turns(position, slot_of(site.slug, each), each)
        - _turns(1_000_000, slot_of(site.slug, each), each)
        for site, each in zip(sites, intervals, strict=True)
    )
    assert found == expected


def _turns(position: int, slot: int, interval: int) -> int:
    return (position - slot) // interval
