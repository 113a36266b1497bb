"""What the prober makes of statuses, headers and bodies, with httpx's transport mocked by respx.

Phases, TLS, redirects, addresses and everything else that needs a socket are in the integration
tests.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import respx

from monitor.prober import Prober
from monitor.rules.observation import Cause, Observation, Phase
from monitor.rules.site import BasicAuth, Site

URL = "https://shop.example/"
STARTED_AT = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)


def a_site(**changes: Any) -> Site:
    values: dict[str, Any] = {"slug": "shop", "client": "acme", "name": "Shop", "url": URL}
    return Site(**(values | changes))


@pytest.fixture
async def prober() -> AsyncIterator[Prober]:
    prober = Prober()
    yield prober
    await prober.aclose()


@pytest.fixture
def web() -> Any:
    with respx.mock(using="httpx") as router:
        yield router


async def observe(prober: Prober, **changes: Any) -> Observation:
    return await prober.probe(a_site(**changes), started_at=STARTED_AT)


@pytest.mark.parametrize(
    ("status", "expect", "cause"),
    [
        (200, ((200, 299),), None),
        (204, ((200, 299),), None),
        (299, ((200, 299),), None),
        (300, ((200, 299),), Cause.HTTP_STATUS),
        (304, ((200, 299),), Cause.HTTP_STATUS),
        (404, ((200, 299),), Cause.HTTP_STATUS),
        (404, ((200, 299), (404, 404)), None),
        (401, ((401, 401),), None),
        (200, ((401, 401),), Cause.HTTP_STATUS),
        (500, ((200, 299),), Cause.HTTP_STATUS),
        (503, ((500, 599),), None),
    ],
)
async def test_statuses(
    prober: Prober, web: respx.Router, status: int, expect: Any, cause: Cause | None
) -> None:
    web.get(URL).respond(status)
    seen = await observe(prober, expect_status=expect)
    assert (seen.cause, seen.http_status) == (cause, status)


@pytest.mark.parametrize(
    ("status", "expect", "message"),
    [
        (503, ((200, 299),), "answered 503 Service Unavailable; expected 200-299"),
        (200, ((301, 302), (404, 404)), "answered 200 OK; expected 301-302, 404"),
        (599, ((200, 299),), "answered 599; expected 200-299"),
    ],
)
async def test_a_bad_status_is_told_in_a_sentence(
    prober: Prober, web: respx.Router, status: int, expect: Any, message: str
) -> None:
    web.get(URL).respond(status, text="<title>Sorry</title>")
    seen = await observe(prober, expect_status=expect)
    assert seen.message == message
    assert seen.failed_phase is Phase.PROCESSING
    assert (seen.title, seen.excerpt) == ("Sorry", "<title>Sorry</title>")


@pytest.mark.parametrize(
    ("changes", "cause", "message"),
    [
        ({"keyword": "basket"}, None, ""),
        ({"keyword": "Basket"}, Cause.KEYWORD_MISSING, "the page lacks the words “Basket”"),
        ({"keyword_absent": "error"}, None, ""),
        ({"keyword_absent": "basket"}, Cause.KEYWORD_PRESENT, "the page has the words “basket”"),
        ({"keyword": "basket", "keyword_absent": "your"}, Cause.KEYWORD_PRESENT,
         "the page has the words “your”"),
        ({"keyword": ".*"}, Cause.KEYWORD_MISSING, "the page lacks the words “.*”"),
    ],
)  # fmt: skip
async def test_keywords_are_plain_text(
    prober: Prober, web: respx.Router, changes: Any, cause: Cause | None, message: str
) -> None:
    web.get(URL).respond(200, text="<p>your basket</p>")
    seen = await observe(prober, **changes)
    assert (seen.cause, seen.message) == (cause, message)


async def test_a_bad_status_weighs_more_than_a_missing_keyword(
    prober: Prober, web: respx.Router
) -> None:
    web.get(URL).respond(500, text="oops")
    seen = await observe(prober, keyword="basket")
    assert seen.cause is Cause.HTTP_STATUS


async def test_a_redirect_is_asked_for_with_the_same_method_and_fewer_secrets(
    prober: Prober, web: respx.Router
) -> None:
    web.head(URL).respond(301, headers={"Location": "https://www.shop.example/"})
    there = web.head("https://www.shop.example/").respond(200)
    seen = await observe(prober, method="HEAD", basic_auth=BasicAuth("anna", "s3cret"))
    assert seen.cause is None
    assert "authorization" not in there.calls.last.request.headers


@pytest.mark.parametrize(
    ("url", "next_url", "is_sent"),
    [
        ("http://shop.example/", "https://shop.example/", True),
        ("http://shop.example/", "http://shop.example/a", True),
        ("https://shop.example/", "https://shop.example:443/a", True),
        ("https://shop.example/", "http://shop.example/", False),
        ("https://shop.example/", "https://shop.example:8443/", False),
        ("http://shop.example/", "https://shop.example:8443/", False),
        ("https://shop.example/", "https://evil.example/", False),
        ("https://shop.example/", "https://shop.example.evil.example/", False),
    ],
)
async def test_where_credentials_follow_a_redirect(
    prober: Prober, web: respx.Router, url: str, next_url: str, is_sent: bool
) -> None:
    there = web.get(next_url).respond(200)  # first: respx takes no port for any port
    web.get(url).respond(302, headers={"Location": next_url})
    await observe(prober, url=url, basic_auth=BasicAuth("anna", "s3cret"), headers={"X-Key": "k"})
    headers = there.calls.last.request.headers
    assert ("authorization" in headers, "x-key" in headers) == (is_sent, is_sent)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (httpx.ReadTimeout("no answer"), Cause.RESPONSE_TIMEOUT),
        (httpx.RemoteProtocolError("nonsense"), Cause.PROTOCOL_ERROR),
    ],
)
async def test_another_transports_errors_are_observations_too(
    prober: Prober, web: respx.Router, error: Exception, cause: Cause
) -> None:
    web.get(URL).mock(side_effect=error)
    seen = await observe(prober)
    assert (seen.cause, seen.message) == (cause, str(error))


async def test_one_probes_cookies_are_not_the_next_ones(prober: Prober, web: respx.Router) -> None:
    route = web.get(URL).respond(200, headers={"Set-Cookie": "session=1"})
    await observe(prober)
    await observe(prober)
    assert "cookie" not in route.calls.last.request.headers


async def test_headers_kept_as_evidence(prober: Prober, web: respx.Router) -> None:
    web.get(URL).respond(
        200,
        headers=[
            ("Server", "nginx"),
            ("X-Powered-By", "a"),
            ("X-Powered-By", "b"),
            ("Set-Cookie", "session=secret"),
            ("X-Long-Unknown", "x"),
            ("Cache-Control", "c" * 900),
        ],
    )
    seen = await observe(prober)
    assert seen.headers == {
        "server": "nginx",
        "x-powered-by": "a, b",
        "cache-control": "c" * 200,
    }


@pytest.mark.parametrize("length", ["12", "-1", "many", "1_0", ""])
async def test_only_a_number_is_a_content_length(
    prober: Prober, web: respx.Router, length: str
) -> None:
    web.head(URL).respond(200, headers={"Content-Length": length})
    seen = await observe(prober, method="HEAD")
    assert seen.content_length == (12 if length == "12" else None)


async def test_a_header_that_cannot_be_sent_is_our_configuration_and_not_sent() -> None:
    prober = Prober()
    seen = await prober.probe(
        a_site(url="http://127.0.0.1:9/", headers={"X-A": "b\r\nX-C: d"}), started_at=STARTED_AT
    )
    await prober.aclose()
    assert seen.cause is Cause.PROTOCOL_ERROR
    assert "X-A" in seen.message


async def test_reaching_a_canary(prober: Prober, web: respx.Router) -> None:
    web.head("https://canary.example/").respond(500)
    web.head("https://gone.example/").mock(side_effect=httpx.ConnectTimeout("silence"))
    within = timedelta(seconds=3)
    assert await prober.reach("https://canary.example/", within=within) is None
    assert await prober.reach("https://gone.example/", within=within) is Cause.RESPONSE_TIMEOUT
