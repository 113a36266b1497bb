"""The outbox as a machine that hypothesis runs: everything that may happen to it, in any order.

After each step the store is compared with what may be; what the mail server got is for the end.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlmodel import Session

from tests.builders import ANNA, BEN, DUTY, LEAD, a_policy
from tests.clocks import FakeClock
from tests.outbox import rows
from tests.outbox_laws import Laws
from tests.senders import Answer, Attempt, Sender, Senders
from tests.tickets import opened
from tickets import outbox
from tickets.contacts import find_person
from tickets.digests import tell_digest
from tickets.erasure import erase
from tickets.errors import Conflict
from tickets.fault_notices import tell_faults
from tickets.history import Actor, get_ticket
from tickets.interventions import cancel, requeue
from tickets.letters.samples import SAMPLE_FACTS
from tickets.opening import NewRequest, Requester, open_request
from tickets.outbox import Recipient, staff_service
from tickets.policy import ClientContacts, Policy
from tickets.rules.notice import Audience, Notice
from tickets.rules.pace import Pace
from tickets.rules.ticket import Category, Priority, Source
from tickets.statements import Issue, hand_out, unsubscribe
from tickets.store import Store

Result = TypeVar("Result")
Thing = TypeVar("Thing")

CLEO = Recipient("Cleo Hart", "Cleo@Moor.test", Audience.CLIENT)
CHAT = staff_service("slack:0123", "slack of lead")
PACE = Pace(per_minute=8, client_address_per_day=5, staff_address_per_day=20)
NUMBERS = st.integers(0, 11)
STEPS = st.sampled_from([1, 10, 30, 61, 130, 320, 3700, 6 * 3600, 25 * 3600, 74 * 3600])


class Died(Exception):
    """A process died before it committed."""


def pick(things: Sequence[Thing], number: int) -> Thing:
    return things[number % len(things)]


@cache
def the_policy(*contacts: Recipient) -> Policy:
    """Two clients, duty, and a lead who has mail and a chat."""
    policy = a_policy(contacts=contacts, duty=[DUTY], lead=[LEAD, CHAT])
    harbour = ClientContacts(
        incidents=tuple(contacts), tickets=tuple(contacts), statement=tuple(contacts)
    )
    moor = ClientContacts(incidents=(CLEO,), tickets=(CLEO,))
    profile = policy.clients["harbour"]
    return replace(
        policy,
        contacts={"harbour": harbour, "moor": moor},
        clients={"harbour": profile, "moor": replace(profile, name="Moor", everyone=(CLEO,))},
    )


class OutboxMachine(RuleBasedStateMachine):
    """Two places that deliver, people at the desk, and a mail server with its moods.

    ``store`` is empty and has today's schema; the machine closes it.
    """

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store, self.clock = store, FakeClock()
        self.contacts: list[Recipient] = [ANNA, BEN]
        self.policy = the_policy(*self.contacts)
        self.pace = PACE
        self.laws = Laws(self.store, self.clock, PACE)
        self.senders = self.laws.senders = Senders(
            self.store,
            self.clock,
            on_claim=self.laws.look_at_claim,
            on_start=self.laws.look_at_mail,
        )
        self.refs: list[str] = []
        self.count = 0
        for holder in ("east 0", "west 0"):
            self.senders.start(holder, self.pace)

    def teardown(self) -> None:
        try:
            self.heal()
            self.laws.look_at_the_end(self.policy)
        finally:
            self.senders.close()
            self.store.close()

    @invariant()
    def the_store_is_as_it_may_be(self) -> None:
        self.laws.look()

    # What happens at the agency

    def write(self, work: Callable[[Session], Result], *, dies: bool = False) -> Result | None:
        def and_die(tx: Session) -> Result:
            result = work(tx)
            tx.flush()
            if dies:
                raise Died
            return result

        try:
            return self.store.write(and_die)
        except Died:
            return None

    @rule(client=st.sampled_from(["harbour", "moor"]), priority=st.sampled_from(Priority))
    def a_site_is_down(self, client: str, priority: Priority) -> None:
        at = self.clock.now()
        self.count += 1
        self.refs.append(
            opened(
                self.store,
                self.policy,
                at=at,
                key=f"site {self.count}",
                client=client,
                priority=priority,
            )
        )
        self.laws.expect_first_words()

    @rule(title=st.sampled_from(["A picture", "A word"]), dies=st.booleans())
    def somebody_asks(self, title: str, dies: bool) -> None:
        new = NewRequest(
            client="harbour",
            priority=Priority.NORMAL,
            category=Category.CONTENT_CHANGE,
            title=title,
            text="Please",
            requester=Requester("Carla Lund", "carla@harbour.test"),
            source=Source.PORTAL,
        )
        at = self.clock.now()
        self.write(
            lambda tx: open_request(tx, self.policy, new, actor=Actor("form"), at=at), dies=dies
        )

    @precondition(lambda self: self.refs)
    @rule(
        number=NUMBERS,
        notice=st.sampled_from([Notice.REPLY, Notice.CLIENT_REPLIED]),
        raises=st.booleans(),
        hours=st.sampled_from([None, None, 3]),
        dies=st.sampled_from([False, False, True]),
    )
    def something_is_told(
        self, number: int, notice: Notice, raises: bool, hours: int | None, dies: bool
    ) -> None:
        at, ref = self.clock.now(), pick(self.refs, number)
        self.count += 1
        text = f"Word number {self.count} of all."

        def work(tx: Session) -> None:
            ticket = get_ticket(tx, ref)
            ticket.version += 1
            if raises:
                ticket.priority = Priority.CRITICAL
            outbox.put(
                tx,
                ticket,
                notice=notice,
                recipients=[*self.policy.contacts_of(ticket.client).incidents, DUTY],
                facts={**SAMPLE_FACTS[notice], "text": text},
                staff_from=None if hours is None else at + timedelta(hours=hours),
                domain="agency.test",
                at=at,
            )

        self.write(work, dies=dies)

    @rule(month=st.sampled_from(["2026-01", "2026-02"]))
    def statements_go_out(self, month: str) -> None:
        facts = {**SAMPLE_FACTS[Notice.STATEMENT]}
        issue = Issue(client="harbour", month=month, page="<p>Fine</p>", facts=facts)
        self.write(lambda tx: hand_out(tx, self.policy, issue, at=self.clock.now()))

    @rule(dies=st.booleans())
    def the_sweep_passes(self, dies: bool) -> None:
        at = self.clock.now()
        self.write(lambda tx: tell_digest(tx, self.policy, at=at), dies=dies)
        self.write(lambda tx: tell_faults(tx, self.policy, at=at), dies=dies)

    # What people do

    @precondition(lambda self: self.laws.known)
    @rule(number=NUMBERS, is_cancel=st.booleans())
    def staff_step_in(self, number: int, is_cancel: bool) -> None:
        message_id = pick(sorted(self.laws.known), number)
        deed = cancel if is_cancel else requeue
        at = self.clock.now()
        try:
            row = self.store.write(lambda tx: deed(tx, message_id, actor=Actor("Sam Reed"), at=at))
        except Conflict:
            return
        self.laws.note_deed(row.id or 0, is_cancel=is_cancel)

    @precondition(lambda self: self.laws.unsubscribe_tokens)
    @rule(number=NUMBERS)
    def a_contact_unsubscribes(self, number: int) -> None:
        token, address = pick(sorted(self.laws.unsubscribe_tokens.items()), number)
        self.store.write(lambda tx: unsubscribe(tx, token, at=self.clock.now()))
        self.laws.note_unwanted(
            lambda row: row.notice is Notice.STATEMENT and row.address.lower() == address
        )

    @precondition(lambda self: BEN in self.contacts)
    @rule()
    def ben_leaves_and_is_erased(self) -> None:
        self.contacts.remove(BEN)
        self.policy = the_policy(*self.contacts)
        of_ben = {row.id for row in rows(self.store) if row.address.lower() == BEN.address}
        self.store.write(
            lambda tx: erase(tx, self.policy, find_person(tx, BEN.address), at=self.clock.now())
        )
        self.laws.note_unwanted(lambda row: row.id in of_ben)

    # What the processes do

    @precondition(lambda self: self.awake())
    @rule(number=NUMBERS, dies=st.sampled_from([False, False, False, True]))
    def a_sender_looks(self, number: int, dies: bool) -> None:
        sender = pick(self.awake(), number)
        sender.dies_in_claim = dies
        sender.tick()
        sender.dies_in_claim = False

    @precondition(lambda self: self.unanswered())
    @rule(number=NUMBERS, answer=st.one_of(st.just(Answer.TAKEN), st.sampled_from(Answer)))
    def the_server_answers(self, number: int, answer: Answer) -> None:
        sender, attempt = pick(self.unanswered(), number)
        sender.answer(attempt, answer)

    @precondition(lambda self: self.answered())
    @rule(number=NUMBERS)
    def the_store_takes_it_down(self, number: int) -> None:
        sender, attempt = pick(self.answered(), number)
        sender.take_down(attempt)

    @precondition(lambda self: self.senders.living)
    @rule(number=NUMBERS)
    def a_sender_is_killed(self, number: int) -> None:
        self.senders.kill(pick(self.senders.living, number))

    @rule(is_same_run=st.booleans())
    def the_dead_are_started_again(self, is_same_run: bool) -> None:
        """Their supervisor starts them, or the host does, with another supervisor."""
        living = {sender.holder.split()[0] for sender in self.senders.living}
        for place in ("east", "west"):
            if place not in living:
                self.count += not is_same_run
                run = self.laws.last_run.get(place, f"{place} 0")
                holder = run if is_same_run else f"{place} {self.count}"
                self.laws.last_run[place] = holder
                self.senders.start(holder, self.pace)

    @precondition(lambda self: self.awake())
    @rule(number=NUMBERS, merges=st.booleans())
    def a_configuration_is_loaded(self, number: int, merges: bool) -> None:
        sender = pick(self.awake(), number)
        window = PACE.merge_within if merges else timedelta(0)
        self.pace = replace(PACE, merge_within=window)
        self.laws.note_window(window)
        self.senders.retire(sender)
        self.senders.start(sender.holder, self.pace)

    @precondition(lambda self: self.awake())
    @rule(number=NUMBERS)
    def a_sender_stalls(self, number: int) -> None:
        pick(self.awake(), number).is_stalled = True

    @precondition(lambda self: len(self.awake()) < len(self.senders.living))
    @rule()
    def the_stalled_go_on(self) -> None:
        for sender in self.senders.living:
            if sender.is_stalled:
                self.senders.resume(sender)

    @rule(seconds=STEPS)
    def time_passes(self, seconds: int) -> None:
        self.senders.pass_time(timedelta(seconds=seconds))

    # Where the machine is

    def awake(self) -> list[Sender]:
        return [sender for sender in self.senders.living if not sender.is_stalled]

    def unanswered(self) -> list[tuple[Sender, Attempt]]:
        return [
            (sender, one)
            for sender in self.awake()
            for one in sender.attempts
            if not one.answered.done()
        ]

    def answered(self) -> list[tuple[Sender, Attempt]]:
        return [
            (sender, one)
            for sender in self.awake()
            for one in sender.attempts
            if one.answered.done()
        ]

    def heal(self) -> None:
        """End every fault, and let time pass until nothing more is to be delivered."""
        self.the_stalled_go_on()
        for _ in range(300):
            self.the_dead_are_started_again(is_same_run=False)
            self.the_sweep_passes(dies=False)
            self.laws.look()
            for sender in self.awake():
                sender.tick()
                while sender.attempts:
                    sender.finish(Answer.TAKEN)
                    sender.tick()
            self.laws.look()
            due = self.laws.next_due()
            if due is None:
                return
            self.senders.pass_time(max(due - self.clock.now(), timedelta(seconds=31)))
        raise AssertionError("after 300 rounds there is still something to deliver")


def machines(fresh_store: Callable[[], Store]) -> type[OutboxMachine]:
    """Return the machine as Hypothesis makes one after another, each with a fresh store."""

    class Machine(OutboxMachine):
        def __init__(self) -> None:
            super().__init__(fresh_store())

    return Machine


def machines_on_sqlite(template: Path, folder: Path) -> type[OutboxMachine]:
    """Return the machine on copies of ``template``, one at a time in ``folder``."""

    def fresh_store() -> Store:
        path = folder / "fettle.db"
        for left_over in folder.glob("fettle.db*"):
            left_over.unlink()
        shutil.copy(template, path)
        return Store(f"sqlite:///{path}")

    return machines(fresh_store)
