"""Facts of a probe in the form in which public dashboards expect them."""

from __future__ import annotations

import pytest

from monitor.rules.blackbox import (
    cipher_name,
    http_version,
    ip_facts,
    last_modified,
    tls_version_name,
)


@pytest.mark.parametrize(
    ("address", "protocol", "hashed"),
    [
        # "foob" among the test vectors that the makers of FNV publish is this address's bytes
        ("102.111.111.98", 4, 0x3F5076EF),
        ("203.0.113.7", 4, 0x7F1EFC2E),
        ("2001:db8::1", 6, 0x6E5B04F4),
        ("fe80::1%eth0", 6, 0xE08432E8),
        (None, 0, 0),
        ("", 0, 0),
        ("not an address", 0, 0),
    ],
)
def test_an_address_gives_its_protocol_and_its_hash(
    address: str | None, protocol: int, hashed: int
) -> None:
    assert ip_facts(address) == (protocol, hashed)


@pytest.mark.parametrize(
    ("written", "number"),
    [("1.0", 1), ("1.1", 1.1), ("2", 2), ("3", 3), (None, 0), ("", 0), ("9.9", 0)],
)
def test_an_http_version_is_a_number(written: str | None, number: float) -> None:
    assert http_version(written) == number


@pytest.mark.parametrize(
    ("header", "at"),
    [
        ("Tue, 03 Mar 2026 10:00:00 GMT", 1772532000.0),
        ("Tue, 03 Mar 2026 11:00:00 +0100", 1772532000.0),
        ("Tue, 03 Mar 2026 10:00:00 -0000", 1772532000.0),
        ("yesterday", None),
        ("", None),
        ("Tue, 99 Mar 2026 10:00:00 GMT", None),
        ("Tue, 03 Mar 99999999999 10:00:00 GMT", None),
    ],
)
def test_last_modified_is_an_instant_or_nothing(header: str, at: float | None) -> None:
    assert last_modified(header) == at


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("TLSv1.3", "TLS 1.3"),
        ("TLSv1.2", "TLS 1.2"),
        ("TLSv1", "TLS 1.0"),
        ("TLS 1.3", "TLS 1.3"),
        ("SSLv3", "SSLv3"),
    ],
)
def test_a_tls_version_is_written_as_dashboards_expect_it(written: str, name: str) -> None:
    assert tls_version_name(written) == name


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
        ("ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
        ("ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
        ("DHE-RSA-AES256-SHA256", "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256"),
        ("AES128-SHA", "TLS_RSA_WITH_AES_128_CBC_SHA"),
        ("SOMETHING-NEW", "SOMETHING-NEW"),
        ("odd text\n", "odd text\n"),
    ],
)
def test_a_cipher_goes_by_its_iana_name(written: str, name: str) -> None:
    assert cipher_name(written) == name
