"""The arguments of ``fettle token``."""

from __future__ import annotations

import argparse
from datetime import timedelta

from monitor.commands import kinds
from monitor.commands.leaves import Group, add_group, add_leaf, values
from tickets.addresses import shown
from tickets.quantities import parse_duration
from tickets.rules.scope import Scope

DEFAULT_LIFE = timedelta(days=365)
LONGEST_LIFE = timedelta(days=3650)


def add_token(group: Group) -> None:
    """Add ``fettle token`` and its actions."""
    token = add_group(group, "token", does="look after the tokens of the API")
    add = add_leaf(
        token,
        "add",
        ("tokens", "add"),
        does="make a token and show it, once",
        example="fettle token add 'Status board' --scope tickets:read --client harbour",
        has_json=True,
    )
    add.add_argument(
        "name", metavar="NAME", type=kinds.text, help="what histories call whoever uses it"
    )
    add.add_argument(
        "--scope",
        dest="scopes",
        action="append",
        required=True,
        choices=values(Scope),
        help="what it allows; give it again for more",
    )
    add.add_argument("--client", metavar="SLUG", help="show the tickets of this client only")
    add.add_argument(
        "--as",
        dest="staff",
        metavar="EMAIL",
        help="whose token it is: that person acts, and can answer promises; without it the token "
        "is a program's",
    )
    add.add_argument(
        "--expires-in",
        metavar="DURATION",
        type=_life,
        default=DEFAULT_LIFE,
        help="how long it works, such as 90d, or never (default: 365d)",
    )
    add_leaf(
        token,
        "list",
        ("tokens", "list_all"),
        does="list the tokens, without their secrets",
        example="fettle token list",
        has_json=True,
    )
    revoke = add_leaf(
        token,
        "revoke",
        ("tokens", "revoke"),
        does="shut a token out from its next request on",
        example="fettle token revoke 'Status board'",
        has_json=True,
    )
    revoke.add_argument("which", metavar="NAME|ID", help="the token's name or its id")


def _life(text: str) -> timedelta | None:
    """Return how long a token lives; None is for ever."""
    if text == "never":
        return None
    try:
        life = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}, or never") from None
    if not timedelta(minutes=1) <= life <= LONGEST_LIFE:
        raise argparse.ArgumentTypeError(
            f"{shown(text)} is not within 1m and 3650d; or write never"
        )
    return life
