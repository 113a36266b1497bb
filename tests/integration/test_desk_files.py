"""Files that staff send: with a reply to the client, with a note to nobody but each other."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import pytest

from tests.by_link import CARLA, PNG, Files, LinkBench
from tests.clocks import FakeClock
from tests.desk import DeskBench, Page, see
from tickets.letters import Letters
from tickets.rules.attachment import LARGEST_FILE
from tickets.rules.notice import Audience, Notice
from tickets.rules.staff import Role
from tickets.store import Store

PLAN = ("plan.txt", b"1. Look. 2. Mend.")
OUTLOOK = {"next_steps": "We mend it", "estimate": "Tomorrow"}


@pytest.fixture
def client(sqlite_store: Store, clock: FakeClock) -> LinkBench:
    """Carla, who has asked for T-1001 and has a link to it."""
    bench = LinkBench(sqlite_store, clock)
    bench.request()
    return bench


@pytest.fixture
def desk(client: LinkBench, clock: FakeClock) -> DeskBench:
    return DeskBench(client.store, clock).with_policy(client.policy)


@pytest.fixture
def browser(desk: DeskBench) -> httpx.AsyncClient:
    return desk.browser(desk.session(desk.staff()))


async def send(
    browser: httpx.AsyncClient, action: str, fields: Mapping[str, str], files: Files = ()
) -> httpx.Response:
    """Fill in the form of an action as a browser does, which sends an empty part for no file."""
    form = (await see(browser, f"/tickets/T-1001?do={action}")).form(f"/tickets/T-1001/{action}")
    assert form.fields.pop("files") == ""
    parts = [("files", (name, content, "application/x-anything")) for name, content in files]
    empty = [("files", ("", b"", "application/octet-stream"))]
    return await browser.post(form.action, data={**form.fields, **fields}, files=parts or empty)


async def test_a_replys_files_are_downloads_for_the_client_and_named_in_the_mail(
    client: LinkBench, browser: httpx.AsyncClient
) -> None:
    files = [PLAN, ("../shot.png", PNG)]
    sent = await send(browser, "reply", {"text": "Here is our plan.", **OUTLOOK}, files)
    assert sent.status_code == 303
    assert client.ticket("T-1001").promise.is_answered
    path = client.path("T-1001", CARLA)
    for reader, address in ((browser, "/tickets/T-1001"), (client.browser, path)):
        page = Page(await reader.get(address))
        for name, content in (PLAN, ("shot.png", PNG)):
            answer = await reader.get(page.links[name])
            assert (answer.status_code, answer.content) == (200, content)
            assert answer.headers["content-disposition"].startswith("attachment;")
            assert answer.headers["x-content-type-options"] == "nosniff"
    assert all(file.sender_address is None for file in client.files())
    (mail,) = [
        one for one in client.messages() if one.notice is Notice.REPLY and one.address == CARLA
    ]
    letter = Letters().write(Notice.REPLY, Audience.CLIENT, mail.facts)
    assert "Files, on the page of your ticket:\nplan.txt, shot.png" in letter.text
    assert str(mail.facts["ticket_url"]) in letter.text


async def test_a_notes_files_are_never_the_clients(
    client: LinkBench, browser: httpx.AsyncClient
) -> None:
    assert (await send(browser, "note", {"text": "Look"}, [PLAN])).status_code == 303
    desk_page = await see(browser, "/tickets/T-1001")
    file = desk_page.links["plan.txt"].rpartition("/")[2]
    assert (await browser.get(f"/tickets/T-1001/files/{file}")).content == PLAN[1]
    path = client.path("T-1001", CARLA)
    assert "plan.txt" not in (await client.see(path)).text
    assert (await client.browser.get(f"{path}/files/{file}")).status_code == 404
    assert not any("plan.txt" in str(message.facts) for message in client.messages())


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([("run.exe", b"MZ")], "is of a kind that cannot be sent"),
        ([("a.png", b"no picture")], "does not hold what its name says"),
        ([PLAN] * 6, "There are 6 files; send at most 5 files"),
        ([("a.txt", b"a" * (LARGEST_FILE + 1))], "The files are too large"),
    ],
)
async def test_a_form_with_a_wrong_file_comes_back_with_every_word(
    client: LinkBench, browser: httpx.AsyncClient, files: Files, says: str
) -> None:
    fields = {"text": "Here is our plan.", **OUTLOOK}
    page = Page(await send(browser, "reply", fields, files))
    assert page.status == 422
    assert says in page.text
    assert "Browsers do not keep files when a form comes back: choose them again." in page.text
    again = page.form("/tickets/T-1001/reply").fields
    assert {name: again[name] for name in fields} == fields
    assert client.files() == []
    assert not client.ticket("T-1001").promise.is_answered


async def test_a_ticket_that_has_changed_keeps_no_file(
    client: LinkBench, browser: httpx.AsyncClient
) -> None:
    stale = {"text": "Look", "version": "1"}
    assert (await send(browser, "note", {"text": "First"})).status_code == 303
    answer = Page(await send(browser, "note", stale, [PLAN]))
    assert answer.status == 409
    assert "choose them again" in answer.text
    assert client.files() == []


async def test_files_of_whoever_may_not_act_are_not_kept(
    client: LinkBench, desk: DeskBench, browser: httpx.AsyncClient
) -> None:
    form = (await see(browser, "/tickets/T-1001?do=note")).form("/tickets/T-1001/note")
    viewer = desk.browser(desk.session(desk.staff("Vera Moss", role=Role.VIEWER)))
    token = next(
        found.fields["form_token"]
        for found in (await see(viewer, "/tickets/T-1001")).forms
        if "form_token" in found.fields
    )
    foreign = {"Origin": "http://evil.test", "Sec-Fetch-Site": "cross-site"}
    for who, more, headers, status in (
        (desk.visitor(), {}, {}, 401),
        (viewer, {"form_token": token}, {}, 403),
        (browser, {"form_token": "0"}, {}, 403),
        (browser, {}, foreign, 403),
    ):
        answer = await who.post(
            form.action,
            data={**form.fields, "text": "Look", **more},
            files=[("files", PLAN)],
            headers=headers,
        )
        assert answer.status_code == status, answer.text
    assert client.files() == []
    kept = Page(
        await desk.visitor().post(form.action, data={"text": "Look"}, files={"files": PLAN})
    )
    assert "Your words are kept." in kept.text
