"""Where redirects lead, and where credentials may follow."""

from __future__ import annotations

import pytest

from monitor.egress import ProbeCookies
from monitor.rules.redirect import find_target, may_have_credentials

ASKED = "https://shop.example/a/b?c=1"


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("https://www.shop.example/", "https://www.shop.example/"),
        ("/next", "https://shop.example/next"),
        ("next", "https://shop.example/a/next"),
        ("../next", "https://shop.example/next"),
        ("?d=2", "https://shop.example/a/b?d=2"),
        ("//www.shop.example/x", "https://www.shop.example/x"),
        ("  /next#part ", "https://shop.example/next"),
        ("#part", "https://shop.example/a/b?c=1"),
    ],
)
def test_a_location_leads_somewhere(location: str, target: str) -> None:
    assert find_target(ASKED, location) == (target, None)


@pytest.mark.parametrize(
    ("location", "fault"),
    [
        ("", "names no address to go to"),
        ("   ", "names no address to go to"),
        ("http://", "names no host"),
        ("https:/path", "names no host"),
        ("http://[::1/", "invalid ipv6 url"),
    ],
)
def test_a_location_that_leads_nowhere(location: str, fault: str) -> None:
    assert find_target(ASKED, location)[1] == fault


@pytest.mark.parametrize(
    ("origin", "url", "may"),
    [
        ("https://shop.example/", "https://shop.example/a", True),
        ("https://shop.example/", "https://SHOP.example:443/a", True),
        ("http://shop.example:80/", "http://shop.example/", True),
        ("http://shop.example/", "https://shop.example/", True),
        ("http://shop.example:8080/", "https://shop.example/", False),
        ("http://shop.example/", "https://shop.example:8443/", False),
        ("https://shop.example/", "http://shop.example/", False),
        ("https://shop.example/", "https://www.shop.example/", False),
        ("https://shop.example/", "https://shop.example.evil.example/", False),
        ("https://shop.example/", "https://shop.example:8443/", False),
    ],
)
def test_where_credentials_may_go(origin: str, url: str, may: bool) -> None:
    assert may_have_credentials(origin, url) is may


def test_cookies_by_domain_and_path() -> None:
    cookies = ProbeCookies()
    cookies.take(
        "https://shop.example/a/",
        [
            (b"Set-Cookie", b"here=1"),
            (b"set-cookie", b"everywhere=2; Path=/"),
            (b"Set-Cookie", b"secure=3; Path=/; Secure"),
            (b"Set-Cookie", b"foreign=4; Domain=.evil.example; Path=/"),
            (b"Set-Cookie", b"gone=5; Path=/; Max-Age=0"),
            (b"X-Other", b"set-cookie: no"),
        ],
    )
    assert cookies.header_for("https://shop.example/a/b") == "here=1; everywhere=2; secure=3"
    assert cookies.header_for("https://shop.example/") == "everywhere=2; secure=3"
    assert cookies.header_for("http://shop.example/") == "everywhere=2"
    assert cookies.header_for("https://evil.example/") == ""


def test_cookies_go_back_byte_for_byte() -> None:
    cookies = ProbeCookies()
    cookies.take("http://shop.example/", [(b"Set-Cookie", b"a=\xc3\xbc\xff; Path=/")])
    assert cookies.header_for("http://shop.example/").encode("latin-1") == b"a=\xc3\xbc\xff"


@pytest.mark.parametrize(
    "value",
    [b"", b"=", b";;;", b"=; =;;;", b"a=1; Max-Age=9" + b"9" * 400, b"a=1; Expires=\xff\xff",
     b"\xf7 \xa5=; x", b'a="b;c"'],
)  # fmt: skip
def test_odd_cookies_break_nothing(value: bytes) -> None:
    cookies = ProbeCookies()
    cookies.take("http://shop.example/", [(b"Set-Cookie", value)])
    assert "\n" not in cookies.header_for("http://shop.example/")
