"""``fettle staff``: who may sign in at the desk and act on tickets.

A password is never an argument, where every user of the host could read it.
"""

from __future__ import annotations

import getpass
from argparse import Namespace
from zoneinfo import ZoneInfo

from monitor.commands.screen import Screen, Tone, Toned
from monitor.commands.surroundings import Surroundings, WrongUsage, open_store
from monitor.commands.ticket_documents import iso
from tickets import accounts
from tickets.accounts import LONGEST_PASSWORD, Staff
from tickets.errors import Refused
from tickets.rules.staff import Role
from tickets.rules.words import format_instant


def add(surroundings: Surroundings, arguments: Namespace) -> int:
    """Add a staff member."""
    settings = surroundings.load_settings()
    with open_store(settings) as store:
        password = _read_password(surroundings.screen, from_stdin=arguments.password_stdin)
        password_hash = accounts.hash_password(password)
        person = store.write(
            lambda tx: accounts.add_staff(
                tx,
                email=arguments.email,
                name=arguments.name,
                role=Role(arguments.role),
                password_hash=password_hash,
                at=surroundings.clock.now(),
            )
        )
    text = f"{person.name} may sign in as {person.email} ({person.role})."
    return _tell(surroundings.screen, person, text, zone=settings.agency.zone, json=arguments.json)


def list_all(surroundings: Surroundings, arguments: Namespace) -> int:
    """List the accounts."""
    settings = surroundings.load_settings()
    with open_store(settings) as store:
        found = store.read(accounts.list_staff)
    zone, screen = settings.agency.zone, surroundings.screen
    if arguments.json:
        screen.document([_document(person, zone) for person in found])
    elif found:
        screen.table(
            [
                [
                    Toned(person.name, Tone.STRONG),
                    person.email,
                    person.role.value,
                    _since(person, zone),
                ]
                for person in found
            ]
        )
    else:
        screen.line("There is no account yet; add one with `fettle staff add`.")
    return 0


def disable(surroundings: Surroundings, arguments: Namespace) -> int:
    """Shut an account out and end its sessions."""
    settings = surroundings.load_settings()
    at = surroundings.clock.now()
    with open_store(settings) as store:
        person = store.write(lambda tx: accounts.disable_staff(tx, email=arguments.email, at=at))
    text = f"{person.name} can no longer sign in as {person.email}."
    return _tell(surroundings.screen, person, text, zone=settings.agency.zone, json=arguments.json)


def set_password(surroundings: Surroundings, arguments: Namespace) -> int:
    """Give an account another password and end its sessions."""
    settings = surroundings.load_settings()
    with open_store(settings) as store:
        password = _read_password(surroundings.screen, from_stdin=arguments.password_stdin)
        password_hash = accounts.hash_password(password)
        person = store.write(
            lambda tx: accounts.set_password(tx, email=arguments.email, password_hash=password_hash)
        )
    text = f"{person.email} has another password and is signed out everywhere."
    return _tell(surroundings.screen, person, text, zone=settings.agency.zone, json=arguments.json)


def _tell(screen: Screen, person: Staff, text: str, *, zone: ZoneInfo, json: bool) -> int:
    if json:
        screen.document(_document(person, zone))
    else:
        screen.line(text)
    return 0


def _document(person: Staff, zone: ZoneInfo) -> dict[str, object]:
    return {
        "email": person.email,
        "name": person.name,
        "role": person.role.value,
        "created_at": iso(person.created_at, zone),
        "disabled_at": iso(person.disabled_at, zone),
    }


def _since(person: Staff, zone: ZoneInfo) -> str:
    if person.disabled_at is not None:
        return f"disabled {format_instant(person.disabled_at, zone)}"
    return f"since {format_instant(person.created_at, zone)}"


def _read_password(screen: Screen, *, from_stdin: bool) -> str:
    """Return the password that is typed twice on the terminal, or the first line of stdin."""
    if from_stdin:
        try:
            line = screen.input.readline(LONGEST_PASSWORD + 3)
        except UnicodeDecodeError as error:
            raise WrongUsage(f"the password on stdin is not text in {error.encoding}") from error
        return line.removesuffix("\n").removesuffix("\r")
    if not screen.input.isatty():
        raise WrongUsage(
            "there is no terminal to ask for the password; give it on stdin with --password-stdin"
        )
    try:
        password = getpass.getpass("Password: ")
        again = getpass.getpass("The same once more: ")
    except EOFError as error:
        raise Refused("no password was typed; nothing was changed") from error
    if password != again:
        raise Refused("the two passwords differ; nothing was changed")
    return password
