"""The rest of ``fettle tickets``: open, sort, assign, wait, resume, merge, link, revoke, log time.

Each acts as a named staff member, in one transaction, and tells what came of it.
"""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime

from monitor.commands.acting import act, choose_actor, read_text
from monitor.commands.surroundings import Surroundings
from tickets import accounts, links, relations, time_spent, triage, waiting
from tickets.history import Actor
from tickets.opening import NewRequest, Requester, open_request
from tickets.policy import Policy
from tickets.rules.ticket import Category, Priority, Source
from tickets.store import Session
from tickets.tables import TicketRow
from tickets.time_spent import Work


def open_(surroundings: Surroundings, arguments: Namespace) -> int:
    """Open a ticket on behalf of a client."""
    text = read_text(surroundings.screen, arguments.text, what="request")
    address = arguments.requester
    new = NewRequest(
        client=arguments.client,
        site=arguments.site,
        priority=Priority(arguments.priority),
        category=Category(arguments.category),
        title=arguments.title,
        text=text,
        requester=Requester(arguments.requester_name, address) if address else None,
        source=Source.STAFF,
        key=None if arguments.key is None else f"cli:{arguments.key}",
    )

    def deed(tx: Session, policy: Policy, actor: Actor, at: datetime) -> TicketRow:
        return open_request(tx, policy, new, actor=actor, at=at)

    return act(surroundings, arguments, deed)


def priority(surroundings: Surroundings, arguments: Namespace) -> int:
    """Change the priority of a ticket."""

    def deed(tx: Session, policy: Policy, actor: Actor, at: datetime) -> TicketRow:
        return triage.set_priority(
            tx,
            policy,
            arguments.reference,
            priority=Priority(arguments.priority),
            reason=arguments.reason,
            actor=actor,
            at=at,
        )

    return act(surroundings, arguments, deed)


def category(surroundings: Surroundings, arguments: Namespace) -> int:
    """Say what a request is about."""

    def deed(tx: Session, _policy: Policy, actor: Actor, at: datetime) -> TicketRow:
        category = Category(arguments.category)
        return triage.set_category(tx, arguments.reference, category=category, actor=actor, at=at)

    return act(surroundings, arguments, deed)


def assign(surroundings: Surroundings, arguments: Namespace) -> int:
    """Give a ticket to one of the staff, or to nobody."""

    def deed(tx: Session, policy: Policy, actor: Actor, at: datetime) -> TicketRow:
        assignee_id = None
        if not arguments.nobody:
            assignee_id = choose_actor(accounts.list_staff(tx), arguments.to).staff_id
        return triage.assign(
            tx, policy, arguments.reference, assignee_id=assignee_id, actor=actor, at=at
        )

    return act(surroundings, arguments, deed)


def wait(surroundings: Surroundings, arguments: Namespace) -> int:
    """Ask the client and wait for the answer."""
    question = read_text(surroundings.screen, arguments.question, what="question")

    def deed(tx: Session, policy: Policy, actor: Actor, at: datetime) -> TicketRow:
        return waiting.wait(
            tx,
            policy,
            arguments.reference,
            question=question,
            resume_on=arguments.until,
            actor=actor,
            at=at,
        )

    return act(surroundings, arguments, deed)


def resume(surroundings: Surroundings, arguments: Namespace) -> int:
    """Go on with the work on a waiting ticket."""

    def deed(tx: Session, policy: Policy, actor: Actor, at: datetime) -> TicketRow:
        text = arguments.text or ""
        return waiting.resume(tx, policy, arguments.reference, text=text, actor=actor, at=at)

    return act(surroundings, arguments, deed)


def merge(surroundings: Surroundings, arguments: Namespace) -> int:
    """Close a ticket as a duplicate of another."""

    def deed(tx: Session, policy: Policy, actor: Actor, at: datetime) -> TicketRow:
        return relations.merge(
            tx,
            policy,
            arguments.reference,
            into=arguments.into,
            reason=arguments.reason,
            actor=actor,
            at=at,
        )

    return act(surroundings, arguments, deed)


def link(surroundings: Surroundings, arguments: Namespace) -> int:
    """Say that two tickets belong together."""

    def deed(tx: Session, _policy: Policy, actor: Actor, at: datetime) -> TicketRow:
        return relations.link(tx, arguments.reference, other=arguments.to, actor=actor, at=at)

    return act(surroundings, arguments, deed)


def revoke_links(surroundings: Surroundings, arguments: Namespace) -> int:
    """Shut the links to a ticket that were mailed to its client."""

    def deed(tx: Session, _policy: Policy, actor: Actor, at: datetime) -> TicketRow:
        return links.shut_links(tx, arguments.reference, actor=actor, at=at)

    return act(surroundings, arguments, deed)


def log_time(surroundings: Surroundings, arguments: Namespace) -> int:
    """Log work on a ticket; today unless another date is given."""
    text = read_text(surroundings.screen, arguments.text, what="work")

    def deed(tx: Session, policy: Policy, actor: Actor, at: datetime) -> TicketRow:
        on = arguments.on or at.astimezone(policy.zone).date()
        work = Work(minutes=arguments.minutes, worked_on=on, text=text)
        return time_spent.log_time(tx, policy, arguments.reference, work=work, actor=actor, at=at)

    return act(surroundings, arguments, deed)
