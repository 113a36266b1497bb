"""The desk is killed between a form's answer, its ticket and its receipt: nothing is lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from sqlmodel import select

from tests.desk import Page
from tests.requesting import ANNA, FORM, TYPED
from tests.smtp import Postbox, Received
from tests.stores import open_store
from tests.system.running import Service, Website, eventually
from tickets.portal.stamps import LEAST_TIME
from tickets.rules.ticket import reference
from tickets.store import Store
from tickets.tables import MessageRow, TicketRow

pytestmark = pytest.mark.timeout(400)


@dataclass
class Scene:
    """A service with a mail server that may kill it, and what came of a request."""

    service: Service
    store: Store
    postbox: Postbox
    kill_when: list[Callable[[Received], bool]] = field(
        default_factory=list[Callable[[Received], bool]]
    )

    def on_mail(self, mail: Received) -> str | None:
        """Kill the desk while the mail server has its mail; say what the server answers then."""
        if not self.kill_when or ANNA not in mail.recipients:
            return None
        is_kept = self.kill_when.pop()(mail)
        os.kill(self.service.pid("desk"), signal.SIGKILL)
        return None if is_kept else "451 4.3.0 try again"

    def send(self, **more: str) -> str:
        """Send the form as Anna would; return where its receipt is."""
        headers = {"Origin": self.service.url}
        with httpx.Client(base_url=self.service.url, headers=headers, timeout=20) as browser:
            fields = Page(browser.get(FORM)).form(FORM).fields
            fields.pop("files", None)
            time.sleep(LEAST_TIME.total_seconds() + 0.5)  # nobody fills it in faster
            sent = browser.post(FORM, data={**fields, **TYPED, **more})
        assert sent.status_code == 303, sent.text
        return sent.headers["location"]

    def check(self, receipt: str, *, copies: int = 1) -> None:
        """The service is back: one ticket, one receipt in so many equal copies, a valid page."""
        eventually(self.service.is_ready, what="the service to be ready again")
        # Whether another comes is known when no message waits and its lease would be over.
        eventually(lambda: {row.state for row in self.messages()} == {"sent"}, within=150)
        [ticket] = self.store.read(lambda tx: tx.exec(select(TicketRow)).all())
        name = reference(ticket.id or 0)
        page = Page(httpx.get(f"{self.service.url}{receipt}"))
        assert page.status == 200
        assert name in page.text
        mails = self.postbox.to(ANNA)
        assert len(mails) == copies
        assert len({mail.content for mail in mails}) == 1
        assert name in mails[0].subject

    def messages(self) -> list[MessageRow]:
        return list(self.store.read(lambda tx: tx.exec(select(MessageRow)).all()))

    def titles(self) -> list[str]:
        tickets = self.store.read(lambda tx: tx.exec(select(TicketRow)).all())
        return sorted(ticket.title for ticket in tickets)

    def wait_for_new_desk(self, before: int) -> None:
        eventually(lambda: self.service.pid("desk") != before, what="a new desk")
        self.service.wait_until_ready()

    @contextmanager
    def no_ticket_can_be_written(self) -> Iterator[None]:
        """Hold what a ticket needs, as another transaction would; PostgreSQL only."""
        engine = sa.create_engine(self.store.url)
        with engine.begin() as connection:
            connection.exec_driver_sql("LOCK TABLE ticket IN SHARE MODE")
            yield
        engine.dispose()


@pytest.fixture
def scene(tmp_path: Path, store_url: str) -> Iterator[Scene]:
    website, found = Website(), list[Scene]()

    def on_mail(mail: Received) -> str | None:
        return found[0].on_mail(mail)

    with Postbox(on_mail=on_mail) as postbox:
        service = Service(tmp_path, store_url, website.url, postbox.port)
        service.write_config()
        store = open_store(store_url)
        found.append(Scene(service, store, postbox))
        service.start()
        yield found[0]
        if service.process is not None and service.process.poll() is None:
            service.stop()
        store.close()
    website.close()


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("whole", [False, True], ids=["desk", "service"])
def test_f13_killed_after_the_forms_answer_and_before_its_ticket(scene: Scene, whole: bool) -> None:
    pid = scene.service.pid("desk")
    with scene.no_ticket_can_be_written():
        receipt = scene.send()
        assert scene.messages() == []
        if whole:
            scene.service.kill()
        else:
            os.kill(pid, signal.SIGKILL)
    if whole:
        scene.service.start()
    else:
        scene.wait_for_new_desk(pid)
    eventually(lambda: scene.postbox.to(ANNA), what="the receipt", within=90)
    scene.check(receipt)


@pytest.mark.parametrize("is_kept", [False, True], ids=["f9 before", "f10 after"])
def test_killed_while_the_mail_server_has_the_receipt(scene: Scene, is_kept: bool) -> None:
    pid = scene.service.pid("desk")
    scene.kill_when.append(lambda _mail: is_kept)
    receipt = scene.send()
    scene.wait_for_new_desk(pid)
    scene.check(receipt, copies=1 + is_kept)


def test_f13_killed_at_any_moment_after_the_answer(scene: Scene) -> None:
    for number, milliseconds in enumerate((0, 2, 5, 10, 20, 50, 100)):
        pid = scene.service.pid("desk")
        scene.send(title=f"Request number {number}")
        time.sleep(milliseconds / 1000)
        os.kill(pid, signal.SIGKILL)
        scene.wait_for_new_desk(pid)
    eventually(lambda: len(scene.titles()) >= 7, what="a ticket for each request")
    assert scene.titles() == [f"Request number {one}" for one in range(7)]
    eventually(
        lambda: {row.state for row in scene.messages()} == {"sent"}, what="all mails", within=150
    )
    receipts = {row.header_id for row in scene.messages() if row.address == ANNA}
    mails = scene.postbox.to(ANNA)
    assert {str(mail.message["Message-ID"]) for mail in mails} == receipts
    assert len({mail.content for mail in mails}) == len(receipts) == 7
