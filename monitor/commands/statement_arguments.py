"""The arguments of ``fettle statement``."""

from __future__ import annotations

from monitor.commands import kinds
from monitor.commands.leaves import Group, add_leaf


def add_statement(group: Group) -> None:
    """Add ``fettle statement``."""
    statement = add_leaf(
        group,
        "statement",
        ("statement", "make"),
        does="make a client's monthly statement: uptime, incidents and promises",
        example="fettle statement --client harbour --month 2026-03 --out march.pdf",
        has_json=True,
    )
    statement.add_argument("--client", metavar="SLUG", type=kinds.text, help="whose statement")
    statement.add_argument(
        "--month",
        metavar="YYYY-MM",
        type=kinds.month,
        help="the month (default: the one before this)",
    )
    statement.add_argument(
        "--out",
        metavar="FILE",
        help="write it to this file, as .html or .pdf (default: HTML to the output)",
    )
    statement.add_argument(
        "--recipients",
        action="store_true",
        help="list who gets statements, who has unsubscribed, and what was sent last",
    )
