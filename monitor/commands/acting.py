"""How the commands act on a ticket: as whom, in one transaction, and what is told after."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from datetime import datetime

from monitor.commands.screen import Screen
from monitor.commands.surroundings import Surroundings, WrongUsage, open_store
from monitor.commands.ticket_documents import page_document
from monitor.service import build_policy
from tickets import accounts
from tickets.accounts import Staff
from tickets.attachments import AttachmentView, list_attachments
from tickets.desk.phrases import DEEDS
from tickets.errors import Refused
from tickets.history import Actor
from tickets.policy import Policy
from tickets.queries.tickets import get_ticket_page
from tickets.queries.views import TicketPage
from tickets.refusals import attempt
from tickets.rules.staff import may_act
from tickets.rules.ticket import reference
from tickets.rules.words import format_instant
from tickets.store import Session
from tickets.tables import TicketRow
from tickets.texts import MAX_TEXT
from tickets.work import WorkView, list_work

STAFF_VARIABLE = "FETTLE_STAFF"

Deed = Callable[[Session, Policy, Actor, datetime], TicketRow]
"""What is done to the ticket, in the transaction given; returns the ticket."""


def act(surroundings: Surroundings, arguments: Namespace, deed: Deed) -> int:
    """Do ``deed`` as the staff member meant, in one transaction, and tell what came of it."""
    settings = surroundings.load_settings()
    policy = build_policy(settings, clock=surroundings.clock)
    at = surroundings.clock.now()
    wanted = arguments.staff or surroundings.environ.get(STAFF_VARIABLE)

    def work(tx: Session) -> tuple[TicketPage, WorkView, Sequence[AttachmentView]]:
        actor = choose_actor(accounts.list_staff(tx), wanted)
        ticket = deed(tx, policy, actor, at)
        assert ticket.id is not None
        page = get_ticket_page(tx, reference(ticket.id))
        today = at.astimezone(policy.zone).date()
        return page, list_work(tx, ticket.id, today=today), list_attachments(tx, ticket.id)

    with open_store(settings) as store:
        page, belongs, files = attempt(store, work, at=at)
    if arguments.json:
        surroundings.screen.document(
            page_document(page, belongs, policy.hours_of(page.ticket.client), files=files, now=at)
        )
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
    if ticket.resume_at is not None:
        screen.line(f"Work resumes {format_instant(ticket.resume_at, policy.zone)}.")
    told = [each.address for each in page.messages if each.entry_number == entry.number]
    screen.line(f"Told by mail: {', '.join(told)}" if told else "Nobody is told by mail.")


def choose_actor(staff: Sequence[Staff], wanted: str | None) -> Actor:
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


def read_text(screen: Screen, text: str | None, *, what: str) -> str:
    """Return the text given, or else what comes on stdin; too much of it is for the action."""
    if text is not None:
        return text
    if screen.input.isatty():
        screen.hint(f"Write the {what}; end with Ctrl-D on a line of its own.")
    try:
        text = screen.input.read(MAX_TEXT + 2)
    except UnicodeDecodeError as error:
        raise WrongUsage(f"the {what} on stdin is not text in {error.encoding}") from error
    if "\0" in text:
        raise WrongUsage(f"the {what} on stdin holds a NUL character")
    return text
