"""How a command is added to the parser: its help, an example, and what every command takes."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Protocol


class Group(Protocol):
    """Where commands are added: the top, or a command that only holds others."""

    def add_parser(self, name: str, **how: Any) -> argparse.ArgumentParser:
        """Add a command and return its parser."""
        ...


class Help(argparse.RawDescriptionHelpFormatter):
    """Help with room for the longest command and flag beside what they do."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)

    def add_argument(self, action: argparse.Action) -> None:
        """Measure one more line of help; argparse forgets that commands stand further in."""
        super().add_argument(action)
        if action.nargs == argparse.PARSER:
            self._action_max_length += self._indent_increment


def add_leaf(
    group: Group,
    name: str,
    calls: tuple[str, str],
    *,
    does: str,
    example: str,
    has_json: bool = False,
) -> argparse.ArgumentParser:
    """Add a command that can be called; ``does`` is its help and ``example`` one call of it."""
    parser = group.add_parser(
        name,
        help=does,
        description=does[0].upper() + does[1:] + ".",
        epilog=f"example:\n  {example}",
        formatter_class=Help,
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


def add_group(group: Group, name: str, *, does: str) -> Group:
    """Add a command that only holds others, and return where to add those."""
    parser = group.add_parser(
        name,
        help=does,
        description=does[0].upper() + does[1:] + ".",
        formatter_class=Help,
        allow_abbrev=False,
    )
    return parser.add_subparsers(metavar="ACTION", title="actions", required=True)


def values(enum: Iterable[StrEnum]) -> list[str]:
    """Return what may be written for a member of ``enum``."""
    return [member.value for member in enum]
