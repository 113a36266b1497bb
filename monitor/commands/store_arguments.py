"""The arguments of the commands that work on the store: staff, outbox, db."""

from __future__ import annotations

from monitor.commands import kinds
from monitor.commands.leaves import Group, add_group, add_leaf, values
from tickets.rules.message import MessageState
from tickets.rules.staff import Role


def add_staff(group: Group) -> None:
    """Add ``fettle staff`` and its actions."""
    staff = add_group(group, "staff", does="look after the accounts of the desk")
    add = add_leaf(
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
        choices=values(Role),
        default=Role.STAFF.value,
        help=f"what they may do; a viewer only reads (default: {Role.STAFF.value})",
    )
    add_leaf(
        staff,
        "list",
        ("staff", "list_all"),
        does="list the accounts",
        example="fettle staff list",
        has_json=True,
    )
    disable = add_leaf(
        staff,
        "disable",
        ("staff", "disable"),
        does="shut an account out and end its sessions; its name stays in histories",
        example="fettle staff disable sam@agency.example",
        has_json=True,
    )
    disable.add_argument("email", metavar="EMAIL")
    password = add_leaf(
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


def add_outbox_and_db(group: Group) -> None:
    """Add ``fettle outbox`` and ``fettle db`` with their actions."""
    outbox = add_group(group, "outbox", does="look at the messages to clients and staff")
    listing = add_leaf(
        outbox,
        "list",
        ("outbox", "list_all"),
        does="list the newest messages and how their delivery stands",
        example="fettle outbox list --state dead",
        has_json=True,
    )
    listing.add_argument("--state", choices=values(MessageState), help="only these")
    for name, does, example in (
        (
            "requeue",
            "send messages again that are not delivered, or now those that wait for later",
            "fettle outbox requeue 117 118",
        ),
        (
            "cancel",
            "decide that messages are never sent; this is final",
            "fettle outbox cancel 117",
        ),
    ):
        deed = add_leaf(outbox, name, ("outbox", name), does=does, example=example, has_json=True)
        deed.add_argument(
            "messages", type=int, nargs="+", metavar="ID", help="as fettle outbox list shows it"
        )
        deed.add_argument(
            "--as",
            dest="staff",
            metavar="EMAIL",
            help="who acts (default: FETTLE_STAFF, else the only staff member)",
        )
    db = add_group(group, "db", does="look after the store")
    add_leaf(
        db,
        "upgrade",
        ("database", "upgrade"),
        does="bring the store to this version, or make a new one",
        example="fettle db upgrade",
    )
    add_leaf(
        db,
        "check",
        ("database", "check"),
        does="tell whether the store answers, is whole and fits this version",
        example="fettle db check",
        has_json=True,
    )
