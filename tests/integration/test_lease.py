"""One active prober per location; one that was overtaken may not record anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitor import lease
from tickets.store import Store

START = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)


def acquire(store: Store, holder: str, now: datetime = START) -> int | None:
    return store.write(lambda tx: lease.acquire(tx, location="main", holder=holder, now=now))


def renew(store: Store, fence: int, now: datetime) -> None:
    store.write(
        lambda tx: lease.renew(
            tx, location="main", fence=fence, now=now, ticked_at=now, figures={"due": 0}
        )
    )


def test_a_second_prober_waits_while_the_first_renews(store: Store) -> None:
    fence = acquire(store, "a") or 0
    assert fence == 1
    for seconds in range(0, 60, 5):
        now = START + timedelta(seconds=seconds)
        renew(store, fence, now)
        assert acquire(store, "b", now) is None


def test_a_prober_that_fell_silent_is_succeeded_and_refused_afterwards(store: Store) -> None:
    first = acquire(store, "a")
    assert first is not None
    later = START + lease.LEASE
    second = acquire(store, "b", later) or 0
    assert second == first + 1
    with pytest.raises(lease.LeaseLost, match="main"):
        renew(store, first, later)
    with pytest.raises(lease.LeaseLost):
        store.write(lambda tx: lease.check(tx, location="main", fence=first))
    renew(store, second, later)


def test_the_same_supervisor_takes_over_at_once_and_outdates_its_dead_child(store: Store) -> None:
    first = acquire(store, "a")
    second = acquire(store, "a")
    assert first is not None
    assert second == first + 1
    with pytest.raises(lease.LeaseLost):
        renew(store, first, START)


def test_a_released_lease_is_free_at_once(store: Store) -> None:
    fence = acquire(store, "a")
    assert fence is not None
    store.write(lambda tx: lease.release(tx, location="main", fence=fence, now=START))
    assert acquire(store, "b") == fence + 1
