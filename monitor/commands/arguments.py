"""The commands of ``fettle`` with their arguments, help and examples; nothing is run here.

Each leaf sets ``command`` to the module below ``monitor.commands`` and the function that it calls.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from monitor.commands import kinds
from tickets.rules.message import MessageState
from tickets.rules.staff import Role
from tickets.rules.ticket import Outcome, Priority

DEFAULT_LOCATION = "main"
"""Name of the location of a prober that was given none."""

_EXIT_CODES = """\
exit codes:
  0    good
  1    a finding: a site slow or down, faults in a file, an action that is not possible
  2    wrong usage, or a broken configuration
  3    unknown: our own network, or the store does not answer
  130  interrupted (Ctrl-C)
  143  ended by SIGTERM

Settings come from config/fettle.yml, or the file that --config or FETTLE_CONFIG names.
"""


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help with room for the longest command and flag beside what they do."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of ``fettle``."""
    parser = argparse.ArgumentParser(
        prog="fettle",
        description="Watch client websites, open a ticket the moment one is down or slow, and "
        "keep the response promise.",
        epilog=_EXIT_CODES,
        formatter_class=_Help,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version",
        dest="command",
        action="store_const",
        const=("service", "tell_version"),
        help="print the version and exit",
    )
    parser.set_defaults(command=None, config=None, json=False)
    group = parser.add_subparsers(metavar="COMMAND", title="commands")
    _add_service(group)
    _add_looks(group)
    _add_tickets(group)
    _add_staff(group)
    _add_store(group)
    return parser


def _leaf(
    group: Any,
    name: str,
    calls: tuple[str, str],
    *,
    does: str,
    example: str,
    has_json: bool = False,
) -> argparse.ArgumentParser:
    """Add a command that can be called; ``does`` is its help and ``example`` one call of it."""
    parser: argparse.ArgumentParser = group.add_parser(
        name,
        help=does,
        description=does[0].upper() + does[1:] + ".",
        epilog=f"example:\n  {example}",
        formatter_class=_Help,
        allow_abbrev=False,
    )
    parser.set_defaults(command=calls)
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="configuration file (default: FETTLE_CONFIG, else config/fettle.yml)",
    )
    if has_json:
        parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def _group(group: Any, name: str, *, does: str) -> Any:
    """Add a command that only holds others, and return where to add those."""
    parser: argparse.ArgumentParser = group.add_parser(
        name,
        help=does,
        description=does[0].upper() + does[1:] + ".",
        formatter_class=_Help,
        allow_abbrev=False,
    )
    return parser.add_subparsers(metavar="ACTION", title="actions", required=True)


def _add_service(group: Any) -> None:
    run = _leaf(
        group,
        "run",
        ("service", "run"),
        does="run the service until SIGTERM or SIGINT",
        example="fettle run --listen 0.0.0.0:8080",
    )
    run.add_argument(
        "--role",
        choices=["all", "prober", "desk", "delivery"],
        default="all",
        help="run one part alone, for several hosts on one PostgreSQL (default: all)",
    )
    run.add_argument(
        "--location",
        metavar="NAME",
        type=kinds.location,
        default=DEFAULT_LOCATION,
        help=f"where this prober runs, in small letters (default: {DEFAULT_LOCATION})",
    )
    run.add_argument(
        "--listen",
        metavar="HOST:PORT",
        type=kinds.listen,
        help="where the desk listens (default: web.listen of the configuration)",
    )
    run.add_argument("--supervised", action="store_true", help=argparse.SUPPRESS)
    run.add_argument("--holder", help=argparse.SUPPRESS)
    demo = _leaf(
        group,
        "demo",
        ("service", "demo"),
        does="run the whole service with demo sites to break and mend; keeps nothing",
        example="fettle demo --port 8000",
    )
    demo.add_argument(
        "--port",
        metavar="N",
        type=kinds.port,
        help="port of the demo's first page (default: a free one)",
    )
    ready = _leaf(
        group,
        "healthcheck",
        ("service", "ask_readiness"),
        does="ask the running service whether it is ready",
        example="fettle healthcheck --url http://127.0.0.1:8080",
        has_json=True,
    )
    ready.add_argument(
        "--url",
        metavar="URL",
        help="address of the desk (default: web.listen of the configuration)",
    )
    _leaf(
        group,
        "version",
        ("service", "tell_version"),
        does="print the version",
        example="fettle version",
        has_json=True,
    )


def _add_looks(group: Any) -> None:
    check = _leaf(
        group,
        "check-config",
        ("configuration", "check_config"),
        does="tell every fault in the configuration, or the promises that it makes",
        example="fettle check-config config/fettle.yml --show",
    )
    check.add_argument("file", metavar="FILE", nargs="?", help="the file (default: as --config)")
    check.add_argument(
        "--show", action="store_true", help="print the effective settings, secrets masked"
    )
    probe = _leaf(
        group,
        "probe",
        ("probing", "probe"),
        does="probe one site now: verdict, cause, phases, certificate",
        example="fettle probe https://www.example.com/ --slow-after 1 --keyword Welcome",
        has_json=True,
    )
    probe.add_argument(
        "site", metavar="URL|SITE", help="a URL, or the slug of a site in the configuration"
    )
    probe.add_argument(
        "--timeout",
        metavar="S",
        type=kinds.seconds,
        help="seconds for the whole probe; beyond: down",
    )
    probe.add_argument(
        "--slow-after",
        metavar="S",
        type=kinds.seconds,
        help="seconds beyond which an answer is slow",
    )
    probe.add_argument(
        "--keyword", metavar="TEXT", type=kinds.text, help="text that must occur in the page"
    )
    probe.add_argument("--ca", metavar="FILE", help="PEM file of the authorities to trust instead")
    probe.add_argument(
        "--allow-network",
        metavar="CIDR",
        type=kinds.network,
        action="append",
        default=[],
        help="network beyond the public internet that may be reached; can be repeated",
    )
    deadline = _leaf(
        group,
        "deadline",
        ("promises", "tell_deadline"),
        does="tell the response deadline of a ticket raised at an instant",
        example="fettle deadline --priority critical --at 2026-12-23T16:30 --explain",
        has_json=True,
    )
    deadline.add_argument("--priority", choices=_values(Priority), required=True)
    deadline.add_argument(
        "--at",
        metavar="INSTANT",
        help="ISO 8601; without an offset it is local time in the agency's zone (default: now)",
    )
    deadline.add_argument("--client", metavar="SLUG", help="the client whose promise it is")
    deadline.add_argument(
        "--explain", action="store_true", help="list what counted and the days skipped"
    )
    sites = _group(group, "sites", does="look at the sites that are watched")
    _leaf(
        sites,
        "list",
        ("sites", "list_all"),
        does="list the sites of the configuration and how they stand",
        example="fettle sites list",
        has_json=True,
    )


def _add_tickets(group: Any) -> None:
    tickets = _group(group, "tickets", does="look at tickets and work on them")
    listing = _leaf(
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
    close.add_argument("--outcome", choices=_values(Outcome), required=True)
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
    group: Any, name: str, calls: tuple[str, str], *, does: str, more: str = ""
) -> argparse.ArgumentParser:
    parser = _leaf(
        group,
        name,
        calls,
        does=does,
        example=f"fettle tickets {name} T-1042{more}",
        has_json=True,
    )
    parser.add_argument("reference", metavar="REF", help="the ticket, such as T-1042")
    return parser


def _action_leaf(group: Any, name: str, *, does: str, more: str = "") -> argparse.ArgumentParser:
    parser = _ticket_leaf(group, name, ("ticket_actions", name), does=does, more=more)
    parser.add_argument(
        "--as",
        dest="staff",
        metavar="EMAIL",
        help="who acts (default: FETTLE_STAFF, else the only staff member)",
    )
    return parser


def _add_staff(group: Any) -> None:
    staff = _group(group, "staff", does="look after the accounts of the desk")
    add = _leaf(
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
        choices=_values(Role),
        default=Role.STAFF.value,
        help=f"what they may do; a viewer only reads (default: {Role.STAFF.value})",
    )
    _leaf(
        staff,
        "list",
        ("staff", "list_all"),
        does="list the accounts",
        example="fettle staff list",
        has_json=True,
    )
    disable = _leaf(
        staff,
        "disable",
        ("staff", "disable"),
        does="shut an account out and end its sessions; its name stays in histories",
        example="fettle staff disable sam@agency.example",
        has_json=True,
    )
    disable.add_argument("email", metavar="EMAIL")
    password = _leaf(
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


def _add_store(group: Any) -> None:
    outbox = _group(group, "outbox", does="look at the messages to clients and staff")
    listing = _leaf(
        outbox,
        "list",
        ("outbox", "list_all"),
        does="list the newest messages and how their delivery stands",
        example="fettle outbox list --state dead",
        has_json=True,
    )
    listing.add_argument("--state", choices=_values(MessageState), help="only these")
    db = _group(group, "db", does="look after the store")
    _leaf(
        db,
        "upgrade",
        ("database", "upgrade"),
        does="bring the store to this version, or make a new one",
        example="fettle db upgrade",
    )
    _leaf(
        db,
        "check",
        ("database", "check"),
        does="tell whether the store answers, is whole and fits this version",
        example="fettle db check",
        has_json=True,
    )


def _values(enum: Iterable[Any]) -> list[str]:
    return [member.value for member in enum]
