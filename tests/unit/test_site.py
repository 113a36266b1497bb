"""A site and its URL."""

from __future__ import annotations

import pytest

from monitor.rules.site import BasicAuth, Site, url_fault


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "https://www.example.com/shop?a=1#top",
        "HTTPS://EXAMPLE.COM:8443/",
        "https://münchen.example/straße",
        "http://[2001:db8::1]:8080/",
        "http://192.0.2.1/",
    ],
)
def test_a_url_that_can_be_watched(url: str) -> None:
    assert url_fault(url) is None


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("", "begins with no scheme; allowed are http: and https:"),
        ("www.example.com", "begins with no scheme; allowed are http: and https:"),
        ("ftp://example.com/", "begins with ftp:; allowed are http: and https:"),
        ("file:///etc/passwd", "begins with file:; allowed are http: and https:"),
        ("https://", "names no host"),
        ("https:///path", "names no host"),
        ("https://:443/", "names no host"),
        ("https://anna@example.com/", "holds a user name"),
        ("https://anna:s3cret@example.com/", "holds a user name"),
        ("https://example.com\\@evil.example/", "holds a user name"),
        ("https://example.com:0/", "names port 0"),
        ("https://example.com:65536/", "port out of range"),
        ("https://example.com:http/", "port"),
        ("https://[::1/", "ipv6"),
        ("https://example.com/a b", "a space or a control character"),
        ("https://example.com/\r\nX: y", "a space or a control character"),
        ("https://example.com/\x7f", "a space or a control character"),
    ],
)
def test_a_url_that_cannot(url: str, fault: str) -> None:
    found = url_fault(url)
    assert found is not None
    assert fault in found
    assert "s3cret" not in found


def test_secrets_of_a_site_are_not_shown() -> None:
    site = Site(
        slug="shop",
        client="acme",
        name="Shop",
        url="https://shop.example/",
        headers={"X-Token": "t0ken"},
        basic_auth=BasicAuth("anna", "s3cret"),
    )
    assert "t0ken" not in repr(site)
    assert "s3cret" not in repr(site)
