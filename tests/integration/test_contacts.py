"""A contact's data: shown whole, and erased without the loss of anybody's history."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session, SQLModel, col, select

import monitor.alert_tables
import monitor.tables  # noqa: F401  (its rows are looked through as well)
from tests.builders import a_policy
from tickets import actions, claims, contacts, erasure, links, outbox, waiting
from tickets.accounts import PasswordHash, add_staff
from tickets.contact_tables import ErasureRow
from tickets.erasure import Erasure
from tickets.errors import Refused
from tickets.history import Actor
from tickets.opening import NewRequest, Requester, open_request
from tickets.outbox import Recipient
from tickets.rules.message import DeliveryOutcome, MessageState
from tickets.rules.notice import Audience
from tickets.rules.pseudonym import ERASED_DOMAIN, Mask, Pseudonym
from tickets.rules.staff import Role
from tickets.rules.ticket import Category, Priority, reference
from tickets.store import Store
from tickets.tables import EntryRow, MessageRow, TicketRow, WatcherRow

AT = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
LATER = AT + timedelta(hours=3)
ADDRESS = "Lena.Hart@elsewhere.test"
POLICY = a_policy()
LENA = Actor("Lena Hart", address=ADDRESS)


@pytest.fixture
def sam(store: Store) -> Actor:
    row = store.write(
        lambda tx: add_staff(
            tx,
            email="sam@agency.test",
            name="Sam Okafor",
            role=Role.STAFF,
            password_hash=PasswordHash("x"),
            at=AT,
        )
    )
    return Actor(row.name, row.id, row.email)


def a_ticket(store: Store, requester: Requester | None, text: str = "Please help") -> str:
    new = NewRequest(
        client="harbour",
        site="booking",
        priority=Priority.NORMAL,
        category=Category.ADVICE,
        title="A question",
        text=text,
        requester=requester,
    )
    row = store.write(lambda tx: open_request(tx, POLICY, new, actor=Actor("Lena Hart"), at=AT))
    return reference(row.id or 0)


@pytest.fixture
def ref(store: Store, sam: Actor) -> str:
    """A ticket of Lena's with a word of each side, and a mail to her that has not left."""
    ref = a_ticket(store, Requester("Lena Hart", ADDRESS), f"I am Lena Hart, write to {ADDRESS}.")
    store.write(
        lambda tx: actions.reply(
            tx,
            POLICY,
            ref,
            text="Dear Lena Hart, we look at it. Sam Okafor",
            outlook=actions.NOTHING_KNOWN,
            actor=sam,
            at=AT + timedelta(hours=1),
        )
    )
    store.write(
        lambda tx: waiting.client_reply(
            tx, POLICY, ref, text="Thank you", actor=LENA, at=AT + timedelta(hours=2)
        )
    )
    return ref


def erased(store: Store, address: str = ADDRESS, policy: Any = POLICY) -> Erasure:
    def work(tx: Session) -> Erasure:
        return erasure.erase(tx, policy, contacts.find_person(tx, address), at=LATER)

    return store.write(work)


def exported(store: Store, address: str = ADDRESS) -> dict[str, list[dict[str, Any]]]:
    return store.read(lambda tx: contacts.export(tx, contacts.find_person(tx, address)))


def everything(store: Store) -> str:
    """Return the whole store as text."""

    def read(tx: Session) -> str:
        rows = [
            [table.name, *map(str, row)]
            for table in SQLModel.metadata.sorted_tables
            for row in tx.connection().execute(sa.select(table))
        ]
        return json.dumps(rows, ensure_ascii=False)

    return store.read(read)


def entries(store: Store) -> Sequence[EntryRow]:
    query = select(EntryRow).order_by(col(EntryRow.ticket_id), col(EntryRow.number))
    return store.read(lambda tx: tx.exec(query).all())


def messages(store: Store) -> Sequence[MessageRow]:
    return store.read(lambda tx: tx.exec(select(MessageRow).order_by(col(MessageRow.id))).all())


def test_case_25_an_erased_contact_is_gone_and_the_history_is_whole(store: Store, ref: str) -> None:
    other = a_ticket(store, Requester("Lena Hart", "other.lena@elsewhere.test"))
    before = entries(store)
    done = erased(store)
    found = everything(store)
    assert ADDRESS.lower() not in found.lower()
    assert found.count("Lena Hart") == everything_of(store, other).count("Lena Hart") > 0
    assert done.pseudonym.address in found
    after = entries(store)
    assert [(e.ticket_id, e.number, e.at, e.action) for e in after] == [
        (e.ticket_id, e.number, e.at, e.action) for e in before
    ]
    name = done.pseudonym.name
    assert [e.actor for e in after[:3]] == [name, "Sam Okafor", name]
    assert after[0].text == f"I am {name}, write to {done.pseudonym.address}."
    assert after[1].text.startswith(f"Dear {name}, we look at it. Sam Okafor")
    assert after[2].text == "Thank you"


def everything_of(store: Store, ref: str) -> str:
    """Return the rows that belong to one ticket as text."""
    number = int(ref.removeprefix("T-")) - 1000

    def read(tx: Session) -> str:
        found: list[str] = []
        for table in SQLModel.metadata.sorted_tables:
            key = "id" if table.name == "ticket" else "ticket_id"
            if key in table.c and (table.name == "ticket" or "ticket_id" in table.c):
                rows = tx.connection().execute(sa.select(table).where(table.c[key] == number))
                found += [str([*map(str, row)]) for row in rows]
        return "\n".join(found)

    return store.read(read)


def test_case_25_what_is_queued_for_an_erased_contact_never_leaves(store: Store, ref: str) -> None:
    done = erased(store)
    theirs = [m for m in messages(store) if m.address == done.pseudonym.address]
    assert [m.state for m in theirs] == [MessageState.CANCELLED] * 2
    assert done.holdings.messages == 2
    assert all("ticket_url" not in m.facts for m in theirs)
    others = [m for m in messages(store) if m.address != done.pseudonym.address]
    assert {m.state for m in others} == {MessageState.PENDING}


def test_case_25_an_attempt_under_way_brings_no_erased_mail_back(store: Store, ref: str) -> None:
    store.write(lambda tx: claims.claim(tx, now=LATER, most=10))
    on_the_way = {m.id for m in messages(store) if m.state is MessageState.SENDING}
    done = erased(store)
    theirs = {m.id for m in messages(store) if m.address == done.pseudonym.address}
    number = next(iter(theirs & on_the_way))
    assert number is not None
    store.write(
        lambda tx: outbox.settle(
            tx, number, outcome=DeliveryOutcome.DEFERRED, answer="451 later", now=LATER
        )
    )
    states = {m.state for m in messages(store) if m.id in theirs}
    assert states == {MessageState.CANCELLED}


def test_links_of_an_erased_contact_open_nothing(store: Store, ref: str) -> None:
    number = int(ref.removeprefix("T-")) - 1000
    token = store.write(
        lambda tx: links.issue(tx, number, address=ADDRESS, name="Lena Hart", at=AT)
    )
    assert store.read(lambda tx: links.find_link(tx, token, now=LATER)) is not None
    assert erased(store).holdings.links == 3  # two went out with mails
    assert store.read(lambda tx: links.find_link(tx, token, now=LATER)) is None


def test_nobody_writes_to_an_erased_contact_later(store: Store, ref: str, sam: Actor) -> None:
    number = int(ref.removeprefix("T-")) - 1000
    store.write(lambda tx: tx.add(WatcherRow(ticket_id=number, address=ADDRESS, name="Lena Hart")))
    erased(store)
    store.write(lambda tx: actions.reply(tx, POLICY, ref, text="Done", actor=sam, at=LATER))
    newest = [m.address for m in messages(store) if m.written_at == LATER]
    assert sorted(newest) == ["anna@harbour.test", "ben@harbour.test"]


def test_entries_yield_to_an_erasure_alone(store: Store, ref: str) -> None:
    for change in ("UPDATE entry SET text = 'x'", "DELETE FROM entry"):
        with pytest.raises(Exception, match="never changed or deleted"):
            store.write(lambda tx, change=change: tx.connection().execute(sa.text(change)))
    erased(store)
    with pytest.raises(Exception, match="never changed or deleted"):
        store.write(lambda tx: tx.connection().execute(sa.text("UPDATE entry SET text = 'x'")))

    def cheat(tx: Session) -> None:
        tx.add(ErasureRow(pseudonym="cheat", erased_at=LATER))
        tx.flush()
        tx.connection().execute(sa.text("UPDATE entry SET number = number + 1000"))

    with pytest.raises(Exception, match="never changed or deleted"):
        store.write(cheat)


IN_USE = {
    "ANNA@harbour.test": r"as a contact of harbour, in clients\[\].contacts: take it out",
    "duty@agency.test": "as one of staff_channels: take it out",
    "sam@agency.test": "belongs to one of the staff",
    f"erased-1@{ERASED_DOMAIN}": "was erased already",
    "no address": "the address cannot be looked up",
}


def test_an_address_that_is_in_use_is_not_erased(store: Store, sam: Actor) -> None:
    person = Recipient("Anna Wright", "anna@harbour.test", Audience.CLIENT)
    client = replace(POLICY.clients["harbour"], everyone=(person,))
    policy = replace(POLICY, clients={"harbour": client})
    before = everything(store)
    for address, says in IN_USE.items():
        with pytest.raises(Refused, match=says):
            erased(store, address, policy)
    assert everything(store) == before


def test_an_export_shows_every_place_and_no_secret(store: Store, ref: str) -> None:
    found = exported(store)
    assert {"ticket", "entry", "message", "ticket_link"} <= found.keys()
    text = json.dumps(found)
    assert "I am Lena Hart" in text
    assert "hash" not in text
    assert "/t/" not in text
    erased(store)
    assert exported(store) == {}


def test_erasing_an_address_that_nobody_knows_changes_nothing(store: Store, ref: str) -> None:
    done = erased(store, "nobody@elsewhere.test")
    assert done.holdings.is_nothing


def test_a_longer_or_shorter_address_is_another_persons(store: Store, sam: Actor) -> None:
    for address in ("a_na@x.test", "anna@x.test.uk", "joanna@x.test", "anna@x.test"):
        a_ticket(store, Requester("", address))
    erased(store, "anna@x.test")
    left = store.read(lambda tx: tx.exec(select(TicketRow.requester_address)).all())
    assert set(left[:3]) == {"a_na@x.test", "anna@x.test.uk", "joanna@x.test"}
    assert left[3] is not None
    assert left[3].endswith(ERASED_DOMAIN)


@pytest.mark.parametrize(
    ("field", "text", "hidden"),
    [
        ("by", "Office", "Erased contact 1"),
        ("text", "Office hours", "Office hours"),
        ("text", "ask ANNA WRIGHT, or Anna Wrighton", "ask Erased contact 1, or Anna Wrighton"),
        ("text", "<anna@x.test>;", "<erased-1@erased.invalid>;"),
        ("text", "see anna@x.test.", "see erased-1@erased.invalid."),
        ("text", "joanna@x.test anna@x.test.uk", "joanna@x.test anna@x.test.uk"),
    ],
)
def test_a_mask_hides_a_person_and_nobody_else(field: str, text: str, hidden: str) -> None:
    mask = Mask("anna@x.test", {"Office", "Anna Wright"}, Pseudonym("1"))
    assert mask.hide(text, field=field, has_names=True) == hidden


def test_a_name_is_hidden_only_where_the_person_has_to_do_with_it() -> None:
    mask = Mask("anna@x.test", {"Anna Wright"}, Pseudonym("1"))
    assert mask.hide("Anna Wright", field="name", has_names=False) == "Anna Wright"
