"""What nobody can use any more goes; what somebody may still open stays, however old."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from sqlmodel import Session, col, select

from tests.builders import ANNA, BEN, a_policy
from tests.by_link import SAM, LinkBench
from tests.clocks import FakeClock
from tests.portal import branded
from tickets import relations
from tickets.forgetting import LINKS_KEPT_FOR, forget_old
from tickets.policy import ClientContacts
from tickets.statement_tables import StatementRow
from tickets.statements import PAGE_FOR, Issue, find_page, get_standing, hand_out
from tickets.store import Store
from tickets.tables import MessageRow

DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)


@pytest.fixture
def bench(store: Store, clock: FakeClock) -> LinkBench:
    return LinkBench(store, clock)


def linked(bench: LinkBench) -> set[str]:
    """The tickets to which links are kept."""
    return {f"T-{1000 + link.ticket_id}" for link in bench.links()}


async def test_links_go_long_after_their_ticket_closed(bench: LinkBench) -> None:
    closed, open_ = bench.outage("a"), bench.outage("b")
    bench.resolve(closed)
    bench.close(closed)
    closed_at = bench.clock.now()
    await forget_old(bench.store, now=closed_at + LINKS_KEPT_FOR - MOMENT)
    assert linked(bench) == {closed, open_}
    await forget_old(bench.store, now=closed_at + LINKS_KEPT_FOR + MOMENT, at_once=1)
    assert linked(bench) == {open_}
    await forget_old(bench.store, now=closed_at + 3650 * DAY)
    assert linked(bench) == {open_}  # whose dead link still mails a new one
    assert bench.messages()
    assert bench.entries(closed)


async def test_a_link_to_a_duplicate_stays_while_the_other_goes_on(bench: LinkBench) -> None:
    duplicate, other = bench.request(), bench.request(title="The same picture")
    at = bench.clock.now()
    bench.store.write(
        partial(relations.merge, policy=bench.policy, ref=duplicate, into=other, actor=SAM, at=at)
    )
    await forget_old(bench.store, now=at + 3650 * DAY)
    assert linked(bench) == {duplicate, other}
    later = bench.clock.advance(400 * DAY)
    bench.resolve(other)
    bench.close(other)
    await forget_old(bench.store, now=later + LINKS_KEPT_FOR + MOMENT)
    assert linked(bench) == set()


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_a_statements_page_goes_with_its_last_link_and_is_never_sent_again(
    store: Store, clock: FakeClock
) -> None:
    policy = replace(
        branded(a_policy()), contacts={"harbour": ClientContacts(statement=(ANNA, BEN))}
    )
    issue = Issue(client="harbour", month="2026-02", page="<p>All well</p>", facts={})
    late = clock.now() + 5 * DAY

    def state(tx: Session) -> list[str]:
        early = replace(policy, contacts={"harbour": ClientContacts(statement=(ANNA,))})
        assert hand_out(tx, early, issue, at=clock.now()) == 1
        assert hand_out(tx, policy, issue, at=late) == 1  # Ben wanted it later
        rows = tx.exec(select(MessageRow).order_by(col(MessageRow.id))).all()
        return [str(row.facts[name]) for row in rows for name in ("action_url", "unsubscribe_url")]

    _annas, _end, bens, unsubscribe = (url.rpartition("/")[2] for url in store.write(state))
    await forget_old(store, now=late + PAGE_FOR)
    assert store.read(partial(find_page, token=bens, now=late + PAGE_FOR)) == issue.page
    after = late + PAGE_FOR + MOMENT
    await forget_old(store, now=after)
    assert store.read(lambda tx: tx.exec(select(StatementRow)).all()) == []
    # A clock that was set back finds the link's row and no page.
    assert store.read(partial(find_page, token=bens, now=late)) is None
    assert store.read(partial(get_standing, token=unsubscribe)).address == BEN.address
    assert store.write(partial(hand_out, policy=policy, issue=issue, at=after)) == 0
