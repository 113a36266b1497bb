"""What tests do to an outbox: write, claim and settle messages, and look at them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from tests.builders import ANNA
from tickets import claims, outbox
from tickets.claims import Claimed
from tickets.history import get_ticket
from tickets.letters.samples import SAMPLE_FACTS
from tickets.outbox import Recipient
from tickets.rules.message import DeliveryOutcome, FailureReason, MessageState
from tickets.rules.notice import Notice
from tickets.rules.pace import Pace
from tickets.store import Store
from tickets.tables import MessageRow


def tell(
    store: Store,
    ref: str,
    notice: Notice,
    at: datetime,
    *people: Recipient,
    staff_from: datetime | None = None,
) -> None:
    """Write ``notice`` of the ticket to Anna, or to ``people``."""

    def write(tx: Session) -> None:
        ticket = get_ticket(tx, ref)
        ticket.version += 1
        outbox.put(
            tx,
            ticket,
            notice=notice,
            recipients=people or (ANNA,),
            facts=SAMPLE_FACTS[notice],
            staff_from=staff_from,
            domain="agency.test",
            at=at,
        )

    store.write(write)


def claim(
    store: Store, now: datetime, *, most: int = 10, pace: Pace = Pace(), holder: str | None = None
) -> Sequence[Claimed]:
    """Claim what may leave at ``now``."""
    return store.write(lambda tx: claims.claim(tx, now=now, most=most, pace=pace, holder=holder))


def notices(claimed: Sequence[Claimed]) -> list[list[Notice]]:
    """Return the notices of each mail, its own first."""
    return [[one.message.notice, *(each.notice for each in one.carried)] for one in claimed]


def settle(
    store: Store,
    claimed: Claimed,
    now: datetime,
    outcome: DeliveryOutcome = DeliveryOutcome.SENT,
    reason: FailureReason | None = None,
    *,
    is_address_refused: bool = False,
    retry_after: timedelta | None = None,
) -> None:
    """End an attempt; one that is refused for good is answered with a 550."""
    number = claimed.message.id
    assert number is not None
    store.write(
        lambda tx: outbox.settle(
            tx,
            number,
            outcome=outcome,
            answer="550 no such user" if reason is FailureReason.PERMANENT else "as told",
            now=now,
            reason=reason,
            is_address_refused=is_address_refused,
            retry_after=retry_after,
        )
    )


def send_all(store: Store, now: datetime, pace: Pace = Pace()) -> int:
    """Send what may leave at ``now``; return how many mails that were."""
    count = 0
    while claimed := claim(store, now, pace=pace):
        for one in claimed:
            settle(store, one, now)
            count += 1
    return count


def states(store: Store) -> list[MessageState]:
    """Return where each message stands, the oldest first."""
    query = select(MessageRow.state).order_by(col(MessageRow.id))
    return [MessageState(state) for state in store.read(lambda tx: tx.exec(query).all())]


def rows(store: Store) -> Sequence[MessageRow]:
    """Return every message, the oldest first."""
    return store.read(lambda tx: tx.exec(select(MessageRow).order_by(col(MessageRow.id))).all())
