"""Forms of a ticket turned into actions: what each must hold, and what it then does.

Faults are told by field where the form can say which; whatever else an action refuses is told in
its own sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from tickets import actions, attachments, links, relations, time_spent, triage, waiting
from tickets.actions import NOTHING_KNOWN, Outlook
from tickets.history import Actor
from tickets.pages.forms import FieldFault, check_texts, read_day, read_number
from tickets.policy import Policy
from tickets.rules.attachment import CheckedFile
from tickets.rules.ticket import (
    PEOPLE_CATEGORIES,
    RESOLVING_OUTCOMES,
    Action,
    Category,
    Outcome,
    Priority,
)
from tickets.store import Session
from tickets.tables import TicketRow
from tickets.texts import MAX_TEXT
from tickets.time_spent import Work

NOBODY = "0"
"""What the form says in place of an assignee."""

TEXTS: Mapping[Action, Mapping[str, str]] = {
    Action.REPLY: {"text": "what the client should know"},
    Action.NOTE: {"text": "the note"},
    Action.RESOLVE: {"cause": "what the cause was", "done": "what was done"},
    Action.REOPEN: {"reason": "why the ticket is taken up again"},
    Action.PRIORITY: {"reason": "why the priority changes"},
    Action.WAIT: {"question": "what you ask the client"},
    Action.MERGE: {"into": "the ticket that goes on, such as T-1042"},
    Action.LINK: {"other": "the other ticket, such as T-1042"},
    Action.LOG_TIME: {"text": "what was done"},
}
"""Which texts the form of each action must hold, and what to write there."""

WITH_FILES = frozenset({Action.REPLY, Action.NOTE})
"""Actions whose forms take files: a reply's are for the client, a note's for staff alone."""

CHOICES: Mapping[Action, Mapping[str, tuple[Sequence[StrEnum], str]]] = {
    Action.RESOLVE: {"outcome": (RESOLVING_OUTCOMES, "Choose how it ended")},
    Action.CLOSE: {"outcome": (tuple(Outcome), "Choose how it ended")},
    Action.PRIORITY: {"priority": (tuple(Priority), "Choose the priority")},
    Action.CATEGORY: {"category": (PEOPLE_CATEGORIES, "Choose what it is about")},
}
"""Which choices the form of each action must hold, and what to say if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A form that was read: who does what to which ticket, as read at which version.

    ``files`` came with it, if its action is one of ``WITH_FILES``.
    """

    policy: Policy
    ref: str
    action: Action
    fields: Mapping[str, str]
    actor: Actor
    at: datetime
    version: int
    files: Sequence[CheckedFile] = ()

    def carry_out(self, tx: Session) -> None:
        """Do it in the write transaction ``tx``."""
        _DEEDS[self.action](tx, self)


def faults_of(action: Action, fields: Mapping[str, str]) -> Sequence[FieldFault]:
    """Return what is wrong with the form of ``action``, field by field."""
    faults = list(check_texts(fields, TEXTS.get(action, {}), most=MAX_TEXT))
    for name, (choices, sentence) in CHOICES.get(action, {}).items():
        if fields.get(name) not in {choice.value for choice in choices}:
            faults.append(FieldFault(name, sentence))
    if action is Action.WAIT and read_day(fields.get("resume_on", "")) is None:
        faults.append(FieldFault("resume_on", "Give the date on which work resumes"))
    if action is Action.ASSIGN and read_number(fields.get("assignee", "")) is None:
        faults.append(FieldFault("assignee", "Choose who has the ticket"))
    if action is Action.LOG_TIME:
        if read_number(fields.get("minutes", "")) is None:
            faults.append(FieldFault("minutes", "Give the minutes as a whole number"))
        if read_day(fields.get("worked_on", "")) is None:
            faults.append(FieldFault("worked_on", "Give the date of the work"))
    return faults


def _day(fields: Mapping[str, str], name: str) -> date:
    day = read_day(fields.get(name, ""))
    assert day is not None, f"{name} was checked before"
    return day


def _number(fields: Mapping[str, str], name: str) -> int:
    number = read_number(fields.get(name, ""))
    assert number is not None, f"{name} was checked before"
    return number


def _acknowledge(tx: Session, order: Order) -> None:
    actions.acknowledge(
        tx, order.policy, order.ref, actor=order.actor, at=order.at, version=order.version
    )


def _reply(tx: Session, order: Order) -> None:
    fields = order.fields
    outlook = Outlook(next_steps=fields.get("next_steps", ""), estimate=fields.get("estimate", ""))
    if fields.get("unknown") == "1":
        outlook = Outlook(
            next_steps=outlook.next_steps.strip() or NOTHING_KNOWN.next_steps,
            estimate=outlook.estimate.strip() or NOTHING_KNOWN.estimate,
        )
    ticket = actions.reply(
        tx,
        order.policy,
        order.ref,
        text=fields["text"],
        files=[file.name for file in order.files],
        outlook=outlook,
        actor=order.actor,
        at=order.at,
        version=order.version,
    )
    _keep_files(tx, ticket, order)


def _note(tx: Session, order: Order) -> None:
    text = order.fields["text"]
    ticket = actions.note(
        tx, order.ref, text=text, actor=order.actor, at=order.at, version=order.version
    )
    _keep_files(tx, ticket, order)


def _keep_files(tx: Session, ticket: TicketRow, order: Order) -> None:
    """Store the files of the form as those of the entry that it has just added."""
    attachments.keep(
        tx,
        ticket.id or 0,
        entry_number=ticket.version,
        files=order.files,
        sender_address=None,
        at=order.at,
    )


def _resolve(tx: Session, order: Order) -> None:
    actions.resolve(
        tx,
        order.policy,
        order.ref,
        cause=order.fields["cause"],
        done=order.fields["done"],
        outcome=Outcome(order.fields["outcome"]),
        actor=order.actor,
        at=order.at,
        version=order.version,
    )


def _close(tx: Session, order: Order) -> None:
    actions.close(
        tx,
        order.ref,
        outcome=Outcome(order.fields["outcome"]),
        reason=order.fields.get("reason", ""),
        actor=order.actor,
        at=order.at,
        version=order.version,
    )


def _reopen(tx: Session, order: Order) -> None:
    actions.reopen(
        tx,
        order.policy,
        order.ref,
        reason=order.fields["reason"],
        actor=order.actor,
        at=order.at,
        version=order.version,
    )


def _priority(tx: Session, order: Order) -> None:
    triage.set_priority(
        tx,
        order.policy,
        order.ref,
        priority=Priority(order.fields["priority"]),
        reason=order.fields["reason"],
        actor=order.actor,
        at=order.at,
        version=order.version,
    )


def _category(tx: Session, order: Order) -> None:
    triage.set_category(
        tx,
        order.ref,
        category=Category(order.fields["category"]),
        actor=order.actor,
        at=order.at,
        version=order.version,
    )


def _assign(tx: Session, order: Order) -> None:
    triage.assign(
        tx,
        order.policy,
        order.ref,
        assignee_id=_number(order.fields, "assignee") or None,
        actor=order.actor,
        at=order.at,
        version=order.version,
    )


def _wait(tx: Session, order: Order) -> None:
    waiting.wait(
        tx,
        order.policy,
        order.ref,
        question=order.fields["question"],
        resume_on=_day(order.fields, "resume_on"),
        actor=order.actor,
        at=order.at,
        version=order.version,
    )


def _resume(tx: Session, order: Order) -> None:
    waiting.resume(
        tx, order.policy, order.ref, actor=order.actor, at=order.at, version=order.version
    )


def _merge(tx: Session, order: Order) -> None:
    relations.merge(
        tx,
        order.policy,
        order.ref,
        into=order.fields["into"],
        reason=order.fields.get("reason", ""),
        actor=order.actor,
        at=order.at,
        version=order.version,
    )


def _link(tx: Session, order: Order) -> None:
    other = order.fields["other"]
    relations.link(
        tx, order.ref, other=other, actor=order.actor, at=order.at, version=order.version
    )


def _log_time(tx: Session, order: Order) -> None:
    work = Work(
        minutes=_number(order.fields, "minutes"),
        worked_on=_day(order.fields, "worked_on"),
        text=order.fields["text"],
    )
    time_spent.log_time(
        tx,
        order.policy,
        order.ref,
        work=work,
        actor=order.actor,
        at=order.at,
        version=order.version,
    )


def _revoke_links(tx: Session, order: Order) -> None:
    links.shut_links(tx, order.ref, actor=order.actor, at=order.at, version=order.version)


_DEEDS: Mapping[Action, Callable[[Session, Order], None]] = {
    Action.ACKNOWLEDGE: _acknowledge,
    Action.REPLY: _reply,
    Action.NOTE: _note,
    Action.RESOLVE: _resolve,
    Action.CLOSE: _close,
    Action.REOPEN: _reopen,
    Action.PRIORITY: _priority,
    Action.CATEGORY: _category,
    Action.ASSIGN: _assign,
    Action.WAIT: _wait,
    Action.RESUME: _resume,
    Action.MERGE: _merge,
    Action.LINK: _link,
    Action.LOG_TIME: _log_time,
    Action.REVOKE_LINKS: _revoke_links,
}
