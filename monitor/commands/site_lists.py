"""``fettle sites import`` and ``export``: lists of sites from and for other programs.

Neither touches the configuration: what comes of an import is printed, or written to a new file.
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from monitor.commands.screen import Screen
from monitor.commands.surroundings import Surroundings, WrongUsage
from monitor.settings import Settings
from monitor.settings.file import dump
from monitor.site_exchange import (
    Imported,
    Notes,
    exported_clients,
    file_sd_groups,
    fit,
    read_list,
)
from monitor.sites import list_sites
from tickets.addresses import shown
from tickets.errors import Misconfigured, Refused

_MOST_NAMED = 5


def import_list(surroundings: Surroundings, arguments: Namespace) -> int:
    """Print what a file of another program comes to as ``clients`` of the configuration.

    Exits with 1 if something could not be carried. Raises ``Refused`` for a file of no use, and
    for an ``--out`` that is there already.
    """
    try:
        draft = read_list(Path(arguments.file))
        beside = _settings_beside(surroundings)
        imported = fit(draft, beside=beside, config=surroundings.config)
    except Refused as error:
        raise WrongUsage(str(error)) from error
    if arguments.json:
        _put(surroundings.screen, arguments.out, _document_text(imported))
    else:
        text = _yaml_text(imported, arguments.file)
        _put(surroundings.screen, arguments.out, text)
        _tell(surroundings.screen, imported)
    return 1 if len(imported.left_out) else 0


def export_list(surroundings: Surroundings, arguments: Namespace) -> int:
    """Print the sites of the configuration as YAML, or as a file_sd list of Prometheus."""
    settings = surroundings.load_settings()
    screen = surroundings.screen
    if arguments.format == "file_sd":
        screen.document(file_sd_groups(list_sites(settings)))
        return 0
    clients, left_out = exported_clients(settings)
    screen.text(dump({"clients": clients}).rstrip("\n"))
    for path in left_out:
        screen.hint(f"left out, as it is a secret: {path}")
    return 0


def _settings_beside(surroundings: Surroundings) -> Settings | None:
    """Return the configuration that the sites are meant for, None if there is no good one."""
    if not surroundings.is_named and not surroundings.config.exists():
        return None
    try:
        return surroundings.load_settings()
    except Misconfigured:
        if surroundings.is_named:
            raise
        surroundings.screen.hint(
            f"{surroundings.config} has faults and is not looked at; `fettle check-config` tells "
            "them"
        )
        return None


def _yaml_text(imported: Imported, file: str) -> str:
    if not imported.clients:
        return "clients: []\n"
    count = imported.site_count
    sites, clients = _many(count, "site"), _many(len(imported.clients), "client")
    return (
        f"# {sites} of {clients}, from {shown(file)}.\n"
        "# Put the clients into the configuration, then run `fettle check-config`.\n"
        + dump({"clients": [dict(each) for each in imported.clients]})
    )


def _document_text(imported: Imported) -> str:
    document = {
        "clients": [dict(each) for each in imported.clients],
        "secrets": list(imported.secrets),
        "left_out": _notes(imported.left_out),
        "assumed": _notes(imported.assumed),
    }
    return json.dumps(document, indent=2) + "\n"


def _notes(notes: Notes) -> list[dict[str, object]]:
    return [{"why": reason, "of": list(concerned)} for reason, concerned in notes]


def _put(screen: Screen, out: str | None, text: str) -> None:
    """Write ``text`` to a new file, or to the output."""
    if out is None:
        screen.text(text.rstrip("\n"))
        return
    try:
        with Path(out).open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        message = f"--out {shown(out)} is there already, and nothing is overwritten"
        raise WrongUsage(message) from None
    except OSError as error:
        raise WrongUsage(f"--out {shown(out)} cannot be written: {error.strerror}") from error


def _tell(screen: Screen, imported: Imported) -> None:
    """Tell what was carried, what was assumed, what was left out, and where secrets belong."""
    sites = _many(imported.site_count, "site")
    screen.hint(f"{sites} of {_many(len(imported.clients), 'client')} carried")
    for reason, concerned in imported.assumed:
        screen.hint(f"assumed: {_naming(concerned)}{reason}")
    for reason, concerned in imported.left_out:
        screen.hint(f"left out: {_naming(concerned)}{reason}")
    if imported.secrets:
        screen.hint("secrets are not copied; put each into a file that only Fettle reads, and set")
    for variable in imported.secrets:
        screen.hint(f"  {variable}")


def _naming(concerned: Sequence[str]) -> str:
    if not concerned:
        return ""
    named = ", ".join(shown(each, limit=60) for each in concerned[:_MOST_NAMED])
    more = len(concerned) - _MOST_NAMED
    return f"{named}{f' and {more} more' if more > 0 else ''}: "


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
