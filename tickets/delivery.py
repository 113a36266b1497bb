"""Delivery: messages claimed from the outbox, sent by a channel, settled.

A claim and a settlement are short transactions of their own; nothing is rendered or sent inside
one. A message is settled as sent only after the mail server took it, so a crash in between sends it
once more, the same to the byte.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from sqlmodel import Session

from tickets import claims, outbox
from tickets.claims import Claimed
from tickets.clock import Clock
from tickets.errors import Unavailable
from tickets.mail_channel import Attempt
from tickets.rules.message import Channel, DeliveryOutcome, MessageState
from tickets.rules.pace import Pace
from tickets.rules.ticket import reference
from tickets.store import Store
from tickets.tables import MessageRow

log = structlog.get_logger()

SLOTS = 4
"""Messages in delivery at the same time."""

POLL_SECONDS = 1.0
"""How often the outbox is read when nothing wakes us."""

STOP_SECONDS = 6.0
"""How long a stop waits for attempts; with what follows them, it ends in under ten."""

SETTLE_SECONDS = 2.0
"""How long a stop then waits for the store to record attempts that are over."""

_CHANCE = secrets.SystemRandom()

Wait = Callable[[float], Coroutine[Any, Any, None]]
"""Waits for so many seconds; tests hand in one that they end."""


class MessageChannel(Protocol):
    """By what messages leave: tries one at a time and knows how many more it can take."""

    def free_slots(self, *, slots: int, in_hand: int) -> int:
        """Return how many more messages may be tried now, with ``in_hand`` of ``slots`` taken."""
        ...

    async def attempt(self, message: MessageRow, carried: Sequence[MessageRow] = ()) -> Attempt:
        """Try to send ``message`` with what its mail carries; whatever happens, say how."""
        ...

    async def rest(self) -> None:
        """Let go of what is held for the next message: nothing is due."""
        ...


@dataclass(slots=True)
class _InHand:
    """What was claimed; ``is_attempted`` once it is known how its attempt ended."""

    claimed: Claimed
    is_attempted: bool = False


class Delivery:
    """Delivers the outbox until told to stop, up to ``SLOTS`` messages at the same time.

    ``carries`` is which of its messages: each channel has a delivery of its own, so that a dead
    mail server holds up no word by another way. Several may deliver one outbox, here and in other
    processes (see ``tickets.claims``). ``pace`` limits mails; ``chance`` gives a number from 0 to 1
    that spreads back-offs. ``store_faults`` counts transactions that the store could not take.
    ``holder`` names who runs us, one process at a time (the supervisor's run): what its last
    process held when it died is taken over at the start. Without one we have a name of our own: of
    a message that another sender took over we decide nothing any more.
    """

    def __init__(
        self,
        store: Store,
        *,
        channel: MessageChannel,
        carries: Channel = Channel.MAIL,
        clock: Clock,
        pace: Pace = Pace(),
        holder: str | None = None,
        wait: Wait = asyncio.sleep,
        chance: Callable[[], float] = _CHANCE.random,
    ) -> None:
        self.store_faults = 0
        self._pace = pace
        self._chance = chance
        self._store = store
        self._channel = channel
        self._carries = carries
        self._clock = clock
        self._holder = holder or secrets.token_hex(8)
        self._has_past = holder is not None
        self._wait = wait
        self._woken = asyncio.Event()
        self._in_hand: dict[asyncio.Task[None], _InHand] = {}

    def wake(self) -> None:
        """Read the outbox now: messages were written. Call it on the event loop."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until ``stop`` is set, then finish what is in hand and give back the rest.

        Ends within ten seconds of ``stop``. Whatever the store or the mail server do is logged and
        outlived.
        """
        stopping = asyncio.create_task(stop.wait())
        try:
            await self._take_over()
            while not stop.is_set():
                self._woken.clear()
                await self._take_up()
                if not self._in_hand:
                    await self._channel.rest()
                await self._pause(stopping)
        finally:
            stopping.cancel()
            await self._wind_up()

    async def drain(self) -> None:
        """Deliver what is due now; return when nothing is left or the mail server is of no use.

        Not to be called while ``run`` runs.
        """
        await self._take_up()
        while self._in_hand:
            await self._collect()
            await self._take_up()
        await self._channel.rest()

    async def _take_over(self) -> None:
        if not self._has_past:
            return
        try:
            await self._store.awrite(
                lambda tx: claims.take_over(tx, self._holder, channel=self._carries)
            )
        except Unavailable as error:  # their leases run out by themselves
            self._store_failed(error)

    async def _take_up(self) -> None:
        free = self._channel.free_slots(slots=SLOTS, in_hand=len(self._in_hand))
        if not free:
            return
        try:
            claimed = await self._store.awrite(lambda tx: self._claim(tx, most=free))
        except Unavailable as error:
            self._store_failed(error)
            return
        for held in map(_InHand, claimed):
            self._in_hand[asyncio.create_task(self._deliver(held))] = held

    def _claim(self, tx: Session, *, most: int) -> Sequence[Claimed]:
        now = self._clock.now()
        in_hand = (held for task, held in self._in_hand.items() if not task.done())
        ids = {held.claimed.message.id or 0 for held in in_hand}
        if ids:  # else they would be taken again, in the places of others
            claims.renew(tx, ids, holder=self._holder, now=now)
        claimed = claims.claim(
            tx,
            now=now,
            most=most,
            pace=self._pace,
            holder=self._holder,
            channel=self._carries,
        )
        # One that another sender took over and lost, while we still hold it, is ours again.
        return [one for one in claimed if one.message.id not in ids]

    async def _pause(self, stopping: asyncio.Task[bool]) -> None:
        """Return when a slot is free, someone woke us, a stop was asked for, or a second passed."""
        woken = asyncio.create_task(self._woken.wait())
        passed = asyncio.create_task(self._wait(POLL_SECONDS))
        await self._collect(stopping, woken, passed)
        woken.cancel()
        passed.cancel()

    async def _collect(self, *others: asyncio.Task[Any]) -> None:
        """Wait until one of ``others`` or of the messages in hand is done; let go of those."""
        await asyncio.wait({*others, *self._in_hand}, return_when=asyncio.FIRST_COMPLETED)
        for task in [task for task in self._in_hand if task.done()]:
            del self._in_hand[task]
            if not task.cancelled():
                task.result()

    async def _deliver(self, held: _InHand) -> None:
        message = held.claimed.message
        attempt = await self._channel.attempt(message, held.claimed.carried)
        held.is_attempted = True
        settled = await self._settle(message, attempt)
        facts = {
            "message": message.header_id,
            "ticket": None if message.ticket_id is None else reference(message.ticket_id),
            "notice": message.notice,
            "audience": message.audience,
            "attempts": settled.attempts,
            "messages": 1 + len(held.claimed.carried),
        }
        if attempt.outcome is DeliveryOutcome.SENT:
            age = self._clock.now() - message.written_at
            log.info("delivery.message_sent", **facts, age_seconds=age.total_seconds())
            return
        is_dead = settled.state is MessageState.DEAD
        tell = log.error if is_dead else log.warning
        tell("delivery.attempt_failed", **facts, reason=attempt.reason, is_dead=is_dead)

    async def _settle(self, message: MessageRow, attempt: Attempt) -> MessageRow:
        """Record the attempt, however long the store is away: what was sent must not go twice."""
        message_id = message.id
        assert message_id is not None
        while True:
            try:
                return await self._store.awrite(
                    lambda tx: outbox.settle(
                        tx,
                        message_id,
                        outcome=attempt.outcome,
                        answer=attempt.answer,
                        reason=attempt.reason,
                        retry_after=attempt.retry_after,
                        is_address_refused=attempt.is_address_refused,
                        holder=self._holder,
                        chance=self._chance(),
                        now=self._clock.now(),
                    )
                )
            except Unavailable as error:
                self._store_failed(error)
            await self._wait(POLL_SECONDS)

    async def _wind_up(self) -> None:
        """Let what is in hand finish for a moment, then give back what was not attempted."""
        await self._finish(within=STOP_SECONDS)
        untried: list[int] = []
        for task, held in self._in_hand.items():
            number = held.claimed.message.id
            if not held.is_attempted and number is not None:
                untried.append(number)
                task.cancel()
        await self._finish(within=SETTLE_SECONDS)
        for task in self._in_hand:
            task.cancel()
        await asyncio.gather(*self._in_hand, return_exceptions=True)
        self._in_hand.clear()
        await self._channel.rest()
        if untried:
            await self._give_back(untried)

    async def _finish(self, *, within: float) -> None:
        """Wait for what is in hand, ``within`` seconds at most."""
        grace = asyncio.create_task(self._wait(within))
        while self._in_hand and not grace.done():
            await self._collect(grace)
        grace.cancel()

    async def _give_back(self, message_ids: Sequence[int]) -> None:
        log.warning("delivery.messages_given_back", count=len(message_ids))
        try:
            await self._store.awrite(
                lambda tx: claims.release(tx, message_ids, holder=self._holder)
            )
        except Unavailable as error:
            self._store_failed(error)  # their leases run out by themselves

    def _store_failed(self, error: Unavailable) -> None:
        self.store_faults += 1
        log.warning("delivery.store_unavailable", fault=str(error))
