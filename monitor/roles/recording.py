"""Records transitions, as many as wait in one transaction, and writes what was seen beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

from sqlmodel import Session

from monitor import lease
from monitor.ledger import Confirmed
from monitor.readings import Document, store_changes
from monitor.readings.buckets import Bucket
from monitor.readings.rows import add_buckets
from monitor.tables import IncidentRow
from tickets.errors import Unavailable
from tickets.store import Store

MOST = 200
"""Transitions that one transaction holds at most, so that no other writer waits for long."""

Result = TypeVar("Result")

RecordIn = Callable[[Session, Confirmed], IncidentRow | None]
"""Records one transition in an open transaction."""


class Writes(Protocol):
    """Runs work in a write transaction of its own: ``Store.awrite``."""

    def __call__(self, work: Callable[[Session], Result], /) -> Awaitable[Result]:
        """Return what ``work`` returned, once it is committed."""
        ...


class Recorder:
    """Records transitions in the order in which they came, bound to the loop that asks.

    Ten thousand sites that are first seen up, or a host that takes a thousand down, would else wait
    for as many flushes of the disk. A transition that cannot be recorded fails alone.
    """

    def __init__(self, write: Writes, record_in: RecordIn) -> None:
        self._write = write
        self._record_in = record_in
        self._waiting: list[tuple[Confirmed, asyncio.Future[IncidentRow | None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def record(self, confirmed: Confirmed) -> IncidentRow | None:
        """Return the incident that ``confirmed`` opened, continued or ended, once it is stored.

        Raises ``Unavailable``, and whatever recording it alone raises.
        """
        recorded: asyncio.Future[IncidentRow | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((confirmed, recorded))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all(), name="recording")
        return await recorded

    async def aclose(self) -> None:
        """Wait until what was handed in is recorded or has failed."""
        if self._writing is not None:
            await self._writing

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            await self._write_batch(batch)
        self._writing = None

    async def _write_batch(
        self, batch: Sequence[tuple[Confirmed, asyncio.Future[IncidentRow | None]]]
    ) -> None:
        def record_all(tx: Session) -> Sequence[IncidentRow | None]:
            return [self._record_in(tx, confirmed) for confirmed, _ in batch]

        [outcome] = await asyncio.gather(self._write(record_all), return_exceptions=True)
        if not isinstance(outcome, BaseException):
            for (_, recorded), incident in zip(batch, outcome, strict=True):
                if not recorded.done():
                    recorded.set_result(incident)
        elif len(batch) == 1 or isinstance(outcome, Unavailable):
            for _, recorded in batch:
                if not recorded.done():
                    recorded.set_exception(outcome)
        else:
            for one in batch:
                await self._write_batch([one])


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingsWriter:
    """Writes what was folded of observations, as long as the lease is ours."""

    store: Store
    location: str
    fence: int
    zone: ZoneInfo

    async def write(self, changes: list[Document]) -> None:
        """Write what was seen last; raises ``Unavailable``."""
        await self.store.awrite(lambda tx: store_changes(tx, changes))

    async def write_all(self, changes: list[Document], buckets: Sequence[Bucket]) -> None:
        """Write what was seen last and add to the time buckets.

        Raises ``LeaseLost``: time that another prober may have accounted for must not be added to.
        """

        def work(tx: Session) -> None:
            lease.check(tx, location=self.location, fence=self.fence)
            store_changes(tx, changes)
            add_buckets(tx, buckets, location=self.location, zone=self.zone)

        await self.store.awrite(work)
