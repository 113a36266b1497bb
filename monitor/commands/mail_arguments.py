"""The arguments of the commands about mail and those who get it: mail, contacts."""

from __future__ import annotations

from monitor.commands import kinds
from monitor.commands.leaves import Group, add_group, add_leaf, values
from tickets.rules.notice import Notice


def add_mail(group: Group) -> None:
    """Add ``fettle mail`` and its actions."""
    mail = add_group(group, "mail", does="look at the letters, and try the mail server")
    preview = add_leaf(
        mail,
        "preview",
        ("mail", "preview"),
        does="write every letter with sample data into a folder, with a page that lists them",
        example="fettle mail preview letters/ --client harbour-inns",
        has_json=True,
    )
    preview.add_argument("folder", metavar="DIR", help="made if it is not there")
    preview.add_argument("--notice", choices=values(Notice), metavar="N", help="only this letter")
    preview.add_argument(
        "--client", metavar="SLUG", help="in the look of this client (default: a made-up one)"
    )
    test = add_leaf(
        mail,
        "test",
        ("mail", "test"),
        does="send one test mail and tell what the mail server says",
        example="fettle mail test you@agency.example",
        has_json=True,
    )
    test.add_argument("address", metavar="ADDRESS", type=kinds.text)


def add_contacts(group: Group) -> None:
    """Add ``fettle contacts`` and its actions."""
    contacts = add_group(group, "contacts", does="look after the data of people at clients")
    listing = add_leaf(
        contacts,
        "list",
        ("contacts", "list_all"),
        does="list the contacts of the configuration and what each wants to hear",
        example="fettle contacts list --client harbour-inns",
        has_json=True,
    )
    listing.add_argument("--client", metavar="SLUG", help="only of this client")
    export = add_leaf(
        contacts,
        "export",
        ("contacts", "export"),
        does="print everything that is stored about one address, as JSON, with its files",
        example="fettle contacts export anna@harbour-inns.example --files anna/ > anna.json",
    )
    export.add_argument("address", metavar="ADDRESS", type=kinds.text)
    export.add_argument(
        "--files", metavar="DIR", help="write the files that the person sent into this folder"
    )
    erase = add_leaf(
        contacts,
        "erase",
        ("contacts", "erase"),
        does="show what is stored about one address, ask, and erase it for good",
        example="fettle contacts erase anna@harbour-inns.example",
        has_json=True,
    )
    erase.add_argument("address", metavar="ADDRESS", type=kinds.text)
    erase.add_argument("--yes", action="store_true", help="do not ask; needed without a terminal")
