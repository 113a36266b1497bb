"""The arguments of ``fettle tickets`` and its actions."""

from __future__ import annotations

import argparse

from monitor.commands import kinds
from monitor.commands.leaves import Group, add_group, add_leaf, values
from tickets.rules.ticket import (
    PEOPLE_CATEGORIES,
    RESOLVING_OUTCOMES,
    WAIT_DAYS,
    Category,
    Outcome,
    Priority,
)


def add_tickets(group: Group) -> None:
    """Add ``fettle tickets`` and its actions."""
    tickets = add_group(group, "tickets", does="look at tickets and work on them")
    listing = add_leaf(
        tickets,
        "list",
        ("tickets", "list_all"),
        does="list the tickets with work outstanding, the nearest deadline first",
        example="fettle tickets list --all",
        has_json=True,
    )
    listing.add_argument("--all", action="store_true", help="resolved and closed ones as well")
    _ticket_leaf(tickets, "show", ("tickets", "show"), does="show a ticket with its history")
    _action_leaf(tickets, "acknowledge", does="take a ticket; keeps a critical promise")
    reply = _action_leaf(
        tickets, "reply", does="send a word to the client", more=' --text "We have found it."'
    )
    note = _action_leaf(
        tickets, "note", does="add a note that only staff see", more=' --text "Host says 14:00."'
    )
    for parser in (reply, note):
        _add_text(parser)
    reply.add_argument(
        "--next-steps",
        metavar="T",
        type=kinds.text,
        default="",
        help="what happens next; the first reply to a normal or low ticket needs it",
    )
    reply.add_argument(
        "--estimate",
        metavar="T",
        type=kinds.text,
        default="",
        help="when it will be done; the first reply needs it as well",
    )
    reply.add_argument(
        "--not-yet-known",
        action="store_true",
        help="tell the client so in place of next steps and estimate that are not given",
    )
    resolve = _action_leaf(
        tickets,
        "resolve",
        does="say that the cause is dealt with; the client is told",
        more=' --cause "Disk full" --done "Logs removed"',
    )
    resolve.add_argument("--cause", metavar="C", type=kinds.text, required=True, help="what it was")
    resolve.add_argument(
        "--done", metavar="D", type=kinds.text, required=True, help="what was done"
    )
    resolve.add_argument(
        "--outcome",
        choices=values(RESOLVING_OUTCOMES),
        default=Outcome.FIXED.value,
        help=f"how it ended (default: {Outcome.FIXED.value})",
    )
    close = _action_leaf(
        tickets, "close", does="close a ticket for good; nobody is told", more=" --outcome fixed"
    )
    close.add_argument(
        "--outcome",
        choices=values(Outcome),
        help="how it ended (default: as it was resolved)",
    )
    close.add_argument(
        "--reason",
        metavar="R",
        type=kinds.text,
        default="",
        help="why; needed if the ticket is not resolved",
    )
    reopen = _action_leaf(
        tickets,
        "reopen",
        does="take up a resolved ticket again, with a new promise",
        more=' --reason "It is back"',
    )
    reopen.add_argument(
        "--reason", metavar="R", type=kinds.text, required=True, help="why, in words for the client"
    )
    _add_opening(tickets)
    _add_triage(tickets)
    _add_waiting(tickets)
    _add_relations(tickets)


def _add_opening(tickets: Group) -> None:
    opening = add_leaf(
        tickets,
        "open",
        ("ticket_life", "open_"),
        does="open a ticket on behalf of a client, who gets a receipt with the deadline",
        example='fettle tickets open --client harbour --title "Menu is cut off" --text "..."',
        has_json=True,
    )
    opening.add_argument("--client", metavar="SLUG", type=kinds.text, required=True)
    opening.add_argument("--site", metavar="SLUG", type=kinds.text, help="the site it is about")
    opening.add_argument(
        "--priority",
        choices=values(Priority),
        default=Priority.NORMAL.value,
        help=f"picks the response target (default: {Priority.NORMAL.value})",
    )
    opening.add_argument(
        "--category",
        choices=values(PEOPLE_CATEGORIES),
        default=Category.BUG_FIX.value,
        help=f"what it is about (default: {Category.BUG_FIX.value})",
    )
    opening.add_argument("--title", metavar="T", type=kinds.text, required=True)
    _add_text(opening)
    opening.add_argument(
        "--requester",
        metavar="EMAIL",
        type=kinds.text,
        help="who asks (default: the client's contacts for tickets are told)",
    )
    opening.add_argument("--requester-name", metavar="N", type=kinds.text, default="")
    opening.add_argument(
        "--key",
        metavar="K",
        type=kinds.text,
        help="opens one ticket however often the same key is given",
    )
    _add_actor(opening)


def _add_triage(tickets: Group) -> None:
    priority = _action_leaf(
        tickets,
        "priority",
        does="change the priority; the deadline may come nearer, never further",
        more=' critical --reason "Nobody can book"',
        module="ticket_life",
    )
    priority.add_argument("priority", choices=values(Priority))
    priority.add_argument(
        "--reason", metavar="R", type=kinds.text, required=True, help="why, in words for the client"
    )
    category = _action_leaf(
        tickets,
        "category",
        does="say what a request is about",
        more=" advice",
        module="ticket_life",
    )
    category.add_argument("category", choices=values(PEOPLE_CATEGORIES))
    assign = _action_leaf(
        tickets,
        "assign",
        does="give a ticket to one of the staff, or to nobody",
        more=" --to mia@agency.example",
        module="ticket_life",
    )
    whom = assign.add_mutually_exclusive_group(required=True)
    whom.add_argument("--to", metavar="EMAIL", type=kinds.text, help="who has it from now on")
    whom.add_argument("--nobody", action="store_true", help="take it from whoever has it")


def _add_waiting(tickets: Group) -> None:
    wait = _action_leaf(
        tickets,
        "wait",
        does="ask the client and wait; the promise must be met",
        more=' --until 2026-03-12 --question "Which picture?"',
        module="ticket_life",
    )
    wait.add_argument(
        "--until",
        metavar="DATE",
        type=kinds.day,
        required=True,
        help=f"a support day, at most {WAIT_DAYS} ahead, on which work resumes",
    )
    wait.add_argument(
        "--question", metavar="T", type=kinds.text, help="the question (default: read from stdin)"
    )
    resume = _action_leaf(
        tickets, "resume", does="go on without waiting for the client", module="ticket_life"
    )
    resume.add_argument("--text", metavar="T", type=kinds.text, help="why, for staff only")


def _add_relations(tickets: Group) -> None:
    merge = _action_leaf(
        tickets,
        "merge",
        does="close a ticket as a duplicate of another; the client is told once",
        more=" --into T-1040",
        module="ticket_life",
    )
    merge.add_argument("--into", metavar="REF", required=True, help="the ticket that goes on")
    merge.add_argument("--reason", metavar="R", type=kinds.text, default="", help="for staff only")
    link = _action_leaf(
        tickets,
        "link",
        does="say that two tickets belong together",
        more=" --to T-1040",
        module="ticket_life",
    )
    link.add_argument("--to", metavar="REF", required=True, help="the other ticket")
    _action_leaf(
        tickets,
        "revoke-links",
        does="shut the links to a ticket that were mailed to its client",
        module="ticket_life",
    )
    log_time = _action_leaf(
        tickets,
        "log-time",
        does="log work against the client's monthly allowance",
        more=' 45 --text "Moved the logs"',
        module="ticket_life",
    )
    log_time.add_argument("minutes", metavar="MINUTES", type=kinds.minutes)
    log_time.add_argument(
        "--on", metavar="DATE", type=kinds.day, help="date of the work (default: today)"
    )
    _add_text(log_time)


def _add_text(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--text", metavar="T", type=kinds.text, help="the text (default: read from stdin)"
    )


def _ticket_leaf(
    group: Group, name: str, calls: tuple[str, str], *, does: str, more: str = ""
) -> argparse.ArgumentParser:
    parser = add_leaf(
        group,
        name,
        calls,
        does=does,
        example=f"fettle tickets {name} T-1042{more}",
        has_json=True,
    )
    parser.add_argument("reference", metavar="REF", help="the ticket, such as T-1042")
    return parser


def _action_leaf(
    group: Group, name: str, *, does: str, more: str = "", module: str = "ticket_actions"
) -> argparse.ArgumentParser:
    calls = (module, name.replace("-", "_"))
    parser = _ticket_leaf(group, name, calls, does=does, more=more)
    _add_actor(parser)
    return parser


def _add_actor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--as",
        dest="staff",
        metavar="EMAIL",
        help="who acts (default: FETTLE_STAFF, else the only staff member)",
    )
