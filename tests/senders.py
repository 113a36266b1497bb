"""Senders of the outbox as processes that can be stopped at every step and killed there.

Each is a real delivery with its real mail channel on an event loop that only moves when told to.
It halts wherever another process could come in between: before a mail is handed over, and before
the store takes down how that ended. A mail server that tests answer for keeps what it took.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, cast

from sqlmodel import Session

from tests.clocks import FakeClock
from tickets.claims import LEASE, Claimed
from tickets.delivery import Delivery
from tickets.letters import Letters
from tickets.mail import Mail, MailIdentity, SendFailed
from tickets.mail_channel import MailChannel
from tickets.rules.message import FailureReason
from tickets.rules.pace import Pace
from tickets.smtp import DEADLINE, HOLD, HOLD_AFTER_REFUSED_CREDENTIALS
from tickets.store import Store

IDENTITY = MailIdentity(
    name="Bright Agency", address="support@agency.test", reply_to="help@agency.test"
)


LETTERS = Letters()


class Answer(StrEnum):
    """What the mail server does with a mail."""

    TAKEN = "250 taken"
    CUT = "taken, and cut off before the answer"
    CLOSING = "421 closing"
    GREYLISTED = "450 greylisted"
    NO_USER = "550 no such user"
    NO_CONTENT = "554 not wanted"
    TIMEOUT = "no answer"
    AWAY = "connection refused"
    PASSWORD = "535 wrong password"


KEPT = frozenset({Answer.TAKEN, Answer.CUT})
"""Answers after which the server has the mail."""

_FAILURES: dict[Answer, Callable[[], SendFailed]] = {
    Answer.CUT: lambda: SendFailed("the connection broke", reason=FailureReason.CONNECT),
    Answer.CLOSING: lambda: SendFailed("421 closing", reason=FailureReason.TEMPORARY),
    Answer.GREYLISTED: lambda: SendFailed("450 greylisted", reason=FailureReason.TEMPORARY),
    Answer.NO_USER: lambda: SendFailed(
        "550 no such user",
        reason=FailureReason.PERMANENT,
        is_permanent=True,
        is_address_refused=True,
    ),
    Answer.NO_CONTENT: lambda: SendFailed(
        "554 not wanted", reason=FailureReason.PERMANENT, is_permanent=True
    ),
    Answer.TIMEOUT: lambda: SendFailed("no answer", reason=FailureReason.TIMEOUT),
    Answer.AWAY: lambda: SendFailed("refused", reason=FailureReason.CONNECT, hold=HOLD),
    Answer.PASSWORD: lambda: SendFailed(
        "535 wrong", reason=FailureReason.AUTH, hold=HOLD_AFTER_REFUSED_CREDENTIALS
    ),
}


class _Killed(BaseException):
    """The process died in the middle of a transaction."""


@dataclass(eq=False)
class Attempt:
    """A mail on its way: halted until the server answers, then until the store takes it down."""

    mail: Mail
    task: asyncio.Task[Any]
    since: datetime
    answered: asyncio.Future[str]
    settled: asyncio.Future[None] | None = None
    is_kept: bool = False
    is_lapsed: bool = False


class _Inline(ThreadPoolExecutor):
    """Does at once what it is given, so that the loop knows when nothing is left to do."""

    def submit(self, fn: Callable[..., Any], /, *words: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*words, **named))
        except BaseException as error:
            done.set_exception(error)
        return done


class _Channel(MailChannel):
    """Remembers how many messages were asked for last."""

    asked = 0

    def free_slots(self, *, slots: int, in_hand: int) -> int:
        self.asked = super().free_slots(slots=slots, in_hand=in_hand)
        return self.asked


@dataclass(eq=False)
class Sender:
    """One process that delivers; ``holder`` is the supervisor's run that started it."""

    senders: Senders
    holder: str
    pace: Pace
    attempts: list[Attempt] = field(default_factory=list[Attempt])
    is_dead: bool = False
    is_stalled: bool = False
    dies_in_claim: bool = False

    def __post_init__(self) -> None:
        loop = self.senders.loop
        self._stop, self._ticked = asyncio.Event(), asyncio.Event()
        self.channel = _Channel(self, identity=IDENTITY, clock=self.senders.clock, letters=LETTERS)
        self.delivery = Delivery(
            cast("Store", self),
            channel=self.channel,
            clock=self.senders.clock,
            pace=self.pace,
            holder=self.holder,
            wait=self._wait,
            chance=lambda: 0.0,
        )
        self.main = loop.create_task(self.delivery.run(self._stop))
        self.senders.settle_down()

    # What delivery sees of the world

    async def awrite(self, work: Callable[[Session], Any]) -> Any:
        task = asyncio.current_task()
        for attempt in self.attempts:
            if attempt.task is task:
                attempt.settled = self.senders.loop.create_future()
                await attempt.settled
                self.attempts.remove(attempt)
                if not self.is_dead:
                    return self.senders.store.write(work)
        await self.senders.moment.wait()
        if self.is_dead:
            await self.senders.never()
        try:
            result = self.senders.store.write(lambda tx: self._work(work, tx))
        except _Killed:
            self.senders.kill(self)
            await self.senders.never()
            raise AssertionError("unreachable") from None
        if _is_claim(result):
            self.senders.on_claim(self, result)
        return result

    def _work(self, work: Callable[[Session], Any], tx: Session) -> Any:
        result = work(tx)
        if self.dies_in_claim and _is_claim(result):
            raise _Killed
        return result

    async def send(self, mail: Mail) -> str:
        task = asyncio.current_task()
        assert task is not None
        attempt = Attempt(mail, task, self.senders.clock.now(), self.senders.loop.create_future())
        self.attempts.append(attempt)
        self.senders.on_start(mail)
        return await attempt.answered

    async def rest(self) -> None:
        """Hold nothing."""

    async def _wait(self, seconds: float) -> None:
        if seconds == 1.0:
            ticked = self._ticked
            await ticked.wait()

    # What tests do to it

    def tick(self) -> None:
        """Let a second pass for its loop: it reads the outbox."""
        self._ticked.set()
        self._ticked = asyncio.Event()
        self.senders.settle_down()

    def answer(self, attempt: Attempt, answer: Answer) -> None:
        """Let the mail server answer."""
        if answer in KEPT:
            attempt.is_kept = True
            self.senders.mailbox.append(attempt.mail)
        if answer is Answer.CUT:
            self.senders.may_repeat[attempt.mail.header_id] += 1
        if answer is Answer.TAKEN:
            attempt.answered.set_result(answer.value)
        else:
            attempt.answered.set_exception(_FAILURES[answer]())
        self.senders.settle_down()

    def take_down(self, attempt: Attempt) -> None:
        """Let the store take down how the attempt ended."""
        assert attempt.settled is not None
        attempt.settled.set_result(None)
        self.senders.settle_down()

    def finish(self, answer: Answer = Answer.TIMEOUT) -> None:
        """End whatever is on its way; the server answers ``answer`` to what it still has to."""
        for attempt in list(self.attempts):
            if not attempt.answered.done():
                self.answer(attempt, answer)
        for attempt in list(self.attempts):
            self.take_down(attempt)

    def stop(self) -> None:
        """Stop in order, as for a new configuration; what is with the server is broken off."""
        for attempt in list(self.attempts):
            if attempt.answered.done():
                self.take_down(attempt)
        self.attempts = [one for one in self.attempts if one.answered.done()]
        self._stop.set()
        self.senders.settle_down()
        assert self.main.done()
        self.is_dead = True


def _is_claim(result: object) -> bool:
    return isinstance(result, list)


class Senders:
    """The processes at one outbox, their mail server and their clock.

    ``mailbox`` holds what the server took, ``may_repeat`` how many more copies of a mail it may get
    by its Message-ID: one for each time that the server had it and nobody took that down.
    """

    def __init__(
        self,
        store: Store,
        clock: FakeClock,
        *,
        on_claim: Callable[[Sender, Sequence[Claimed]], None],
        on_start: Callable[[Mail], None],
    ) -> None:
        self.store, self.clock = store, clock
        self.on_claim = self._watched(on_claim)
        self.on_start = self._watched(on_start)
        self.mailbox: list[Mail] = []
        self.may_repeat: Counter[str] = Counter()
        self.lapses = 0
        self._fault: AssertionError | None = None
        self.living: list[Sender] = []
        self._ever: list[Sender] = []  # a loop alone does not keep its tasks
        self.moment = asyncio.Event()
        self.moment.set()
        self.loop = asyncio.new_event_loop()
        self.loop.set_default_executor(_Inline(1))

    def start(self, holder: str, pace: Pace) -> Sender:
        """Start a process."""
        sender = Sender(self, holder, pace)
        self.living.append(sender)
        self._ever.append(sender)
        return sender

    def kill(self, sender: Sender) -> None:
        """Kill a process: nothing of it is heard any more."""
        sender.is_dead = True
        self.living.remove(sender)
        for attempt in sender.attempts:
            self._unheard(attempt)
        sender.attempts.clear()

    def retire(self, sender: Sender) -> None:
        """Stop a process in order."""
        sender.stop()
        self.living.remove(sender)

    def pass_time(self, duration: timedelta) -> None:
        """Let time pass: no attempt of a process that runs takes longer than its deadline."""
        end = self.clock.now() + duration
        self.moment.clear()  # nobody begins anything meanwhile
        for sender in self.living:
            for attempt in list(sender.attempts):
                if sender.is_stalled:
                    if attempt.since + LEASE <= end:
                        self._unheard(attempt)
                elif attempt.since + DEADLINE < end:
                    if not attempt.answered.done():
                        sender.answer(attempt, Answer.TIMEOUT)
                    sender.take_down(attempt)
        self.clock.advance(duration)
        self.moment.set()
        self.settle_down()

    def resume(self, sender: Sender) -> None:
        """Let a stalled process go on; what was with the server for too long has timed out."""
        sender.is_stalled = False
        for attempt in list(sender.attempts):
            if attempt.since + DEADLINE < self.clock.now() and not attempt.answered.done():
                sender.answer(attempt, Answer.TIMEOUT)

    def settle_down(self) -> None:
        """Run the loop until every process halts; a delivery that ended by itself is a fault."""
        self.loop.run_until_complete(_turns(60))
        if self._fault is not None:
            raise self._fault
        for sender in self.living:
            if sender.main.done() and not sender.is_dead:
                sender.main.result()

    def _watched(self, look: Callable[..., None]) -> Callable[..., None]:
        """Return ``look`` so that what it finds is raised in the test and not in a process."""

        def watch(*seen: Any) -> None:
            try:
                look(*seen)
            except AssertionError as error:
                self._fault = self._fault or error

        return watch

    async def never(self) -> None:
        await asyncio.Event().wait()

    def close(self) -> None:
        """End every task, of the dead also."""
        for _ in range(20):
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.run_until_complete(_turns(5))
        assert not asyncio.all_tasks(self.loop)
        self.loop.close()

    def _unheard(self, attempt: Attempt) -> None:
        if attempt.is_lapsed:
            return
        attempt.is_lapsed = True
        self.lapses += 1
        if attempt.is_kept and attempt.answered.exception() is None:
            self.may_repeat[attempt.mail.header_id] += 1


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
