"""The transport itself: its face to httpx, its lookups, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio
import errno
import gzip
import os
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.egress import CurlTransport, EgressFailed, LookupFailed, NameLookup, Terms, Transcript
from monitor.rules.observation import Cause, Phase
from tests import loopback
from tests.loopback import OK, Authorities, answer, serving

LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Authorities:
    return Authorities(tmp_path_factory.mktemp("authorities"))


@pytest.fixture
async def transport(authorities: Authorities) -> AsyncIterator[CurlTransport]:
    transport = CurlTransport(
        ca_bundle=authorities.file, system_lookup=lambda _host, _family: ["127.0.0.1"]
    )
    yield transport
    await transport.aclose()


def a_request(url: str, *, method: str = "GET", **terms: Any) -> httpx.Request:
    values: dict[str, Any] = {
        "deadline": asyncio.get_running_loop().time() + 5,
        "timeout_seconds": 5.0,
        "allow_networks": LOOPBACK,
    }
    return httpx.Request(method, url, extensions={"terms": Terms(**(values | terms))})


async def send(
    transport: CurlTransport, request: httpx.Request
) -> tuple[httpx.Response, Transcript]:
    response = await transport.handle_async_request(request)
    transcript = response.extensions["transcript"]
    assert isinstance(transcript, Transcript)
    return response, transcript


async def fail(transport: CurlTransport, request: httpx.Request) -> EgressFailed:
    with pytest.raises(EgressFailed) as caught:
        await transport.handle_async_request(request)
    return caught.value


# Its face to httpx.


async def test_the_body_comes_raw_and_capped(transport: CurlTransport) -> None:
    packed = gzip.compress(os.urandom(1000))
    async with serving(loopback.encoded(b"", data=packed)) as server:
        whole, _ = await send(transport, a_request(server.url()))
        assert b"".join([chunk async for chunk in whole.aiter_raw()]) == packed
        cut, transcript = await send(transport, a_request(server.url(), body_limit=100))
        assert b"".join([chunk async for chunk in cut.aiter_raw()]) == packed[:100]
    assert transcript.is_truncated
    assert transcript.body == packed[:100]
    assert cut.headers["content-encoding"] == "gzip"
    assert (cut.http_version, cut.status_code) == ("HTTP/1.1", 200)


async def test_it_serves_a_plain_httpx_client(transport: CurlTransport) -> None:
    async with (
        serving(loopback.redirect("/next")) as server,
        httpx.AsyncClient(transport=transport, follow_redirects=True, trust_env=False) as client,
    ):
        request = a_request(server.url())
        response = await client.send(request)
    assert response.status_code == 302  # also here redirects are left to whoever asked
    assert response.text == ""


async def test_a_failure_is_an_error_of_httpx(transport: CurlTransport) -> None:
    async with (
        serving(loopback.reset) as server,
        httpx.AsyncClient(transport=transport, trust_env=False) as client,
    ):
        request = a_request(server.url())
        with pytest.raises(httpx.TransportError) as caught:
            await client.send(request)
    assert isinstance(caught.value, EgressFailed)
    assert (caught.value.cause, caught.value.phase) == (Cause.CONNECT_RESET, Phase.PROCESSING)
    assert caught.value.request is request


async def test_what_had_come_is_kept_with_a_failure(transport: CurlTransport) -> None:
    async with serving(loopback.raw(OK, b"X-A: 1\r\nContent-Length: 9\r\n\r\nhalf")) as server:
        failure = await fail(transport, a_request(server.url()))
    assert failure.cause is Cause.BODY_INCOMPLETE
    assert failure.transcript.status == 200
    assert failure.transcript.headers == ((b"X-A", b"1"), (b"Content-Length", b"9"))
    assert failure.transcript.body == b"half"
    assert failure.transcript.remote_address == "127.0.0.1"


@pytest.mark.parametrize(
    ("method", "url", "changes", "error"),
    [
        ("GET", "ftp://127.0.0.1/", {}, httpx.UnsupportedProtocol),
        ("GET", "/path", {}, httpx.UnsupportedProtocol),
        ("POST", "http://127.0.0.1/", {"content": b"x"}, httpx.LocalProtocolError),
        ("GET", "http://127.0.0.1/", {"headers": [(b"A", b"b\r\nC: d")]},
         httpx.LocalProtocolError),
        ("GET", "http://127.0.0.1/", {"headers": [(b"A b", b"c")]}, httpx.LocalProtocolError),
    ],
    ids=["scheme", "no host", "body", "line break in a header", "space in a name"],
)  # fmt: skip
async def test_a_request_that_cannot_be_sent(
    transport: CurlTransport, method: str, url: str, changes: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await transport.handle_async_request(httpx.Request(method, url, **changes))


async def test_without_terms_nothing_inside_is_reached(transport: CurlTransport) -> None:
    async with serving(answer()) as server:
        failure = await fail(transport, httpx.Request("GET", server.url()))
    assert failure.cause is Cause.ADDRESS_BLOCKED
    assert server.connections == 0


async def test_an_empty_header_is_sent(transport: CurlTransport) -> None:
    async with serving(answer()) as server:
        request = a_request(server.url())
        request.headers["X-Empty"] = ""
        await send(transport, request)
    assert server.requests[0].headers["x-empty"] == ""


# Connections and handshakes.


async def test_every_request_shakes_hands_anew(
    transport: CurlTransport, authorities: Authorities
) -> None:
    resumed: list[bool | None] = []

    async def script(visit: loopback.Visit) -> None:
        resumed.append(visit.writer.get_extra_info("ssl_object").session_reused)
        await answer()(visit)

    async with serving(script, tls=authorities.tls()) as server:
        for _ in range(3):
            await send(transport, a_request(server.url()))
    assert server.connections == 3
    assert resumed == [False] * 3


async def test_the_public_authorities_are_read_once(tmp_path: Path) -> None:
    own = Authorities(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    private = Authorities(other)
    transport = CurlTransport(ca_bundle=own.file)
    try:
        async with (
            serving(answer(), tls=own.tls()) as public,
            serving(answer(), tls=private.tls()) as inside,
        ):
            await send(transport, a_request(public.url()))
            os.truncate(own.file, 0)
            for _ in range(3):  # nor does a site's own bundle push it out
                await send(transport, a_request(inside.url(), ca_file=private.file))
                await send(transport, a_request(public.url()))
    finally:
        await transport.aclose()


async def test_an_address_that_is_denied_is_passed_over_for_one_that_is_not() -> None:
    transport = CurlTransport(system_lookup=lambda _host, _family: ["127.0.0.1", "127.0.0.2"])
    try:
        async with (
            serving(answer()) as denied,
            serving(answer(), host="127.0.0.2", port=denied.port) as allowed,
        ):
            networks = (ip_network("127.0.0.2/32"),)
            _, transcript = await send(
                transport, a_request(denied.url(host="both.test"), allow_networks=networks)
            )
    finally:
        await transport.aclose()
    assert transcript.remote_address == "127.0.0.2"
    assert (denied.connections, allowed.connections) == (0, 1)


async def test_each_address_is_announced_before_it_is_connected_to(
    transport: CurlTransport, loopback_refusals: list[str]
) -> None:
    """The suite's own guard sees what libcurl does, and can refuse it."""
    networks = (ip_network("192.0.2.0/24"),)
    failure = await fail(transport, a_request("http://192.0.2.1/", allow_networks=networks))
    assert failure.cause is Cause.CONNECT_UNREACHABLE
    assert loopback_refusals == ["socket.connect to 192.0.2.1"]
    loopback_refusals.clear()


async def test_many_at_once(transport: CurlTransport, authorities: Authorities) -> None:
    async with serving(answer(), tls=authorities.tls()) as server:
        answers = await asyncio.gather(
            *(send(transport, a_request(server.url(f"/{n}"))) for n in range(150))
        )
    assert {response.status_code for response, _ in answers} == {200}
    assert sorted(asked.target for asked in server.requests) == sorted(f"/{n}" for n in range(150))


async def test_a_handle_goes_where_its_next_request_says(transport: CurlTransport) -> None:
    """One handle serves them all, one after the other, on changing hosts and ports."""
    async with serving(answer(b"one")) as one, serving(answer(b"two")) as two:
        bodies = [
            (await send(transport, a_request(server.url(host=host))))[1].body
            for server in (one, two, one, two)
            for host in ("127.0.0.1", "site.test", "site.test")
        ]
    assert bodies == [b"one"] * 3 + [b"two"] * 3 + [b"one"] * 3 + [b"two"] * 3


# Lookups.


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


def soon(seconds: float = 0.2) -> float:
    return asyncio.get_running_loop().time() + seconds


class HangingNames:
    """Name servers that answer once ``gate`` is open; ``asked`` has the names in their order."""

    def __init__(self, gate: threading.Event) -> None:
        self.asked: list[str] = []
        self._gate = gate
        self._begun = threading.Semaphore(0)

    def __call__(self, host: str, _family: int) -> Sequence[str]:
        self.asked.append(host)
        self._begun.release()
        self._gate.wait()
        return ["192.0.2.1"]

    async def begin(self, lookup: NameLookup, host: str) -> asyncio.Task[tuple[str, ...]]:
        """Let somebody ask for a name, patiently; return once a thread hangs over it."""
        asking = lookup.find_addresses(host, family=None, deadline=soon(60))
        task = asyncio.create_task(asking)
        await asyncio.sleep(0)
        await asyncio.to_thread(self._begun.acquire)
        return task


async def give_up(task: asyncio.Task[tuple[str, ...]]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_asks_for_a_name_under_way_gets_its_answer(gate: threading.Event) -> None:
    names = HangingNames(gate)
    lookup = NameLookup(system_lookup=names)
    first = await names.begin(lookup, "a.test")
    others = [
        asyncio.create_task(lookup.find_addresses("a.test", family=None, deadline=soon(60)))
        for _ in range(9)
    ]
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(first, *others) == [("192.0.2.1",)] * 10
    assert await lookup.find_addresses("a.test", family=None, deadline=soon(60)) == ("192.0.2.1",)
    assert names.asked == ["a.test", "a.test"]  # later ones ask anew
    lookup.close()


async def test_a_second_look_does_not_wait_for_the_lookup_that_the_first_gave_up(
    gate: threading.Event,
) -> None:
    names = HangingNames(gate)

    def system_lookup(host: str, family: int) -> Sequence[str]:
        if names.asked:
            return ["192.0.2.1"]
        names(host, family)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    lookup = NameLookup(system_lookup=system_lookup)
    await give_up(await names.begin(lookup, "a.test"))
    assert await lookup.find_addresses("a.test", family=None, deadline=soon(60)) == ("192.0.2.1",)
    gate.set()
    assert await lookup.find_addresses("a.test", family=None, deadline=soon(60)) == ("192.0.2.1",)
    lookup.close()


async def test_a_name_that_hangs_takes_two_threads_at_most(gate: threading.Event) -> None:
    names = HangingNames(gate)
    lookup = NameLookup(system_lookup=names)
    for _ in range(2):
        await give_up(await names.begin(lookup, "a.test"))
    for _ in range(2):
        with pytest.raises(LookupFailed) as failed:
            await lookup.find_addresses("a.test", family=None, deadline=soon())
        assert failed.value.cause is Cause.DNS_TIMEOUT
    assert names.asked == ["a.test", "a.test"]
    lookup.close()


async def test_when_every_thread_hangs_the_fault_is_ours(gate: threading.Event) -> None:
    names = HangingNames(gate)
    lookup = NameLookup(most_threads=2, system_lookup=names)
    hanging = [await names.begin(lookup, f"{number}.test") for number in range(2)]
    with pytest.raises(LookupFailed) as failed:
        await lookup.find_addresses("3.test", family=None, deadline=soon())
    assert failed.value.cause is Cause.OWN_RESOLVER
    gate.set()
    assert await asyncio.gather(*hanging) == [("192.0.2.1",)] * 2
    assert await lookup.find_addresses("9.test", family=None, deadline=soon(60)) == ("192.0.2.1",)
    lookup.close()


async def test_one_who_gives_up_does_not_spoil_it_for_the_others(gate: threading.Event) -> None:
    def system_lookup(_host: str, _family: int) -> Sequence[str]:
        gate.wait()
        return ["192.0.2.1"]

    lookup = NameLookup(system_lookup=system_lookup)
    impatient = asyncio.create_task(lookup.find_addresses("a.test", family=None, deadline=soon(5)))
    patient = asyncio.create_task(lookup.find_addresses("a.test", family=None, deadline=soon(5)))
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    gate.set()
    assert await patient == ("192.0.2.1",)
    lookup.close()


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), Cause.DNS_NOT_FOUND),
        (socket.gaierror(socket.EAI_NODATA, "No address"), Cause.DNS_NOT_FOUND),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), Cause.DNS_FAILURE),
        (socket.gaierror(socket.EAI_FAIL, "Non-recoverable"), Cause.DNS_FAILURE),
        (socket.gaierror(socket.EAI_MEMORY, "Memory"), Cause.OWN_RESOURCES),
        (OSError(errno.EMFILE, "Too many open files"), Cause.OWN_RESOURCES),
        (OSError(errno.EIO, "Input/output error"), Cause.DNS_FAILURE),
    ],
)
async def test_why_a_name_gave_no_address(error: OSError, cause: Cause) -> None:
    def system_lookup(_host: str, _family: int) -> Sequence[str]:
        raise error

    transport = CurlTransport(system_lookup=system_lookup)
    failure = await fail(transport, a_request("http://site.test/"))
    await transport.aclose()
    assert (failure.cause, failure.phase) == (cause, Phase.RESOLVE)
    assert "site.test" in str(failure)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:0::1", "2001:db8::1"),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1"),
    ],
)
async def test_an_address_is_not_looked_up(host: str, address: str) -> None:
    def system_lookup(_host: str, _family: int) -> Sequence[str]:
        raise AssertionError("nobody was to be asked")

    lookup = NameLookup(system_lookup=system_lookup)
    found = await lookup.find_addresses(host, family=None, deadline=soon())
    assert [ip_address(each) for each in found] == [ip_address(address)]
    lookup.close()


async def test_a_name_with_thousands_of_addresses_gives_sixteen() -> None:
    def system_lookup(_host: str, _family: int) -> Sequence[str]:
        return [f"192.0.2.{n % 250}" for n in range(5000)]

    lookup = NameLookup(system_lookup=system_lookup)
    found = await lookup.find_addresses("many.test", family=None, deadline=soon(5))
    assert found == tuple(f"192.0.2.{n}" for n in range(16))
    lookup.close()


@pytest.mark.parametrize(
    ("family", "asked"), [(None, socket.AF_UNSPEC), (4, socket.AF_INET), (6, socket.AF_INET6)]
)
async def test_the_family_is_asked_for(family: int | None, asked: int) -> None:
    families: list[int] = []

    def system_lookup(_host: str, family: int) -> Sequence[str]:
        families.append(family)
        return ["192.0.2.1"]

    lookup = NameLookup(system_lookup=system_lookup)
    await lookup.find_addresses("a.test", family=family, deadline=soon(5))
    lookup.close()
    assert families == [asked]


async def test_a_name_without_an_answer_for_want_of_descriptors_is_our_own_fault() -> None:
    def system_lookup(_host: str, _family: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    lookup = NameLookup(system_lookup=system_lookup)
    with loopback.no_descriptors(), pytest.raises(LookupFailed) as caught:
        await lookup.find_addresses("site.test", family=None, deadline=soon(5))
    lookup.close()
    assert caught.value.cause is Cause.OWN_RESOURCES


async def test_this_host_knows_itself() -> None:
    """The system's own lookup, not a stand-in; nobody outside is asked for localhost."""
    lookup = NameLookup()
    found = await lookup.find_addresses("localhost", family=4, deadline=soon(5))
    lookup.close()
    assert found == ("127.0.0.1",)


# Nothing is left behind.


async def test_closing_what_was_never_used() -> None:
    await CurlTransport().aclose()


async def test_closing_ends_lookup_threads() -> None:
    before = set(threading.enumerate())
    lookup = NameLookup(system_lookup=lambda _host, _family: ["192.0.2.1"])
    await asyncio.gather(
        *(lookup.find_addresses(f"{n}.test", family=None, deadline=soon(5)) for n in range(5))
    )
    started = set(threading.enumerate()) - before
    assert started
    lookup.close()
    for thread in started:
        await asyncio.to_thread(thread.join, 5)
    assert not any(thread.is_alive() for thread in started)


async def test_closing_while_a_lookup_hangs_waits_for_nobody(gate: threading.Event) -> None:
    def system_lookup(_host: str, _family: int) -> Sequence[str]:
        gate.wait()
        return ["192.0.2.1"]

    transport = CurlTransport(system_lookup=system_lookup)
    failure = await fail(transport, a_request("http://hangs.test/", deadline=soon()))
    await transport.aclose()  # the thread still hangs until the gate opens, after this test
    assert failure.cause is Cause.DNS_TIMEOUT
