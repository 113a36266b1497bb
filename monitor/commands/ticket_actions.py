"""``fettle tickets acknowledge``, ``reply``, ``note``, ``resolve``, ``close`` and ``reopen``.

Each acts as a named staff member, in one transaction, and tells what came of it.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from datetime import datetime

from monitor.commands.screen import Screen
from monitor.commands.surroundings import Surroundings, WrongUsage, open_store
from monitor.commands.ticket_documents import page_document
from monitor.service import build_policy
from tickets import accounts, actions, queries
from tickets.accounts import Staff
from tickets.desk.phrases import DEEDS
from tickets.errors import Refused
from tickets.history import Actor
from tickets.policy import Policy
from tickets.queries import TicketPage
from tickets.rules.staff import may_act
from tickets.rules.ticket import Outcome
from tickets.rules.words import format_instant
from tickets.store import Session

STAFF_VARIABLE = "FETTLE_STAFF"

Deed = Callable[[Session, Policy, Actor, datetime], object]
"""What is done to the ticket, in the transaction given."""


def acknowledge(surroundings: Surroundings, arguments: Namespace) -> int:
    """Take a ticket as a named person."""

    def deed(tx: Session, policy: Policy, actor: Actor, at: datetime) -> object:
        return actions.acknowledge(tx, policy, arguments.reference, actor=actor, at=at)

    return _act(surroundings, arguments, deed)


def reply(surroundings: Surroundings, arguments: Namespace) -> int:
    """Send a word to the client."""
    text = _text(surroundings.screen, arguments.text, what="reply")

    def deed(tx: Session, policy: Policy, actor: Actor, at: datetime) -> object:
        return actions.reply(tx, policy, arguments.reference, text=text, actor=actor, at=at)

    return _act(surroundings, arguments, deed)


def note(surroundings: Surroundings, arguments: Namespace) -> int:
    """Add a note that only staff see."""
    text = _text(surroundings.screen, arguments.text, what="note")

    def deed(tx: Session, _policy: Policy, actor: Actor, at: datetime) -> object:
        return actions.note(tx, arguments.reference, text=text, actor=actor, at=at)

    return _act(surroundings, arguments, deed)


def resolve(surroundings: Surroundings, arguments: Namespace) -> int:
    """Record that the cause is dealt with and tell the client."""

    def deed(tx: Session, policy: Policy, actor: Actor, at: datetime) -> object:
        return actions.resolve(
            tx,
            policy,
            arguments.reference,
            cause=arguments.cause,
            done=arguments.done,
            actor=actor,
            at=at,
        )

    return _act(surroundings, arguments, deed)


def close(surroundings: Surroundings, arguments: Namespace) -> int:
    """Close a ticket for good."""

    def deed(tx: Session, _policy: Policy, actor: Actor, at: datetime) -> object:
        return actions.close(
            tx,
            arguments.reference,
            outcome=Outcome(arguments.outcome),
            reason=arguments.reason,
            actor=actor,
            at=at,
        )

    return _act(surroundings, arguments, deed)


def reopen(surroundings: Surroundings, arguments: Namespace) -> int:
    """Take up a resolved ticket again, with a new promise."""

    def deed(tx: Session, policy: Policy, actor: Actor, at: datetime) -> object:
        return actions.reopen(
            tx, policy, arguments.reference, reason=arguments.reason, actor=actor, at=at
        )

    return _act(surroundings, arguments, deed)


def _act(surroundings: Surroundings, arguments: Namespace, deed: Deed) -> int:
    settings = surroundings.load_settings()
    policy = build_policy(settings, clock=surroundings.clock)
    at = surroundings.clock.now()
    wanted = arguments.staff or surroundings.environ.get(STAFF_VARIABLE)

    def work(tx: Session) -> TicketPage:
        actor = _choose_actor(accounts.list_staff(tx), wanted)
        deed(tx, policy, actor, at)
        return queries.get_ticket_page(tx, arguments.reference)

    with open_store(settings) as store:
        page = store.write(work)
    if arguments.json:
        surroundings.screen.document(page_document(page, policy.hours, now=at))
    else:
        _tell(surroundings.screen, page, policy)
    return 0


def _tell(screen: Screen, page: TicketPage, policy: Policy) -> None:
    """Tell in a few lines what the newest entry did."""
    ticket, entry = page.ticket, page.entries[-1]
    screen.line(f"{ticket.reference}: {entry.actor} {DEEDS[entry.action]}; it is {ticket.status}")
    if ticket.promise.answered_at == entry.at:
        kept = "kept" if ticket.promise.was_kept else "met, but late"
        screen.line(f"The promise is {kept}.")
    elif not ticket.promise.is_answered and not ticket.closed_at:
        screen.line(f"Respond by {format_instant(ticket.promise.respond_by, policy.zone)}.")
    if ticket.update_by is not None:
        screen.line(f"Next word to the client by {format_instant(ticket.update_by, policy.zone)}.")
    told = [each.address for each in page.messages if each.entry_number == entry.number]
    screen.line(f"Told by mail: {', '.join(told)}" if told else "Nobody is told by mail.")


def _choose_actor(staff: Sequence[Staff], wanted: str | None) -> Actor:
    """Return who acts: the one named, else the only one who can.

    Raises ``WrongUsage`` when that is nobody or unclear, ``Refused`` for one who only reads.
    """
    enabled = [person for person in staff if not person.is_disabled]
    if wanted is not None:
        found = [person for person in enabled if person.email == wanted.strip().lower()]
        if not found:
            raise WrongUsage(
                f"nobody who may sign in has the address {wanted!r}; `fettle staff list` shows all"
            )
    else:
        found = enabled
    if not found:
        raise WrongUsage("there is no staff member yet; add one with `fettle staff add`")
    if len(found) > 1:
        raise WrongUsage(
            f"say who acts with --as EMAIL or in {STAFF_VARIABLE}: there are {len(found)} staff "
            "members"
        )
    person = found[0]
    if not may_act(person.role):
        raise Refused(f"{person.name} is a {person.role}, who reads tickets and cannot change them")
    return Actor(person.name, person.id, person.email)


def _text(screen: Screen, text: str | None, *, what: str) -> str:
    """Return the text given, or else what comes on stdin; too much of it is for the action."""
    if text is not None:
        return text
    if screen.input.isatty():
        screen.hint(f"Write the {what}; end with Ctrl-D on a line of its own.")
    try:
        text = screen.input.read(actions.MAX_TEXT + 2)
    except UnicodeDecodeError as error:
        raise WrongUsage(f"the {what} on stdin is not text in {error.encoding}") from error
    if "\0" in text:
        raise WrongUsage(f"the {what} on stdin holds a NUL character")
    return text
