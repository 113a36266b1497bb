"""What a contact sent: exported with its bytes, shown before it is erased, and gone after."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from sqlmodel import Session

import monitor.alert_tables
import monitor.tables  # noqa: F401  (its rows are looked through as well)
from tests.builders import a_policy
from tests.by_link import CARLA, PNG, LinkBench
from tests.clocks import FakeClock
from tests.commands import Fettle, write_config
from tests.requesting import TYPED, FormBench
from tickets import contacts, erasure
from tickets.attachments import accept, keep, list_attachments
from tickets.contact_files import list_files
from tickets.rules.attachment import SentFile
from tickets.store import Store
from tickets.tables import WatcherRow

CONFIG = """\
agency:
  name: Bright Agency
  url: https://agency.test/
  mail_from: support@agency.test
staff_channels:
  duty: ["mailto://duty@agency.test"]
clients:
  - slug: harbour
    name: Harbour Inns
    contacts:
      - {name: Anna Wright, email: anna@harbour.test}
    sites:
      - {slug: booking, name: Booking site, url: "https://booking.harbour.test/"}
"""
SECRET = b"the words that only Carla's file holds"
NAMESAKE = "carla.lund@other.test"


class Terminal(io.StringIO):
    """Somebody at a terminal, who types what it holds."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def fettle(
    tmp_path: Path,
    store_url: str,
    clock: FakeClock,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Fettle:
    call = Fettle(write_config(tmp_path, CONFIG), clock, capsys, monkeypatch)
    call.environ["FETTLE_STORE__URL"] = store_url
    return call


@pytest.fixture
async def bench(store: Store, clock: FakeClock) -> LinkBench:
    """A ticket of Carla's with two files of hers, one of a namesake's and one of staff."""
    bench = LinkBench(store, clock)
    ref = bench.request()
    number = int(ref.removeprefix("T-")) - 1000
    store.write(
        lambda tx: tx.add(WatcherRow(ticket_id=number, address=NAMESAKE, name="Carla Lund"))
    )
    sent = await bench.send(
        bench.path(ref, CARLA), "Here", files=[("plan.txt", SECRET), ("plan.png", PNG)]
    )
    assert sent.status_code == 303
    hers = bench.ticket(ref).version
    for address, name in ((NAMESAKE, "namesake.png"), (None, "staff.png")):
        checked = accept([SentFile(name, PNG)])
        store.write(
            lambda tx, files=checked, sender=address: keep(
                tx, number, entry_number=hers, files=files, sender_address=sender, at=clock.now()
            )
        )
    return bench


def names(store: Store) -> list[str]:
    return [file.name for file in store.read(lambda tx: list_attachments(tx, 1))]


async def test_erasing_a_contact_deletes_the_files_that_they_sent_and_no_others(
    bench: LinkBench,
) -> None:
    store, policy, at = bench.store, a_policy(), bench.clock.now()

    def work(tx: Session) -> tuple[erasure.Holdings, erasure.Erasure]:
        person = contacts.find_person(tx, CARLA.upper())
        before = erasure.survey(tx, person, now=at)
        return before, erasure.erase(tx, policy, person, at=at)

    before, done = store.write(work)
    assert names(store) == ["namesake.png", "staff.png"]
    assert (done.holdings.files, done.holdings.file_bytes) == (2, len(SECRET) + len(PNG))
    assert done.holdings == before  # nothing else than was shown first
    told = [m.facts["files"] for m in bench.messages() if "files" in m.facts]
    assert told == [None]  # the letter to staff named them
    person = store.read(lambda tx: contacts.find_person(tx, CARLA))
    assert store.read(lambda tx: contacts.export(tx, person)) == {}
    assert store.read(lambda tx: list_files(tx, CARLA)) == []


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_nothing_of_an_erased_file_is_left_in_the_database(
    bench: LinkBench, store_url: str, fettle: Fettle
) -> None:
    file = Path(store_url.removeprefix("sqlite:///"))
    assert fettle("contacts", "erase", CARLA, "--yes").code == 0
    bench.store.close()
    assert not file.with_name(f"{file.name}-wal").exists()
    content = file.read_bytes()
    assert SECRET not in content
    assert CARLA.encode() not in content


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_an_export_holds_every_file_that_an_erasure_deletes(
    bench: LinkBench, fettle: Fettle, tmp_path: Path
) -> None:
    form = FormBench(bench.store, bench.clock)
    await form.send({**TYPED, "email": CARLA}, files=[("form.png", PNG)])  # waits for its sender
    listed = fettle("contacts", "export", CARLA)
    assert listed.code == 0
    assert {(one["ticket"], one["name"], one["saved_as"]) for one in listed.document["files"]} == {
        ("T-1001", "plan.png", None),
        ("T-1001", "plan.txt", None),
        (None, "form.png", None),
    }
    folder = tmp_path / "carla" / "files"
    exported = fettle("contacts", "export", CARLA, "--files", str(folder)).document
    saved = {one["name"]: (folder / one["saved_as"]).read_bytes() for one in exported["files"]}
    assert saved == {"plan.txt": SECRET, "plan.png": PNG, "form.png": PNG}
    assert sorted(one["size_bytes"] for one in exported["files"]) == sorted(
        map(len, saved.values())
    )
    erased = fettle("contacts", "erase", CARLA, "--yes", "--json").document
    assert (erased["files"], erased["requests_without_ticket"]) == (3, 1)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_an_erasure_shows_what_it_would_do_and_asks(bench: LinkBench, fettle: Fettle) -> None:
    unasked = fettle("contacts", "erase", CARLA)
    assert unasked.code == 2
    assert "files sent, deleted" in unasked.out
    assert "with --yes it is done unasked" in unasked.err
    for answer in ("no\n", "y\n", ""):
        refused = fettle("contacts", "erase", CARLA, stdin=Terminal(answer))
        assert (refused.code, "nothing was erased" in refused.err) == (1, True)
    assert "plan.txt" in names(bench.store)
    done = fettle("contacts", "erase", CARLA, stdin=Terminal("yes\n"))
    assert done.code == 0
    before, _, after = done.out.partition("Erased. Erased contact ")
    assert before.startswith("This would be erased:")
    assert "2, 1 KB" in after
    assert "attachment rows" not in after
    assert names(bench.store) == ["namesake.png", "staff.png"]
    nothing = fettle("contacts", "erase", CARLA)
    assert (nothing.code, nothing.out) == (0, "Nothing is stored about this address.\n")
    assert fettle("contacts", "export", CARLA).code == 1
    in_use = fettle("contacts", "erase", "anna@harbour.test", "--yes")
    assert in_use.code == 1
    assert "still stands in the configuration" in in_use.err
