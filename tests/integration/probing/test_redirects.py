"""Redirects: followed hop by hop, each one guarded, with cookies and without credentials."""

from __future__ import annotations

import asyncio

import pytest

from monitor.prober import Prober
from monitor.rules.observation import Cause, Phase
from monitor.rules.site import BasicAuth
from tests import loopback
from tests.loopback import OK, Authorities, Script, answer, serving
from tests.probing import (
    SOON,
    UP,
    Told,
    cases,
    down,
    observe,
    observe_script,
)

TOO_MANY = down(Cause.REDIRECT_LOOP, Phase.PROCESSING, "the site redirects more than 10 times")


async def test_the_deadline_is_one_for_all_redirects(prober: Prober) -> None:
    counter = iter(range(1000))

    async def script(visit: loopback.Visit) -> None:
        await loopback.late(0.15, loopback.redirect(f"/{next(counter)}"))(visit)

    seen = await observe_script(prober, script, **SOON)
    down(Cause.RESPONSE_TIMEOUT, Phase.PROCESSING, "answered nothing within 0.4 s").check(seen)
    assert 1 < len(seen.hops) < 5


async def test_redirects_are_followed_and_noted(prober: Prober) -> None:
    script = loopback.pages(
        {"/": loopback.redirect("/a"), "/a": loopback.redirect("b?q=1"), "/b": answer()}
    )
    async with serving(script) as server:
        seen = await observe(prober, server.url())
    assert seen.cause is None
    assert seen.hops == (server.url(), server.url("/a"), server.url("/b?q=1"))
    assert seen.final_url == server.url("/b?q=1")
    assert server.connections == 3


async def test_nobody_waits_for_the_body_of_a_redirect(prober: Prober) -> None:
    stuck = loopback.drip(b"HTTP/1.1 301 Moved\r\nLocation: /b\r\n\r\n", b"x")
    seen = await observe_script(prober, loopback.pages({"/": stuck, "/b": answer()}))
    assert (seen.cause, len(seen.hops)) == (None, 2)


async def test_a_redirect_that_is_expected_is_the_answer(prober: Prober) -> None:
    seen = await observe_script(
        prober, loopback.redirect("/elsewhere"), expect_status=((302, 302),)
    )
    assert (seen.cause, seen.http_status, len(seen.hops)) == (None, 302, 1)


async def test_ten_redirects_are_followed_and_no_more(prober: Prober) -> None:
    def chain(length: int) -> Script:
        steps = {f"/{n}": loopback.redirect(f"/{n + 1}") for n in range(length)}
        return loopback.pages(steps | {f"/{length}": answer()})

    async with serving(chain(10)) as server:
        ten = await observe(prober, server.url("/0"))
    async with serving(chain(11)) as server:
        eleven = await observe(prober, server.url("/0"))
    assert (ten.cause, len(ten.hops)) == (None, 11)
    assert (eleven.cause, len(eleven.hops)) == (Cause.REDIRECT_LOOP, 11)
    TOO_MANY.check(eleven)


async def test_a_circle_is_found_at_once(prober: Prober) -> None:
    script = loopback.pages({"/": loopback.redirect("/a"), "/a": loopback.redirect("/#top")})
    async with serving(script) as server:
        seen = await observe(prober, server.url())
    assert server.connections == 2
    down(
        Cause.REDIRECT_LOOP,
        Phase.PROCESSING,
        f"the site redirects in a circle, back to {server.url()}",
    ).check(seen)


@pytest.mark.parametrize(
    "where",
    ["", "ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1:70/", "javascript:alert(1)",
     "http://", "https://user:pass@127.0.0.1/", "http://127.0.0.1:99999/", "http://[::1/",
     "data:text/html,hello", "//user@127.0.0.1/", "http://127.0.0.1:0/"],
)  # fmt: skip
async def test_a_redirect_that_cannot_be_followed(prober: Prober, where: str) -> None:
    async with serving(loopback.redirect(where)) as server:
        seen = await observe(prober, server.url())
    down(Cause.REDIRECT_INVALID, Phase.PROCESSING, "cannot be followed").check(seen)
    assert server.connections == 1


async def test_cookies_are_carried_within_one_probe_only(prober: Prober) -> None:
    async def script(visit: loopback.Visit) -> None:
        asked = await visit.asked()
        if "seen=yes" in asked.headers.get("cookie", ""):
            await visit.send(OK, b"Content-Length: 2\r\n\r\nok")
        else:
            await visit.send(b"HTTP/1.1 302 Found\r\nLocation: /\r\nSet-Cookie: seen=yes\r\n\r\n")

    async with serving(script) as server:
        first = await observe(prober, server.url(), headers={"Cookie": "own=1"})
        second = await observe(prober, server.url())
    assert (first.cause, second.cause) == (None, None)
    cookies = [asked.headers.get("cookie") for asked in server.requests]
    assert cookies == ["own=1", "own=1; seen=yes", None, "seen=yes"]


async def test_credentials_stay_with_their_origin(prober: Prober) -> None:
    async with serving(answer()) as elsewhere:
        script = loopback.pages(
            {
                "/": loopback.redirect("/same"),
                "/same": loopback.redirect(elsewhere.url(), headers={"Set-Cookie": "a=1; Path=/"}),
            }
        )
        async with serving(script) as server:
            seen = await observe(
                prober,
                server.url(host="site.test"),
                headers={"X-Token": "abc", "Cookie": "b=2"},
                basic_auth=BasicAuth("anna", "s3cret"),
            )
    assert seen.cause is None
    assert [asked.headers["x-token"] for asked in server.requests] == ["abc", "abc"]
    assert all("authorization" in asked.headers for asked in server.requests)
    (abroad,) = elsewhere.requests
    assert set(abroad.headers) == {
        "host", "user-agent", "accept", "accept-encoding", "connection"
    }  # fmt: skip


async def test_two_sites_that_send_a_visitor_to_and_fro(
    prober: Prober, authorities: Authorities
) -> None:
    """A to B and back to A, across hosts and schemes."""

    async def send_back(visit: loopback.Visit) -> None:
        await loopback.redirect(first.url(host="site.test"))(visit)

    async with (
        serving(send_back, tls=authorities.tls("other.test")) as second,
        serving(loopback.redirect(second.url(host="other.test"))) as first,
    ):
        seen = await observe(prober, first.url(host="site.test"))
    where = first.url(host="site.test")
    down(Cause.REDIRECT_LOOP, Phase.PROCESSING, f"in a circle, back to {where}").check(seen)
    assert seen.hops == (where, second.url(host="other.test"))
    assert (first.connections, second.connections) == (1, 1)


async def test_a_redirect_to_https_shows_its_certificate(
    prober: Prober, authorities: Authorities
) -> None:
    async with (
        serving(answer(), tls=authorities.tls("site.test")) as secure,
        serving(loopback.redirect(secure.url(host="site.test"))) as plain,
    ):
        seen = await observe(prober, plain.url(host="site.test"))
    UP.check(seen)
    assert seen.certificate is not None
    assert seen.certificate.verified
    assert seen.phases.tls > 0


async def test_a_redirect_that_never_ends_is_told_as_such(prober: Prober) -> None:
    counter = iter(range(1000))

    async def script(visit: loopback.Visit) -> None:
        await loopback.redirect(f"/{next(counter)}")(visit)

    async with serving(script) as server:
        TOO_MANY.check(await observe(prober, server.url()))
    assert server.connections == 11


LEADS_NOWHERE: dict[str, tuple[str, Told]] = {
    "a host without a listener": (
        "http://127.0.0.1:1/",
        down(Cause.CONNECT_REFUSED, Phase.CONNECT, "refused the connection"),
    ),
    "a name that is not known": (
        "http://gone.test/",
        down(Cause.DNS_NOT_FOUND, Phase.RESOLVE, "the name gone.test has no address"),
    ),
    "an address inside": (
        "http://10.0.0.1/",
        down(Cause.ADDRESS_BLOCKED, Phase.CONNECT, "10.0.0.1 may not be probed: it is private"),
    ),
    "a name that leads inside": (
        "http://private.test/",
        down(Cause.ADDRESS_BLOCKED, Phase.CONNECT, "private.test may not be probed"),
    ),
    "a port without TLS": (
        "https://127.0.0.1:{port}/",
        down(Cause.TLS_HANDSHAKE, Phase.TLS, "does not speak TLS"),
    ),
    "a page that is missing": (
        "/gone",
        down(Cause.HTTP_STATUS, Phase.PROCESSING, "answered 404 Not Found"),
    ),
}


@cases(LEADS_NOWHERE, "where told")
async def test_a_redirect_that_leads_nowhere(prober: Prober, where: str, told: Told) -> None:
    async def script(visit: loopback.Visit) -> None:
        await loopback.pages({"/": loopback.redirect(where.format(port=server.port))})(visit)

    async def either(visit: loopback.Visit) -> None:
        head = await visit.reader.read(3)
        if head != b"GET":  # a handshake
            await visit.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return
        again = asyncio.StreamReader()
        again.feed_data(head + await visit.reader.readuntil(b"\r\n\r\n"))
        await script(loopback.Visit(visit.server, again, visit.writer))

    async with serving(either) as server:
        seen = await observe(prober, server.url())
    told.check(seen)
    assert len(seen.hops) == 2
