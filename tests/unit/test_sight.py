"""A location is blind when whole cycles bring next to nothing, and staff hear of it once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from monitor.rules.observation import Cause
from monitor.rules.sight import Change, Sight, Tally, look_back

START = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)


def a_tally(watched: int, unwatched: int, *, minute: int = 0, long_unseen: int = 0) -> Tally:
    tally = Tally(watched=watched, long_unseen=long_unseen)
    for _ in range(unwatched):
        tally.unwatch(Cause.OWN_NETWORK, at=START + timedelta(minutes=minute))
    return tally


def changes(*tallies: Tally) -> Sequence[Change | None]:
    sight, heard = Sight(), list[Change | None]()
    for tally in tallies:
        sight, change = look_back(sight, tally)
        heard.append(change)
        if change is Change.SIGHTED:
            sight = Sight()
    return heard


def test_two_blind_cycles_are_told_once_and_so_is_their_end() -> None:
    blind, well = a_tally(0, 100), a_tally(100, 0)
    assert changes(well, blind, blind, blind, blind, well, well) == [
        None, None, Change.BLIND, None, None, Change.SIGHTED, None,
    ]  # fmt: skip


def test_one_blind_cycle_is_no_news() -> None:
    blind, well = a_tally(0, 100), a_tally(100, 0)
    assert changes(blind, well, blind, well) == [None] * 4


@pytest.mark.parametrize(("unwatched", "is_blind"), [(30, False), (31, True)])
def test_a_large_share_is_needed(unwatched: int, is_blind: bool) -> None:
    heard = changes(*[a_tally(100 - unwatched, unwatched)] * 2)
    assert (heard[-1] is Change.BLIND) is is_blind


def test_sight_returns_only_when_nearly_all_is_seen() -> None:
    blind, half, well = a_tally(0, 100), a_tally(80, 20), a_tally(95, 5)
    assert changes(blind, blind, half, half, well)[2:] == [None, None, Change.SIGHTED]


def test_cycles_without_a_probe_tell_nothing() -> None:
    assert changes(a_tally(0, 9), Tally(), Tally(), a_tally(0, 9))[-1] is Change.BLIND


def test_a_single_site_that_is_not_seen_for_long_is_told_too() -> None:
    lasting = a_tally(99, 1, long_unseen=1)
    assert changes(lasting, lasting, lasting, a_tally(100, 0)) == [
        None, Change.BLIND, None, Change.SIGHTED,
    ]  # fmt: skip


def test_missed_slots_are_named_only_where_nothing_else_explains_them() -> None:
    tally = a_tally(0, 1)
    tally.unwatch(Cause.MISSED, at=START, slots=90)
    sight, _ = look_back(Sight(), tally)
    assert sight.cause is Cause.OWN_NETWORK
    alone = Tally()
    alone.unwatch(Cause.MISSED, at=START)
    sight, _ = look_back(Sight(), alone)
    assert sight.cause is Cause.MISSED


def test_the_run_holds_its_start_its_first_cause_and_all_its_slots() -> None:
    sight, _ = look_back(Sight(), a_tally(0, 40, minute=1))
    stalled = Tally()
    stalled.unwatch(Cause.OWN_STALL, at=START + timedelta(minutes=2), slots=50)
    sight, _ = look_back(sight, stalled)
    sight, change = look_back(sight, a_tally(99, 1, minute=3))
    assert change is Change.SIGHTED
    assert (sight.since, sight.cause) == (START + timedelta(minutes=1), Cause.OWN_NETWORK)
    assert sight.unwatched == 91
