"""Lines that are kept from one page to the next are those that a fresh page would have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.figures import count_incidents
from monitor.rules.maintenance import DatedWindow
from monitor.rules.verdict import Verdict
from monitor.site_facts import list_site_facts
from monitor.site_lines import SiteLines
from tests.builders import a_refusal, a_site, an_observation
from tests.sites import observe, settle, watch
from tickets.store import Session, Store

START = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SITE = a_site()
OTHERS = [a_site(f"site-{n}", url=f"https://{n}.test/") for n in range(3)]


def written(store: Store, lines: SiteLines, at: datetime) -> list[bytes]:
    """Return every block as ``lines`` has it at ``at``."""

    def work(tx: Session) -> list[bytes]:
        blocks = lines.blocks(list_site_facts(tx), count_incidents(tx, edges=(60,)), at)
        return [text for _, text in blocks]

    return store.read(work)


def furnished(store: Store) -> SiteLines:
    """Watch four sites that were seen just now; return lines that have been written once."""
    watch(store, [SITE, *OTHERS], at=START)
    for site in (SITE, *OTHERS):
        observe(store, site, an_observation(), ended_at=START)
        settle(store, site, Verdict.UP, since=START)
    lines = SiteLines()
    written(store, lines, START)
    assert lines.written == 4
    return lines


def see(store: Store) -> None:
    observe(store, SITE, an_observation(duration=0.9), ended_at=START + MINUTE)


def go_down(store: Store) -> None:
    settle(store, SITE, Verdict.DOWN, since=START)


def recover(store: Store) -> None:
    settle(store, SITE, Verdict.DOWN, since=START - MINUTE)
    settle(store, SITE, Verdict.UP, since=START)


def miss(store: Store) -> None:
    observe(store, SITE, ended_at=START, missed=2)


def rename(store: Store) -> None:
    watch(store, [replace(SITE, name="Rooms"), *OTHERS], at=START)


def probe_more_often(store: Store) -> None:
    watch(store, [replace(SITE, interval=timedelta(seconds=20)), *OTHERS], at=START)


def maintain(store: Store) -> None:
    window = DatedWindow(start=START, end=START + timedelta(hours=1))
    watch(store, [replace(SITE, maintenance=(window,)), *OTHERS], at=START)


@pytest.mark.parametrize(
    "change", [see, go_down, recover, miss, rename, probe_more_often, maintain]
)
def test_what_changes_at_one_site_is_written_anew_for_it_alone(
    store: Store, change: Callable[[Store], None]
) -> None:
    lines = furnished(store)
    before = written(store, lines, START + MINUTE)
    assert lines.written == 0
    change(store)
    kept = written(store, lines, START + MINUTE)
    assert lines.written == 1
    assert kept != before
    assert kept == written(store, SiteLines(), START + MINUTE)


def test_time_alone_makes_a_probe_too_old(store: Store) -> None:
    lines = furnished(store)
    for after, expected in ((3 * MINUTE, 0), (3.001 * MINUTE, 4), (5 * MINUTE, 0)):
        kept = written(store, lines, START + after)
        assert (after, lines.written) == (after, expected)
        assert kept == written(store, SiteLines(), START + after)


def test_a_clock_that_was_set_back_makes_it_fresh_again(store: Store) -> None:
    lines = furnished(store)
    written(store, lines, START + 10 * MINUTE)
    kept = written(store, lines, START + MINUTE)
    assert kept == written(store, SiteLines(), START + MINUTE)


def test_a_maintenance_window_begins_and_ends_by_time_alone(store: Store) -> None:
    window = DatedWindow(start=START + MINUTE, end=START + 2 * MINUTE)
    site = replace(SITE, maintenance=(window,))
    watch(store, [site], at=START)
    observe(store, site, an_observation(), ended_at=START)
    settle(store, site, Verdict.UP, since=START)
    lines = SiteLines()
    states: list[bytes] = []
    for after in (0 * MINUTE, MINUTE, 2 * MINUTE):
        kept = written(store, lines, START + after)
        assert kept == written(store, SiteLines(), START + after)
        [state] = [text for text in kept if text.startswith(b"fettle_check_status_code")]
        states.append(state[-2:-1])
    assert states == [b"1", b"3", b"1"]


def test_a_second_location_is_told_of_at_every_site(store: Store) -> None:
    lines = furnished(store)
    watch(store, [SITE, *OTHERS], at=START, location="york")
    written(store, lines, START)
    observe(store, SITE, a_refusal(), ended_at=START, location="york")
    kept = written(store, lines, START)
    assert lines.written == 4
    assert kept == written(store, SiteLines(), START)
    a_day_later = START + timedelta(days=1, minutes=1)
    observe(store, SITE, an_observation(), ended_at=a_day_later)
    assert written(store, lines, a_day_later) == written(store, SiteLines(), a_day_later)


def test_a_site_that_is_gone_leaves_its_address_to_the_next(store: Store) -> None:
    twin = a_site("twin", client="inns")
    watch(store, [SITE, twin], at=START)
    lines = SiteLines()
    assert b"#twin" in b"".join(written(store, lines, START))
    watch(store, [twin], at=START)
    kept = written(store, lines, START)
    assert b"#twin" not in b"".join(kept)
    assert kept == written(store, SiteLines(), START)
    watch(store, [], at=START)
    assert set(written(store, lines, START)) == {b""}
