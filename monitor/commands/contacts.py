"""``fettle contacts``: who hears what at clients, and the data of one person, shown or erased."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.commands.screen import Screen, Tone, Toned
from monitor.commands.surroundings import (
    StoreNotReady,
    Surroundings,
    WrongUsage,
    open_store,
)
from tickets.errors import Refused, Unavailable

if TYPE_CHECKING:
    from monitor.settings import Settings
    from tickets.contact_files import ContactFile
    from tickets.contacts import Person
    from tickets.erasure import Holdings
    from tickets.rules.pseudonym import Pseudonym
    from tickets.settings.client import ContactSettings
    from tickets.store import Session

_KINDS = ("incidents", "tickets", "statement")


def list_all(surroundings: Surroundings, arguments: Namespace) -> int:
    """List the contacts and what each wants to hear."""
    settings = surroundings.load_settings()
    slugs = {client.slug for client in settings.clients}
    if arguments.client is not None and arguments.client not in slugs:
        allowed = ", ".join(sorted(slugs)) or "none, as no client is configured"
        raise WrongUsage(
            f"--client: there is no client {arguments.client!r}; allowed are {allowed}"
        )
    unsubscribed = _unsubscribed(surroundings, settings)
    found = [
        (client.slug, contact, (client.slug, contact.email.lower()) in unsubscribed)
        for client in settings.clients
        if arguments.client in (None, client.slug)
        for contact in client.contacts
    ]
    screen = surroundings.screen
    if arguments.json:
        screen.document(
            [_document(slug, contact, is_out=is_out) for slug, contact, is_out in found]
        )
    elif found:
        screen.table(
            [
                [
                    slug,
                    Toned(contact.name, Tone.STRONG),
                    contact.email,
                    _hears(contact, is_out=is_out),
                ]
                for slug, contact, is_out in found
            ]
        )
    else:
        screen.line("There is no contact; they stand in clients[].contacts of the configuration.")
    return 0


def export(surroundings: Surroundings, arguments: Namespace) -> int:
    """Print everything that is stored about one address; exit 1 if there is nothing.

    With ``--files`` what the person sent is written into a folder as well.
    """
    _load_rows()
    from tickets import contacts
    from tickets.contact_files import list_files, read_file

    settings = surroundings.load_settings()
    folder = None if arguments.files is None else _folder(arguments.files)

    def read(tx: Session) -> tuple[Person, dict[str, list[dict[str, object]]], list[object]]:
        person = contacts.find_person(tx, arguments.address)
        files: list[object] = []
        for file in list_files(tx, person.address):
            saved = None
            if folder is not None:
                saved = _save(folder, file, read_file(tx, file))
            files.append(
                {
                    "ticket": file.ticket,
                    "name": file.name,
                    "media_type": file.media_type,
                    "size_bytes": file.size_bytes,
                    "saved_as": saved,
                }
            )
        return person, contacts.export(tx, person), files

    with open_store(settings) as store:
        person, stored, files = store.read(read)
    configured = [
        _document(client.slug, contact, is_out=False)
        for client in settings.clients
        for contact in client.contacts
        if contact.email.lower() == person.address.lower()
    ]
    surroundings.screen.document(
        {
            "address": person.address,
            "names": sorted(person.names),
            "configured": configured,
            "stored": stored,
            "files": files,
        }
    )
    return 0 if stored or configured or files else 1


def erase(surroundings: Surroundings, arguments: Namespace) -> int:
    """Show what is stored about one address, ask, and erase it for good.

    Raises ``WrongUsage`` where nobody can be asked and ``--yes`` is missing, ``Refused`` if the
    answer is no.
    """
    _load_rows()
    from monitor.service import build_policy
    from tickets import contacts, erasure

    settings = surroundings.load_settings()
    policy = build_policy(settings, clock=surroundings.clock)
    screen, now = surroundings.screen, surroundings.clock.now()

    def look(tx: Session) -> Holdings:
        person = contacts.find_person(tx, arguments.address)
        erasure.check_erasable(tx, policy, person.address)
        return erasure.survey(tx, person, now=now)

    with open_store(settings) as store:
        found = store.read(look)
        if found.is_nothing or not arguments.yes:
            _show(screen, found, as_json=arguments.json)
        if found.is_nothing:
            return 0
        if not arguments.yes:
            _ask(screen, arguments.address)
        done = store.write(
            lambda tx: erasure.erase(
                tx, policy, contacts.find_person(tx, arguments.address), at=now
            )
        )
    _show(screen, done.holdings, as_json=arguments.json, pseudonym=done.pseudonym)
    return 0


def _ask(screen: Screen, address: str) -> None:
    """Return if whoever sits at the terminal says yes."""
    if not screen.input.isatty():
        raise WrongUsage(
            "nothing was erased: there is no terminal to ask; with --yes it is done unasked"
        )
    screen.hint(f"Erase {address} for good? It cannot be undone. Type yes:")
    if screen.input.readline().strip().lower() != "yes":
        raise Refused("nothing was erased")


def _show(
    screen: Screen, found: Holdings, *, as_json: bool, pseudonym: Pseudonym | None = None
) -> None:
    """Print what was found; it was erased if there is a ``pseudonym``."""
    if as_json:
        screen.document(
            {
                "is_erased": pseudonym is not None,
                "pseudonym": None if pseudonym is None else pseudonym.address,
                "rows": dict(found.rows),
                "files": found.files,
                "file_bytes": found.file_bytes,
                "messages_waiting": found.messages,
                "links_in_force": found.links,
                "requests_without_ticket": found.requests,
            }
        )
        return
    if found.is_nothing:
        screen.line("Nothing is stored about this address.")
        return
    begins = "This would be erased:"
    if pseudonym is not None:
        begins = f"Erased. {pseudonym.name} <{pseudonym.address}> stands in its place."
    screen.line(begins)
    size = f", {max(1, found.file_bytes // 1024):,} KB" if found.files else ""
    screen.table(
        [
            ["  files sent, deleted", f"{found.files}{size}"],
            ["  mails waiting, cancelled", str(found.messages)],
            ["  links in force, shut", str(found.links)],
            ["  requests without a ticket, dropped", str(found.requests)],
            *(
                [f"  {table.replace('_', ' ')} rows, pseudonym put in", str(count)]
                for table, count in sorted(found.rows.items())
            ),
        ]
    )
    if pseudonym is None:
        screen.line("Kept: what staff did, all instants, deadlines, promises and figures.")
    else:
        screen.line("Backups, and mails that have left, keep what they hold.")


def _folder(text: str) -> Path:
    folder = Path(text)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WrongUsage(f"--files {text} cannot be made: {error.strerror}") from error
    return folder


def _save(folder: Path, file: ContactFile, content: bytes) -> str:
    """Write a file into ``folder`` under a name of its own and return that."""
    name = f"{file.ticket or 'request'}-{file.key[:8]}-{file.name}"
    try:
        (folder / name).write_bytes(content)
    except OSError as error:
        raise WrongUsage(f"--files: {folder / name} cannot be written: {error.strerror}") from error
    return name


def _load_rows() -> None:
    """Make all tables known, those of the monitor too: every one is looked through."""
    from importlib import import_module

    for module in ("monitor.tables", "monitor.alert_tables", "tickets.token_tables"):
        import_module(module)
    import_module("tickets.statement_tables")


def _unsubscribed(surroundings: Surroundings, settings: Settings) -> set[tuple[str, str]]:
    """Return clients and addresses that want no statements; empty where there is no store yet."""
    from monitor.service import build_policy
    from tickets.statements import list_standings

    policy = build_policy(settings, clock=surroundings.clock)
    try:
        with open_store(settings) as store:
            standings = store.read(lambda tx: list_standings(tx, policy))
    except (StoreNotReady, Unavailable):
        return set()
    return {
        (one.client, one.address.lower()) for one in standings if one.unsubscribed_at is not None
    }


def _hears(contact: ContactSettings, *, is_out: bool) -> str:
    heard = [kind for kind in _KINDS if getattr(contact, kind)]
    said = ", ".join(heard) or "nothing"
    return f"{said} (unsubscribed from statements)" if is_out and contact.statement else said


def _document(client: str, contact: ContactSettings, *, is_out: bool) -> dict[str, object]:
    return {
        "client": client,
        "name": contact.name,
        "address": contact.email,
        **{kind: getattr(contact, kind) for kind in _KINDS},
        "is_unsubscribed": is_out,
    }
