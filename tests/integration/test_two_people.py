"""Two people, two processes, one ticket: whatever the interleaving, one wins and both can tell.

Each of the two has a store of their own, as two processes have, and both begin at one barrier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from threading import Barrier
from typing import Any

import pytest

from tests.api import POLICY, ApiBench
from tests.clocks import FakeClock
from tests.stores import open_store
from tickets import actions, relations
from tickets.errors import Conflict, Refused, ServiceError
from tickets.history import Actor
from tickets.opening import NewRequest, open_request
from tickets.queries.tickets import get_ticket_page
from tickets.queries.views import TicketPage
from tickets.rules.ticket import Action, Category, Outcome, Priority, Status
from tickets.store import Session, Store
from tickets.tables import TicketRow

ROUNDS = 3
"""How often each pair races: an interleaving that goes wrong shows sooner or later."""

Deed = Callable[[Session], TicketRow]

SAM, MIA = "Sam Okafor", "Mia Holt"


class Two:
    """Two people with a process each, and a ticket between them."""

    def __init__(self, stores: tuple[Store, Store], clock: FakeClock) -> None:
        self.stores = stores
        self.bench = ApiBench(stores[0], clock)
        self.at = clock.now()
        self.sam, self.mia = (self._actor(name) for name in (SAM, MIA))

    def _actor(self, name: str) -> Actor:
        address = self.bench.staff(name)
        sql = f"SELECT id FROM staff WHERE email = '{address}'"  # noqa: S608  (our own address)
        staff_id = self.stores[0].read(lambda tx: tx.connection().exec_driver_sql(sql).scalar_one())
        return Actor(name, staff_id, address)

    def race(self, *deeds: Deed) -> list[TicketRow | ServiceError]:
        """Carry out both at once; each gives the ticket or the error that it got."""
        barrier = Barrier(len(deeds))

        def one(store: Store, deed: Deed) -> TicketRow | ServiceError:
            barrier.wait(timeout=30)
            try:
                return store.write(deed)
            except ServiceError as error:
                return error

        with ThreadPoolExecutor(len(deeds)) as threads:
            return list(threads.map(one, self.stores, deeds))

    def page(self, ref: str) -> TicketPage:
        """The ticket as it is stored."""
        return self.stores[0].read(lambda tx: get_ticket_page(tx, ref))

    def does(self, action: Callable[..., TicketRow], ref: str, who: Actor, **how: Any) -> Deed:
        """An action of ``who`` who has read the ticket at version 1."""
        takes_policy = action is not actions.note and action is not actions.close
        policy = (POLICY,) if takes_policy else ()
        return lambda tx: action(tx, *policy, ref, actor=who, at=self.at, version=1, **how)


@pytest.fixture
def two(store_url: str, clock: FakeClock) -> Iterator[Two]:
    with ExitStack() as stack:
        stores = open_store(store_url), open_store(store_url)
        for store in stores:
            stack.callback(store.close)
        yield Two(stores, clock)


RIVALS: dict[str, tuple[tuple[Callable[..., TicketRow], dict[str, Any]], ...]] = {
    "both acknowledge": ((actions.acknowledge, {}), (actions.acknowledge, {})),
    "reply and resolve": (
        (actions.reply, {"text": "We are on it"}),
        (actions.resolve, {"cause": "Disk full", "done": "Logs removed"}),
    ),
    "acknowledge and close": (
        (actions.acknowledge, {}),
        (actions.close, {"outcome": Outcome.NOT_AN_ISSUE, "reason": "A test"}),
    ),
    "note and resolve": (
        (actions.note, {"text": "The host says 14:00"}),
        (actions.resolve, {"cause": "Disk full", "done": "Logs removed"}),
    ),
}


@pytest.mark.parametrize("rivals", RIVALS.values(), ids=list(RIVALS))
def test_one_version_has_one_winner_and_the_other_learns_who(two: Two, rivals: Any) -> None:
    (first, first_how), (second, second_how) = rivals
    for _ in range(ROUNDS):
        ref = two.bench.ticket()
        results = two.race(
            two.does(first, ref, two.sam, **first_how), two.does(second, ref, two.mia, **second_how)
        )
        won = [isinstance(result, TicketRow) for result in results]
        assert sorted(won) == [False, True], results
        winner = (SAM, MIA)[won.index(True)]
        loss = results[won.index(False)]
        assert isinstance(loss, Conflict)
        assert f"({winner}: " in str(loss)
        page = two.page(ref)
        assert [entry.actor for entry in page.entries[1:]] == [winner]
        assert page.ticket.version == 2
        assert page.ticket.promise.answered_by in {winner, None}


def test_two_notes_without_a_version_are_both_kept(two: Two) -> None:
    for _ in range(ROUNDS):
        ref = two.bench.ticket()
        deeds = [
            partial(actions.note, ref=ref, text=who.name, actor=who, at=two.at)
            for who in (two.sam, two.mia)
        ]
        results = two.race(*deeds)
        assert all(isinstance(result, TicketRow) for result in results), results
        assert sorted(entry.text for entry in two.page(ref).entries[1:]) == sorted([SAM, MIA])


def test_two_tickets_merged_into_each_other_at_once_leave_one_open(two: Two) -> None:
    for _ in range(ROUNDS):
        left, right = two.bench.tickets()
        results = two.race(
            two.does(relations.merge, left, two.sam, into=right),
            two.does(relations.merge, right, two.mia, into=left),
        )
        won = [isinstance(result, TicketRow) for result in results]
        assert sorted(won) == [False, True], results
        assert isinstance(results[won.index(False)], Conflict)
        statuses = [two.page(ref).ticket.status for ref in (left, right)]
        assert sorted(statuses) == [Status.CLOSED, Status.OPEN]


def test_two_tickets_linked_both_ways_at_once_are_linked_once(two: Two) -> None:
    for _ in range(ROUNDS):
        left, right = two.bench.tickets()

        def link(ref: str, other: str, who: Actor) -> Deed:
            return lambda tx: relations.link(tx, ref, other=other, actor=who, at=two.at)

        results = two.race(link(left, right, two.sam), link(right, left, two.mia))
        won = [isinstance(result, TicketRow) for result in results]
        assert sorted(won) == [False, True], results
        assert isinstance(results[won.index(False)], Refused)
        for ref in (left, right):
            assert [entry.action for entry in two.page(ref).entries] == [Action.OPEN, Action.LINK]


def test_one_form_that_is_sent_twice_at_once_opens_one_ticket(two: Two) -> None:
    for number in range(ROUNDS):
        new = NewRequest(
            client="harbour",
            priority=Priority.NORMAL,
            category=Category.ADVICE,
            title="Which plan?",
            text="Is ours enough?",
            key=f"form-{number}",
        )
        deed = partial(open_request, policy=POLICY, new=new, actor=two.sam, at=two.at)
        results = two.race(deed, deed)
        assert all(isinstance(result, TicketRow) for result in results), results
        assert len({result.id for result in results if isinstance(result, TicketRow)}) == 1
