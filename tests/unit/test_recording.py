"""Transitions that wait for the store share a transaction, and one that fails fails alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar, cast

import pytest
from sqlmodel import Session

from monitor.ledger import Confirmed
from monitor.roles.recording import MOST, Recorder
from monitor.tables import IncidentRow
from tickets.errors import Unavailable

Result = TypeVar("Result")


class FakeStore:
    """Commits what it is given, one transaction at a time, unless it is away."""

    def __init__(self) -> None:
        self.transactions: list[list[str]] = []
        self.is_away = False
        self._tx: list[str] = []

    async def awrite(self, work: Callable[[Session], Result], /) -> Result:
        await asyncio.sleep(0)
        if self.is_away:
            raise Unavailable("the store does not answer")
        self._tx = []
        result = work(cast(Session, None))
        self.transactions.append(self._tx)
        return result

    def record_in(self, tx: Session, confirmed: Confirmed) -> IncidentRow | None:
        if confirmed == "poison":
            raise ValueError("a fault of ours")
        self._tx.append(cast(str, confirmed))
        return None


async def record(store: FakeStore, *names: str) -> list[object]:
    recorder = Recorder(store.awrite, store.record_in)
    waiting = [recorder.record(cast(Confirmed, name)) for name in names]
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    await recorder.aclose()
    return list(outcomes)


async def test_many_share_few_transactions_and_keep_their_order() -> None:
    store = FakeStore()
    names = [str(number) for number in range(2 * MOST)]
    assert await record(store, *names) == [None] * len(names)
    assert [name for written in store.transactions for name in written] == names
    assert len(store.transactions) <= 3


async def test_one_that_cannot_be_recorded_fails_alone() -> None:
    store = FakeStore()
    first, poison, last = await record(store, "first", "poison", "last")
    assert (first, last) == (None, None)
    assert isinstance(poison, ValueError)
    assert [name for written in store.transactions for name in written] == ["first", "last"]


async def test_while_the_store_is_away_each_hears_so() -> None:
    store = FakeStore()
    store.is_away = True
    assert [type(each) for each in await record(store, "a", "b")] == [Unavailable] * 2


async def test_one_who_gives_up_is_recorded_all_the_same() -> None:
    store = FakeStore()
    recorder = Recorder(store.awrite, store.record_in)
    task = asyncio.create_task(recorder.record(cast(Confirmed, "a")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await recorder.aclose()
    assert store.transactions == [["a"]]
