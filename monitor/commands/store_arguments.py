"""The arguments of the commands that work on the store: tickets, staff, outbox, db."""

from __future__ import annotations

import argparse

from monitor.commands import kinds
from monitor.commands.leaves import Group, add_group, add_leaf, values
from tickets.rules.message import MessageState
from tickets.rules.staff import Role
from tickets.rules.ticket import Outcome


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
        parser.add_argument(
            "--text", metavar="T", type=kinds.text, help="the text (default: read from stdin)"
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
    close = _action_leaf(
        tickets, "close", does="close a ticket for good; nobody is told", more=" --outcome fixed"
    )
    close.add_argument("--outcome", choices=values(Outcome), required=True)
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


def _action_leaf(group: Group, name: str, *, does: str, more: str = "") -> argparse.ArgumentParser:
    parser = _ticket_leaf(group, name, ("ticket_actions", name), does=does, more=more)
    parser.add_argument(
        "--as",
        dest="staff",
        metavar="EMAIL",
        help="who acts (default: FETTLE_STAFF, else the only staff member)",
    )
    return parser


def add_staff(group: Group) -> None:
    """Add ``fettle staff`` and its actions."""
    staff = add_group(group, "staff", does="look after the accounts of the desk")
    add = add_leaf(
        staff,
        "add",
        ("staff", "add"),
        does="add a staff member, who may sign in at once; asks for the password",
        example="fettle staff add sam@agency.example --name Sam --role lead",
        has_json=True,
    )
    add.add_argument("email", metavar="EMAIL", type=kinds.text)
    add.add_argument(
        "--name", metavar="N", type=kinds.text, required=True, help="the name that clients read"
    )
    add.add_argument(
        "--role",
        choices=values(Role),
        default=Role.STAFF.value,
        help=f"what they may do; a viewer only reads (default: {Role.STAFF.value})",
    )
    add_leaf(
        staff,
        "list",
        ("staff", "list_all"),
        does="list the accounts",
        example="fettle staff list",
        has_json=True,
    )
    disable = add_leaf(
        staff,
        "disable",
        ("staff", "disable"),
        does="shut an account out and end its sessions; its name stays in histories",
        example="fettle staff disable sam@agency.example",
        has_json=True,
    )
    disable.add_argument("email", metavar="EMAIL")
    password = add_leaf(
        staff,
        "password",
        ("staff", "set_password"),
        does="give an account another password and end its sessions",
        example="fettle staff password sam@agency.example",
        has_json=True,
    )
    password.add_argument("email", metavar="EMAIL")
    for parser in (add, password):
        parser.add_argument(
            "--password-stdin", action="store_true", help="read the password from stdin, one line"
        )


def add_outbox_and_db(group: Group) -> None:
    """Add ``fettle outbox`` and ``fettle db`` with their actions."""
    outbox = add_group(group, "outbox", does="look at the messages to clients and staff")
    listing = add_leaf(
        outbox,
        "list",
        ("outbox", "list_all"),
        does="list the newest messages and how their delivery stands",
        example="fettle outbox list --state dead",
        has_json=True,
    )
    listing.add_argument("--state", choices=values(MessageState), help="only these")
    db = add_group(group, "db", does="look after the store")
    add_leaf(
        db,
        "upgrade",
        ("database", "upgrade"),
        does="bring the store to this version, or make a new one",
        example="fettle db upgrade",
    )
    add_leaf(
        db,
        "check",
        ("database", "check"),
        does="tell whether the store answers, is whole and fits this version",
        example="fettle db check",
        has_json=True,
    )
