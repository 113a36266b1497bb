"""The commands of ``fettle`` with their arguments, help and examples; nothing is run here.

Each leaf sets ``command`` to the module below ``monitor.commands`` and the function that it calls.
"""

from __future__ import annotations

import argparse

from monitor.commands import kinds
from monitor.commands.leaves import Group, Help, add_group, add_leaf, values
from monitor.commands.mail_arguments import add_contacts, add_mail
from monitor.commands.statement_arguments import add_statement
from monitor.commands.store_arguments import add_outbox_and_db, add_staff
from monitor.commands.ticket_arguments import add_tickets
from monitor.commands.token_arguments import add_token
from tickets.rules.ticket import Priority

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


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of ``fettle``."""
    parser = argparse.ArgumentParser(
        prog="fettle",
        description="Watch client websites, open a ticket the moment one is down or slow, and "
        "keep the response promise.",
        epilog=_EXIT_CODES,
        formatter_class=Help,
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
    add_tickets(group)
    add_statement(group)
    add_staff(group)
    add_token(group)
    add_mail(group)
    add_contacts(group)
    add_outbox_and_db(group)
    return parser


def _add_service(group: Group) -> None:
    run = add_leaf(
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
    run.add_argument("--pulse", type=int, help=argparse.SUPPRESS)
    demo = add_leaf(
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
        help="port of the desk (default: 8080 or the next free one)",
    )
    ready = add_leaf(
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
    add_leaf(
        group,
        "version",
        ("service", "tell_version"),
        does="print the version",
        example="fettle version",
        has_json=True,
    )


def _add_looks(group: Group) -> None:
    check = add_leaf(
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
    probe = add_leaf(
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
        "--keyword",
        metavar="TEXT",
        type=kinds.text,
        help="text that must occur in the page; re2:... is a pattern",
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
    deadline = add_leaf(
        group,
        "deadline",
        ("promises", "tell_deadline"),
        does="tell the response deadline of a ticket raised at an instant",
        example="fettle deadline --priority critical --at 2026-12-23T16:30 --explain",
        has_json=True,
    )
    deadline.add_argument("--priority", choices=values(Priority), required=True)
    deadline.add_argument(
        "--at",
        metavar="INSTANT",
        help="ISO 8601; without an offset it is local time in the agency's zone (default: now)",
    )
    deadline.add_argument("--client", metavar="SLUG", help="the client whose promise it is")
    deadline.add_argument(
        "--explain", action="store_true", help="list what counted and the days skipped"
    )
    hours = add_group(group, "hours", does="count support time")
    elapsed = add_leaf(
        hours,
        "elapsed",
        ("promises", "tell_elapsed"),
        does="tell the support time between two instants",
        example="fettle hours elapsed --from 2026-12-23T16:00 --to 2027-01-04T10:00",
        has_json=True,
    )
    for name, place in (("--from", "start"), ("--to", "end")):
        elapsed.add_argument(
            name,
            dest=place,
            metavar="INSTANT",
            required=True,
            help="ISO 8601; without an offset it is local time in the agency's zone",
        )
    elapsed.add_argument("--client", metavar="SLUG", help="the client whose calendar counts")
    elapsed.add_argument(
        "--explain", action="store_true", help="list what counted and the days skipped"
    )
    _add_sites(group)


def _add_sites(group: Group) -> None:
    sites = add_group(group, "sites", does="look at the sites that are watched, bring in others")
    add_leaf(
        sites,
        "list",
        ("sites", "list_all"),
        does="list the sites of the configuration and how they stand",
        example="fettle sites list",
        has_json=True,
    )
    show = add_leaf(
        sites,
        "show",
        ("site_page", "show"),
        does="show how a site stands, its uptime over 90 days and its last incidents",
        example="fettle sites show booking",
        has_json=True,
    )
    show.add_argument("slug", metavar="SLUG", help="the site, as fettle sites list names it")
    taken = add_leaf(
        sites,
        "import",
        ("site_lists", "import_list"),
        does="print the sites of another program's list as clients of a configuration",
        example="fettle sites import Uptime_Kuma_Backup.json --out imported.yml",
        has_json=True,
    )
    taken.add_argument(
        "file",
        metavar="FILE",
        help="a JSON backup of Uptime Kuma, or a file_sd list of Prometheus (JSON or YAML)",
    )
    taken.add_argument(
        "--out", metavar="FILE", help="write to this new file; nothing is ever overwritten"
    )
    given = add_leaf(
        sites,
        "export",
        ("site_lists", "export_list"),
        does="print the sites of the configuration for other programs, without secrets",
        example="fettle sites export --format file_sd",
    )
    given.add_argument(
        "--format",
        choices=["yaml", "file_sd"],
        default="yaml",
        help="clients with their sites as the configuration writes them, or a list for Prometheus "
        "(default: yaml)",
    )
