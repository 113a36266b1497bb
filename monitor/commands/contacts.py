"""``fettle contacts``: who hears what at clients, and the data of one person, shown or erased."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from monitor.commands.screen import Tone, Toned
from monitor.commands.surroundings import (
    StoreNotReady,
    Surroundings,
    WrongUsage,
    open_store,
)
from tickets.errors import Unavailable

if TYPE_CHECKING:
    from monitor.settings import Settings
    from tickets.settings.client import ContactSettings

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
        screen.document([_document(*each) for each in found])
    elif found:
        screen.table(
            [
                [slug, Toned(contact.name, Tone.STRONG), contact.email, _hears(contact, is_out)]
                for slug, contact, is_out in found
            ]
        )
    else:
        screen.line("There is no contact; they stand in clients[].contacts of the configuration.")
    return 0


def export(surroundings: Surroundings, arguments: Namespace) -> int:
    """Print everything that is stored about one address; exit 1 if there is nothing."""
    _load_rows()
    from tickets import contacts

    settings = surroundings.load_settings()
    with open_store(settings) as store:
        person = store.read(lambda tx: contacts.find_person(tx, arguments.address))
        stored = store.read(lambda tx: contacts.export(tx, person))
    configured = [
        _document(client.slug, contact, False)
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
        }
    )
    return 0 if stored or configured else 1


def erase(surroundings: Surroundings, arguments: Namespace) -> int:
    """Put a pseudonym in the place of one address and its names, for good."""
    _load_rows()
    from monitor.service import build_policy
    from tickets import contacts

    settings = surroundings.load_settings()
    policy = build_policy(settings, clock=surroundings.clock)
    with open_store(settings) as store:
        person = store.read(lambda tx: contacts.find_person(tx, arguments.address))
        done = store.write(
            lambda tx: contacts.erase(tx, policy, person, at=surroundings.clock.now())
        )
    screen = surroundings.screen
    if arguments.json:
        screen.document(
            {
                "pseudonym": done.pseudonym.address,
                "messages_cancelled": done.cancelled,
                "links_shut": done.links,
                "rows_changed": dict(done.rows),
            }
        )
        return 0
    if not done.rows:
        screen.line("Nothing was stored about this address.")
        return 0
    screen.line(f"Erased. {done.pseudonym.name} <{done.pseudonym.address}> stands in its place.")
    screen.table([[table, f"{count} changed"] for table, count in sorted(done.rows.items())])
    screen.line(f"Mails cancelled: {done.cancelled}. Links shut: {done.links}.")
    screen.line(
        "Files that the person sent, backups, and mails that have left keep what they hold."
    )
    return 0


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


def _hears(contact: ContactSettings, is_out: bool) -> str:
    heard = [kind for kind in _KINDS if getattr(contact, kind)]
    said = ", ".join(heard) or "nothing"
    return f"{said} (unsubscribed from statements)" if is_out and contact.statement else said


def _document(client: str, contact: ContactSettings, is_out: bool) -> dict[str, object]:
    return {
        "client": client,
        "name": contact.name,
        "address": contact.email,
        **{kind: getattr(contact, kind) for kind in _KINDS},
        "is_unsubscribed": is_out,
    }
