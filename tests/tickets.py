"""Opens tickets in a store for tests of what follows."""

from __future__ import annotations

from datetime import datetime

from tickets.history import MONITOR, Actor
from tickets.opening import NewTicket, open_ticket
from tickets.policy import Policy
from tickets.rules.evidence import Evidence, EvidenceLine
from tickets.rules.notice import Notice
from tickets.rules.ticket import Category, Priority, Source
from tickets.store import Store


def opened(
    store: Store,
    policy: Policy,
    *,
    at: datetime,
    key: str | None = None,
    client: str = "harbour",
    title: str = "Harbour Inns: Booking site is down",
    site_name: str = "Booking site",
    priority: Priority = Priority.CRITICAL,
    category: Category = Category.OUTAGE,
    actor: Actor = MONITOR,
    evidence: Evidence = Evidence(
        lines=(EvidenceLine("answer", "none: connection refused", "200 in 0.41 s"),)
    ),
) -> str:
    """Open a ticket of ``client`` at ``at`` and return its reference."""
    new = NewTicket(
        key=key,
        title=title,
        client=client,
        client_name="Harbour Inns",
        site="booking",
        site_name=site_name,
        site_url="https://booking.harbour.test/",
        priority=priority,
        category=category,
        source=Source.MONITOR,
        notice=Notice.DOWN,
        what="is not answering",
        message="The server at 203.0.113.7 refused the connection",
        since=at,
        evidence=evidence,
    )
    row = store.write(lambda tx: open_ticket(tx, policy, new, actor=actor, at=at))
    assert row.id is not None
    return f"T-{1000 + row.id}"
