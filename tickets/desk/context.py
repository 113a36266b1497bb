"""What the desk is built from, and what each of its pages is drawn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tickets.accounts import SignedIn
from tickets.clock import Clock
from tickets.pages.watch import Watch, WatchSummary
from tickets.policy import Policy
from tickets.queries.mail_faults import MailFaults, find_mail_faults
from tickets.queries.messages import count_undelivered
from tickets.queries.tickets import count_queue
from tickets.rules.staff import may_act
from tickets.store import Session, Store

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskContext:
    """The parts that the desk works with; ``version`` is the product's own.

    How browsers reach the desk is ``policy.base_url``: with https its cookie is bound to the host.
    """

    store: Store
    policy: Policy
    clock: Clock
    watch: Watch
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What stands around a page: who reads it, how sites and mail stand, how much waits."""

    me: SignedIn
    summary: WatchSummary
    waiting: int
    undelivered: int
    mail: MailFaults

    @property
    def may_act(self) -> bool:
        """Whether the reader may change tickets."""
        return may_act(self.me.staff.role)


async def read_page(
    context: DeskContext, me: SignedIn, work: Callable[[Session], Result]
) -> tuple[Frame, Result]:
    """Read a page's frame and what ``work`` reads in one transaction, off the event loop."""

    def read(tx: Session) -> tuple[Frame, Result]:
        frame = Frame(
            me=me,
            summary=context.watch.summary(tx),
            waiting=count_queue(tx),
            undelivered=count_undelivered(tx),
            mail=find_mail_faults(tx, context.clock.now()),
        )
        return frame, work(tx)

    return await context.store.aread(read)
