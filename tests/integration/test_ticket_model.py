"""Random actions of several people on real tickets, against a plain model of the contract.

The model knows the table of actions, who holds which version, and what a promise is worth; it
knows nothing of rows, entries or transactions.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlmodel import Session, select

from tests.builders import a_policy
from tests.tickets import opened
from tickets import actions, incidents, relations, time_spent, triage, waiting
from tickets.actions import NOTHING_KNOWN
from tickets.errors import Conflict, Refused
from tickets.history import Actor, describe
from tickets.promises import promise_of
from tickets.refusals import attempt
from tickets.rules.replay import replay
from tickets.rules.staff import Role
from tickets.rules.ticket import Action, Outcome, Priority, Status
from tickets.store import Store
from tickets.tables import EntryRow, PromiseRow, RefusalRow, StaffRow, TicketRow
from tickets.time_spent import Work

START = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
POLICY = a_policy()
OPEN, TAKEN, WAITING = Status.OPEN, Status.ACKNOWLEDGED, Status.WAITING
DONE, CLOSED = Status.RESOLVED, Status.CLOSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A ticket as the contract has it."""

    status: Status = OPEN
    priority: Priority
    version: int = 1
    started: datetime
    respond_by: datetime
    answered: bool = False
    met_by_taking: bool
    cycle: int = 1
    assignee: int | None = None


LEGAL: Mapping[Action, set[Status]] = {
    Action.ACKNOWLEDGE: {OPEN},
    Action.REPLY: {OPEN, TAKEN, WAITING, DONE},
    Action.NOTE: {OPEN, TAKEN, WAITING, DONE, CLOSED},
    Action.RESOLVE: {OPEN, TAKEN, WAITING},
    Action.REOPEN: {DONE},
    Action.CLOSE: {OPEN, TAKEN, WAITING, DONE},
    Action.PRIORITY: {OPEN, TAKEN, WAITING},
    Action.WAIT: {TAKEN},
    Action.RESUME: {WAITING},
    Action.ASSIGN: {OPEN, TAKEN, WAITING, DONE},
    Action.LOG_TIME: {OPEN, TAKEN, WAITING, DONE, CLOSED},
    Action.RECOVER: {OPEN, TAKEN, WAITING, DONE, CLOSED},
}
PEOPLE = tuple(action for action in LEGAL if action is not Action.RECOVER)


class Tickets(RuleBasedStateMachine):
    """Two people and a machine work on a few tickets; now and then somebody's form is old."""

    template: Path
    refs = Bundle("refs")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "model.db"
        shutil.copy(self.template, path)
        self.store = Store(f"sqlite:///{path}", readers=1)
        self.now = START
        self.models: dict[str, Model] = {}
        self.refused = 0

    @initialize()
    def staff(self) -> None:
        """Sam and Mia begin their day."""
        rows = [
            StaffRow(
                email=f"{name}@agency.test",
                name=name,
                role=Role.STAFF,
                password_hash="-",
                created_at=START,
            )
            for name in ("sam", "mia")
        ]
        self.store.write(lambda tx: tx.add_all(rows))
        self.people = [Actor(row.name, row.id, row.email) for row in rows]

    @rule(target=refs, priority=st.sampled_from(Priority))
    def open(self, priority: Priority) -> str:
        """A machine opens a ticket."""
        ref = opened(self.store, POLICY, at=self.now, priority=priority)
        self.models[ref] = Model(
            priority=priority,
            started=self.now,
            respond_by=self._deadline(priority, self.now),
            met_by_taking=priority is Priority.CRITICAL,
        )
        return ref

    @rule(minutes=st.sampled_from([1, 20, 61, 60 * 24, 60 * 24 * 3]))
    def pass_time(self, minutes: int) -> None:
        """Time goes by; the model counts no breaches, the invariants do."""
        self.now += timedelta(minutes=minutes)

    @rule(
        ref=refs,
        action=st.sampled_from(PEOPLE),
        who=st.integers(0, 1),
        priority=st.sampled_from(Priority),
        is_stale=st.sampled_from([False, False, False, True]),
    )
    def act(self, ref: str, action: Action, who: int, priority: Priority, is_stale: bool) -> None:
        """A person does what the table lists, or is refused and nothing changes."""
        model, actor = self.models[ref], self.people[who]
        seen = self._version(ref) - is_stale
        after = None if is_stale else self._expected(model, action, actor, priority)
        before = self._stored(ref)
        try:
            self._do(ref, action, actor, priority, seen)
        except (Conflict, Refused):
            assert after is None, f"{action} was refused from {model}"
            assert self._stored(ref) == before
            is_early = action is Action.WAIT and not model.answered
            if not is_stale and (is_early or model.status not in LEGAL[action]):
                self.refused += 1
            return
        assert after is not None, f"{action} was not refused from {model}"
        self.models[ref] = after

    @rule(ref=refs, other=refs)
    def merge(self, ref: str, other: str) -> None:
        """A duplicate is closed, unless it is the same ticket or either is closed."""
        model, survivor = self.models[ref], self.models[other]
        is_legal = ref != other and CLOSED not in {model.status, survivor.status}
        try:
            self.store.write(
                lambda tx: relations.merge(
                    tx, POLICY, ref, into=other, actor=self.people[0], at=self.now
                )
            )
        except (Conflict, Refused):
            assert not is_legal
            return
        assert is_legal
        self.models[ref] = replace(model, status=CLOSED)
        is_late = self.now > survivor.respond_by
        if not survivor.answered and not model.answered and not is_late:
            first = min(survivor, model, key=lambda one: one.respond_by)
            self.models[other] = replace(
                survivor,
                started=first.started,
                respond_by=first.respond_by,
                met_by_taking=first.met_by_taking,
            )

    @rule(ref=refs)
    def recover(self, ref: str) -> None:
        """A machine's fact moves no status and answers no promise."""
        number = int(ref[2:]) - 1000
        since = self.now - HOUR
        self.store.write(
            lambda tx: incidents.recover(
                tx, POLICY, number, since=since, until=self.now, is_told=True, at=self.now
            )
        )

    @invariant()
    def model_and_store_agree(self) -> None:
        """Status, priority, promise and history are what the model and the entries say."""
        refused = self.store.read(lambda tx: len(tx.exec(select(RefusalRow)).all()))
        assert refused == self.refused
        for ref, model in self.models.items():
            self.store.read(lambda tx, ref=ref, model=model: self._check(tx, ref, model))

    def _check(self, tx: Session, ref: str, model: Model) -> None:
        number = int(ref[2:]) - 1000
        ticket = tx.get_one(TicketRow, number)
        promise = promise_of(tx, ticket)
        entries = tx.exec(
            select(EntryRow).where(EntryRow.ticket_id == number).order_by(EntryRow.number)  # pyright: ignore[reportArgumentType]
        ).all()
        assert (ticket.status, ticket.priority) == (model.status, model.priority)
        assert (promise.number, promise.respond_by) == (model.cycle, model.respond_by)
        assert (promise.answered_at is not None) is model.answered
        assert ticket.version == len(entries)
        state = dict(replay(entries))
        del state["minutes"], state["links"]
        assert state == describe(ticket, promise) | {"version": ticket.version}
        breaches = [entry.at for entry in entries if entry.action is Action.BREACH]
        promises = tx.exec(select(PromiseRow).where(PromiseRow.ticket_id == number)).all()
        assert len(promises) == model.cycle
        assert len(breaches) == len([one for one in promises if one.breached_at is not None])
        for one in promises:
            is_late = one.answered_at is not None and one.answered_at > one.respond_by
            assert one.breached_at is not None or not is_late

    def teardown(self) -> None:
        """Give the store back."""
        self.store.close()
        self.folder.cleanup()

    def _expected(
        self, model: Model, action: Action, actor: Actor, priority: Priority
    ) -> Model | None:
        """Return the ticket after the action; None if it must be refused."""
        if model.status not in LEGAL[action]:
            return None
        is_answer = action in {Action.REPLY, Action.RESOLVE}
        is_answer = is_answer or (action is Action.ACKNOWLEDGE and model.met_by_taking)
        model = replace(model, answered=model.answered or is_answer)
        taken = replace(model, assignee=model.assignee or actor.staff_id)
        if action is Action.ACKNOWLEDGE or (action is Action.REPLY and model.status is OPEN):
            return replace(taken, status=TAKEN)
        if action is Action.RESOLVE:
            return replace(taken, status=DONE)
        if action is Action.CLOSE:
            return replace(model, status=CLOSED)
        if action is Action.WAIT:
            return replace(model, status=WAITING) if model.answered else None
        if action is Action.RESUME:
            return replace(model, status=TAKEN)
        if action is Action.ASSIGN:
            is_same = model.assignee == actor.staff_id
            return None if is_same else replace(model, assignee=actor.staff_id)
        if action is Action.REOPEN:
            return replace(
                model,
                status=TAKEN if model.assignee else OPEN,
                cycle=model.cycle + 1,
                answered=False,
                started=self.now,
                respond_by=self._deadline(model.priority, self.now),
                met_by_taking=model.priority is Priority.CRITICAL,
            )
        if action is Action.PRIORITY:
            return self._with_priority(model, priority)
        return model

    def _with_priority(self, model: Model, priority: Priority) -> Model | None:
        if priority is model.priority:
            return None
        changed = replace(model, priority=priority)
        if model.answered or self.now > model.respond_by:
            return changed
        due = self._deadline(priority, model.started)
        if due >= model.respond_by:
            return changed
        taking = priority is Priority.CRITICAL
        return replace(changed, respond_by=due, met_by_taking=taking)

    @staticmethod
    def _deadline(priority: Priority, at: datetime) -> datetime:
        hours = POLICY.hours
        if priority is Priority.CRITICAL:
            return hours.add(at, HOUR)
        return hours.add_days(at, 2 if priority is Priority.NORMAL else 3)

    def _do(self, ref: str, action: Action, actor: Actor, priority: Priority, version: int) -> None:
        who: dict[str, Any] = {"actor": actor, "at": self.now, "version": version}
        day = POLICY.hours.next_open(POLICY.hours.add_days(self.now, 2))
        work = Work(minutes=5, worked_on=self.now.date(), text="t")
        deeds: dict[Action, Callable[[Session], object]] = {
            Action.ACKNOWLEDGE: lambda tx: actions.acknowledge(tx, POLICY, ref, **who),
            Action.REPLY: lambda tx: actions.reply(
                tx, POLICY, ref, text="t", outlook=NOTHING_KNOWN, **who
            ),
            Action.NOTE: lambda tx: actions.note(tx, ref, text="t", **who),
            Action.RESOLVE: lambda tx: actions.resolve(tx, POLICY, ref, cause="c", done="d", **who),
            Action.REOPEN: lambda tx: actions.reopen(tx, POLICY, ref, reason="r", **who),
            Action.CLOSE: lambda tx: actions.close(
                tx, ref, outcome=Outcome.NOT_AN_ISSUE, reason="r", **who
            ),
            Action.PRIORITY: lambda tx: triage.set_priority(
                tx, POLICY, ref, priority=priority, reason="r", **who
            ),
            Action.WAIT: lambda tx: waiting.wait(
                tx, POLICY, ref, question="q", resume_on=day.date(), **who
            ),
            Action.RESUME: lambda tx: waiting.resume(tx, POLICY, ref, **who),
            Action.ASSIGN: lambda tx: triage.assign(
                tx, POLICY, ref, assignee_id=actor.staff_id, **who
            ),
            Action.LOG_TIME: lambda tx: time_spent.log_time(tx, POLICY, ref, work=work, **who),
        }
        attempt(self.store, deeds[action], at=self.now)

    def _version(self, ref: str) -> int:
        return self.store.read(lambda tx: tx.get_one(TicketRow, int(ref[2:]) - 1000).version)

    def _stored(self, ref: str) -> TicketRow:
        return self.store.read(lambda tx: tx.get_one(TicketRow, int(ref[2:]) - 1000))


def test_random_actions_lead_where_the_contract_says(migrated_sqlite: Path) -> None:
    Tickets.template = migrated_sqlite
    run_state_machine_as_test(
        Tickets,
        settings=settings(max_examples=18, stateful_step_count=30),
    )
