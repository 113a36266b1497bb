"""Hosts, URLs and mail addresses as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickets.addresses import (
    HostPort,
    canonical_host,
    canonical_mail_address,
    canonical_url,
    literal_address,
    parse_host_port,
    shown,
    url_host,
    url_path,
)


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("https://shop.example", "https://shop.example/"),
        ("HTTPS://Shop.EXAMPLE/Path", "https://shop.example/Path"),
        ("https://shop.example:443/", "https://shop.example/"),
        ("http://shop.example:80", "http://shop.example/"),
        ("http://shop.example:443/", "http://shop.example:443/"),
        ("https://shop.example./", "https://shop.example/"),
        ("https://shop.example?q=1", "https://shop.example/?q=1"),
        ("https://shop.example/?", "https://shop.example/"),
        ("https://münchen.example/", "https://xn--mnchen-3ya.example/"),
        ("https://MÜNCHEN.example/", "https://xn--mnchen-3ya.example/"),
        ("https://faß.example/", "https://xn--fa-hia.example/"),
        ("https://xn--mnchen-3ya.example/", "https://xn--mnchen-3ya.example/"),
        ("https://my_site.example/", "https://my_site.example/"),
        ("https://shop.example/%7Eann/a%2Fb", "https://shop.example/%7Eann/a%2Fb"),
        ("https://shop.example/süß?q=ü", "https://shop.example/s%C3%BC%C3%9F?q=%C3%BC"),
        ("https://shop.example/100%", "https://shop.example/100%"),
        ("https://shop.example/a;b=1?c=[1]&d={2}", "https://shop.example/a;b=1?c=[1]&d=%7B2%7D"),
        ("http://93.184.216.34:8080/", "http://93.184.216.34:8080/"),
        ("http://[2001:4860:4860:0:0:0:0:8888]/", "http://[2001:4860:4860::8888]/"),
        ("http://intranet/", "http://intranet/"),
    ],
)
def test_a_url_has_one_spelling(typed: str, canonical: str):
    assert canonical_url(typed) == canonical
    assert canonical_url(canonical) == canonical


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "shop.example",
        "//shop.example/",
        "javascript:alert(1)",
        "https:shop.example",
        "https://",
        "https://?q",
        "https:// shop.example/",
        "https://shop.example/\n",
        "https://shop.example/\x00",
        "https://shop.example\\@evil.example/",
        "https://ann@shop.example/",
        "https://@shop.example/",
        "https://shop.example/#",
        "https://shop.example:/",
        "https://shop.example:0/",
        "https://shop.example:-1/",
        "https://shop.example:٨٠/",
        "https://.example/",
        "https://shop..example/",
        "https://-shop.example/",
        "https://shop%2eexample/",
        "https://[::1/",
        "https://[fe80::1%25eth0]/",
        "https://[v1.x]/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://1.2.3.4.5/",
        "https://💩.example/",
        "https://" + "a" * 64 + ".example/",
        "https://" + "a." * 130 + "example/",
        "https://shop.example/" + "a" * 2000,
    ],
)
def test_what_is_no_url_for_a_site_is_refused(typed: str):
    with pytest.raises(ValueError, match=r"\w"):
        canonical_url(typed)


@given(st.text(max_size=60))
def test_any_text_after_the_scheme_is_taken_canonically_or_refused(text: str):
    try:
        url = canonical_url(f"https://{text}")
    except ValueError:
        return
    assert canonical_url(url) == url
    assert url.isascii()
    assert canonical_host(f"[{url_host(url)}]" if ":" in url_host(url) else url_host(url))
    assert url_path(url).startswith("/")


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("localhost", "127.0.0.1"),
        ("desk.localhost", "127.0.0.1"),
        ("10.0.0.1", "10.0.0.1"),
        ("::1", "::1"),
        ("shop.example", None),
        ("mylocalhost", None),
    ],
)
def test_an_address_is_told_from_a_name(host: str, address: str | None):
    found = literal_address(host)
    assert (None if found is None else str(found)) == address


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ("127.0.0.1:8080", HostPort("127.0.0.1", 8080)),
        ("[::]:80", HostPort("::", 80)),
        ("Desk.Example:65535", HostPort("desk.example", 65535)),
    ],
)
def test_a_place_to_listen_at_is_read(typed: str, place: HostPort):
    assert parse_host_port(typed) == place
    assert parse_host_port(str(place)) == place


@pytest.mark.parametrize("typed", ["8080", "localhost", ":8080", "::1:8080", "[::1]", "a:b", "a:0"])
def test_what_is_no_place_to_listen_at_is_refused(typed: str):
    with pytest.raises(ValueError, match=r"\w"):
        parse_host_port(typed)


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("ann@shop.example", "ann@shop.example"),
        ("Ann.Example+down@Shop.EXAMPLE", "Ann.Example+down@shop.example"),
        ("ann@münchen.example", "ann@xn--mnchen-3ya.example"),
        ("o'brien@shop.example", "o'brien@shop.example"),
        ("root@localhost", "root@localhost"),
    ],
)
def test_a_mail_address_is_read(typed: str, canonical: str):
    assert canonical_mail_address(typed) == canonical


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "ann",
        "@shop.example",
        "ann@",
        "ann@@shop.example",
        "Ann <ann@shop.example>",
        "ann@shop.example, bob@shop.example",
        "ann@shop.example\r\nBcc: bob@shop.example",
        "ann\n@shop.example",
        "ann@shop.example\n",
        '"ann smith"@shop.example',
        "ann(comment)@shop.example",
        ".ann@shop.example",
        "ann.@shop.example",
        "ann..x@shop.example",
        "änn@shop.example",
        "=?utf-8?q?x?=@shop.example ",
        "ann@shop .example",
        "ann@-shop.example",
        "ann@shop_1.example",
        "ann@[192.0.2.1]",
        "ann@192.0.2.1",
        "a" * 65 + "@shop.example",
        "ann@" + "a." * 130 + "example",
    ],
)
def test_what_is_no_single_mail_address_is_refused(typed: str):
    with pytest.raises(ValueError, match=r"\w"):
        canonical_mail_address(typed)


@given(st.text())
def test_text_is_shown_on_one_short_line(text: str):
    line = shown(text, limit=40)
    assert line.isprintable()
    assert len(line) <= 40 * len(r"\U0010ffff") + 2
