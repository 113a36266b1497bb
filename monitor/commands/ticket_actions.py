"""``fettle tickets acknowledge``, ``reply``, ``note``, ``resolve``, ``close`` and ``reopen``.

Each acts as a named staff member, in one transaction, and tells what came of it.
"""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime

from monitor.commands.acting import act, read_text
from monitor.commands.surroundings import Surroundings
from tickets import actions
from tickets.actions import NOTHING_KNOWN, Outlook
from tickets.history import Actor
from tickets.policy import Policy
from tickets.rules.ticket import Outcome
from tickets.store import Session
from tickets.tables import TicketRow


def acknowledge(surroundings: Surroundings, arguments: Namespace) -> int:
    """Take a ticket as a named person."""

    def deed(tx: Session, policy: Policy, actor: Actor, at: datetime) -> TicketRow:
        return actions.acknowledge(tx, policy, arguments.reference, actor=actor, at=at)

    return act(surroundings, arguments, deed)


def reply(surroundings: Surroundings, arguments: Namespace) -> int:
    """Send a word to the client."""
    text = read_text(surroundings.screen, arguments.text, what="reply")
    known = NOTHING_KNOWN if arguments.not_yet_known else Outlook()
    outlook = Outlook(
        next_steps=arguments.next_steps or known.next_steps,
        estimate=arguments.estimate or known.estimate,
    )

    def deed(tx: Session, policy: Policy, actor: Actor, at: datetime) -> TicketRow:
        return actions.reply(
            tx, policy, arguments.reference, text=text, outlook=outlook, actor=actor, at=at
        )

    return act(surroundings, arguments, deed)


def note(surroundings: Surroundings, arguments: Namespace) -> int:
    """Add a note that only staff see."""
    text = read_text(surroundings.screen, arguments.text, what="note")

    def deed(tx: Session, _policy: Policy, actor: Actor, at: datetime) -> TicketRow:
        return actions.note(tx, arguments.reference, text=text, actor=actor, at=at)

    return act(surroundings, arguments, deed)


def resolve(surroundings: Surroundings, arguments: Namespace) -> int:
    """Record that the cause is dealt with and tell the client."""

    def deed(tx: Session, policy: Policy, actor: Actor, at: datetime) -> TicketRow:
        return actions.resolve(
            tx,
            policy,
            arguments.reference,
            cause=arguments.cause,
            done=arguments.done,
            outcome=Outcome(arguments.outcome),
            actor=actor,
            at=at,
        )

    return act(surroundings, arguments, deed)


def close(surroundings: Surroundings, arguments: Namespace) -> int:
    """Close a ticket for good."""

    def deed(tx: Session, _policy: Policy, actor: Actor, at: datetime) -> TicketRow:
        return actions.close(
            tx,
            arguments.reference,
            outcome=None if arguments.outcome is None else Outcome(arguments.outcome),
            reason=arguments.reason,
            actor=actor,
            at=at,
        )

    return act(surroundings, arguments, deed)


def reopen(surroundings: Surroundings, arguments: Namespace) -> int:
    """Take up a resolved ticket again, with a new promise."""

    def deed(tx: Session, policy: Policy, actor: Actor, at: datetime) -> TicketRow:
        return actions.reopen(
            tx, policy, arguments.reference, reason=arguments.reason, actor=actor, at=at
        )

    return act(surroundings, arguments, deed)
