"""Certificates and handshakes: each fault told apart, with the facts of what was shown."""

from __future__ import annotations

import asyncio
import random
import ssl
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.prober import Prober
from monitor.rules.observation import Cause, Phase
from monitor.rules.site import BasicAuth
from tests import loopback
from tests.loopback import Authorities, Script, Visit, answer, serving
from tests.probing import SOON, UP, Told, cases, down, observe, unknown


async def test_https_with_its_certificate(prober: Prober, authorities: Authorities) -> None:
    async with serving(answer(), tls=authorities.tls("site.test", "*.site.test")) as server:
        seen = await observe(prober, server.url(host="site.test"))
    assert seen.cause is None
    assert (seen.tls_version, seen.tls_cipher) == ("TLSv1.3", "TLS_AES_256_GCM_SHA384")
    certificate = seen.certificate
    assert certificate is not None
    assert certificate.verified
    assert certificate.names == ("site.test", "*.site.test")
    assert certificate.not_after == certificate.earliest_not_after
    assert timedelta(days=59) < certificate.not_after - datetime.now(UTC) < timedelta(days=60)
    assert "Testing CA" in certificate.issuer
    assert "Testing cert" in certificate.subject
    assert len(certificate.fingerprint_sha256) == 64


async def test_tls_facts_are_told_at_every_probe(prober: Prober, authorities: Authorities) -> None:
    async with serving(answer(), tls=authorities.tls()) as server:
        seen = [await observe(prober, server.url()) for _ in range(3)]
    assert [each.tls_version for each in seen] == ["TLSv1.3"] * 3
    assert server.connections == 3


async def test_a_private_authority_of_one_site(
    prober: Prober, authorities: Authorities, tmp_path: Path
) -> None:
    private = Authorities(tmp_path)
    async with (
        serving(answer(), tls=private.tls()) as inside,
        serving(answer(), tls=authorities.tls()) as public,
    ):
        trusted = await observe(prober, inside.url(), ca_file=private.file)
        untrusted = await observe(prober, inside.url())
        instead = await observe(prober, public.url(), ca_file=private.file)
        missing = await observe(prober, public.url(), ca_file=str(tmp_path / "none.pem"))
    UP.check(trusted)
    UNTRUSTED.check(untrusted)
    UNTRUSTED.check(instead)
    unknown(Cause.OWN_RESOURCES, Phase.TLS, "none.pem").check(missing)


DAY = timedelta(days=1)
UNTRUSTED = down(Cause.TLS_UNTRUSTED, Phase.TLS, "leads to no trusted authority")

BAD_CERTIFICATES: dict[str, tuple[Callable[[Authorities], ssl.SSLContext], Told]] = {
    "expired": (
        lambda issue: issue.tls("site.test", valid=(-90 * DAY, -2 * DAY)),
        down(Cause.TLS_EXPIRED, Phase.TLS, "the certificate expired on "),
    ),
    "expired a minute ago": (
        lambda issue: issue.tls("site.test", valid=(-90 * DAY, timedelta(minutes=-1))),
        down(Cause.TLS_EXPIRED, Phase.TLS, "the certificate expired on "),
    ),
    "not valid yet": (
        lambda issue: issue.tls("site.test", valid=(2 * DAY, 90 * DAY)),
        down(Cause.TLS_EXPIRED, Phase.TLS, "the certificate is not valid yet"),
    ),
    "of an unknown authority": (
        lambda issue: issue.tls("site.test", is_trusted=False),
        UNTRUSTED,
    ),
    "of an unknown authority, and expired": (
        lambda issue: issue.tls("site.test", is_trusted=False, valid=(-90 * DAY, -2 * DAY)),
        UNTRUSTED,
    ),
    "signed by itself": (
        lambda issue: issue.self_signed_tls("site.test"),
        down(Cause.TLS_UNTRUSTED, Phase.TLS, "signed by itself, by no trusted authority"),
    ),
    "without the authority between": (
        lambda issue: issue.chained_tls("site.test", is_complete=False),
        UNTRUSTED,
    ),
    "under an authority that has expired": (
        lambda issue: issue.chained_tls("site.test", between_ends=-2 * DAY),
        down(Cause.TLS_EXPIRED, Phase.TLS, "the certificate expired on "),
    ),
}


@cases(BAD_CERTIFICATES, "tls told")
async def test_a_bad_certificate(
    prober: Prober,
    authorities: Authorities,
    tls: Callable[[Authorities], ssl.SSLContext],
    told: Told,
) -> None:
    async with serving(answer(), tls=tls(authorities)) as server:
        seen = await observe(
            prober, server.url(host="site.test"), basic_auth=BasicAuth("anna", "s3cret")
        )
    told.check(seen)
    assert server.requests == []  # nothing was sent, least of all the credentials
    assert seen.certificate is not None
    assert not seen.certificate.verified
    assert seen.certificate.names == ("site.test",)
    assert seen.certificate.issuer


async def test_the_soonest_end_of_a_chain_is_told_also_of_a_bad_one(
    prober: Prober, authorities: Authorities
) -> None:
    chained = authorities.chained_tls("site.test", between_ends=5 * DAY)
    async with serving(answer(), tls=chained) as server:
        good = await observe(prober, server.url(host="site.test"))
        bad = await observe(prober, server.url(host="other.test"))
    UP.check(good)
    down(Cause.TLS_NAME, Phase.TLS, "is for site.test, not for other.test").check(bad)
    for seen in (good, bad):
        assert seen.certificate is not None
        now = datetime.now(UTC)
        assert 59 * DAY < seen.certificate.not_after - now < 60 * DAY
        assert 4 * DAY < seen.certificate.earliest_not_after - now < 5 * DAY
    assert [each.certificate and each.certificate.verified for each in (good, bad)] == [True, False]


async def test_a_certificate_for_another_name(prober: Prober, authorities: Authorities) -> None:
    async with serving(answer(), tls=authorities.tls("shop.test", "www.shop.test")) as server:
        seen = await observe(prober, server.url(host="site.test"))
        by_address = await observe(prober, server.url())
    told = "the certificate is for shop.test, www.shop.test, not for site.test"
    down(Cause.TLS_NAME, Phase.TLS, told).check(seen)
    assert seen.certificate is not None
    assert not seen.certificate.verified
    assert by_address.cause is Cause.TLS_NAME
    assert server.requests == []


def after_hello(*parts: bytes, drips: bytes = b"", is_reset: bool = False) -> Script:
    """Read the first message of a handshake, send some bytes, and drip, reset or hang up."""

    async def script(visit: Visit) -> None:
        await visit.reader.read(65536)
        await visit.send(*parts)
        while drips:
            await visit.send(drips)
            await asyncio.sleep(0.02)
        if is_reset:
            visit.reset()

    return script


def handshake(says: str) -> Told:
    return down(Cause.TLS_HANDSHAKE, Phase.TLS, says)


RECORD = b"\x16\x03\x03\x40\x00"  # the head of 16 KB of handshake
HELLO = b"\x02\x00\x3f\xfc\x03\x03"  # of which this begins a server's first message

BROKEN_HANDSHAKES: dict[str, tuple[Script, Told]] = {
    "a port of plain HTTP": (
        after_hello(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        handshake("does not speak TLS"),
    ),
    "a port of mail": (after_hello(b"220 mx.site.test ESMTP\r\n"), handshake("")),
    "noise": (after_hello(random.Random(7).randbytes(500)), handshake("")),
    "hung up": (after_hello(), handshake("hung up during the TLS handshake")),
    "reset": (after_hello(is_reset=True), handshake("hung up during the TLS handshake")),
    "reset in the server's first message": (
        after_hello(RECORD, HELLO, is_reset=True),
        handshake("hung up during the TLS handshake"),
    ),
    "hung up in the server's first message": (
        after_hello(RECORD, HELLO),
        handshake("hung up during the TLS handshake"),
    ),
    "an alert that the name is not known": (
        after_hello(b"\x15\x03\x03\x00\x02\x02\x70"),
        handshake("unrecognized name"),
    ),
    "no word": (loopback.mute, down(Cause.TLS_TIMEOUT, Phase.TLS, "the TLS handshake with")),
    "a drip": (
        after_hello(RECORD, HELLO, drips=b"\0"),
        down(Cause.TLS_TIMEOUT, Phase.TLS, "took over 0.4 s"),
    ),
    "a drip of warnings": (
        after_hello(drips=b"\x15\x03\x03\x00\x02\x01\x70"),
        handshake(""),
    ),
}


@cases(BROKEN_HANDSHAKES, "script told")
async def test_a_handshake_that_comes_to_nothing(
    prober: Prober, script: Script, told: Told
) -> None:
    async with serving(script) as server:
        seen = await observe(prober, server.url().replace("http:", "https:"), **SOON)
        await server.closed.wait()
    told.check(seen)
    assert seen.phases.tls > 0
    assert seen.certificate is None


async def test_a_server_of_old_versions_only(prober: Prober, authorities: Authorities) -> None:
    tls = authorities.tls()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # which is the point
        tls.minimum_version = ssl.TLSVersion.TLSv1
        tls.maximum_version = ssl.TLSVersion.TLSv1
    tls.set_ciphers("ALL:@SECLEVEL=0")
    with loopback.shaking_hands(tls) as url:
        seen = await observe(prober, url)
    handshake("speaks no version of TLS that is still safe").check(seen)


async def test_a_server_without_a_cipher_in_common(
    prober: Prober, authorities: Authorities
) -> None:
    tls = authorities.tls()
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    tls.set_ciphers("aNULL:@SECLEVEL=0")
    with loopback.shaking_hands(tls) as url:
        seen = await observe(prober, url)
    handshake("handshake failure").check(seen)


@pytest.mark.parametrize(
    ("version", "phase", "says"),
    [
        (ssl.TLSVersion.TLSv1_2, Phase.TLS, "handshake failure"),
        (ssl.TLSVersion.TLSv1_3, Phase.PROCESSING, "asks for a client certificate"),
    ],
    ids=["1.2", "1.3"],
)
async def test_a_server_that_wants_a_client_certificate(
    prober: Prober, authorities: Authorities, version: ssl.TLSVersion, phase: Phase, says: str
) -> None:
    """In TLS 1.3 the refusal comes after our end of the handshake is done."""
    tls = authorities.tls()
    tls.maximum_version = version
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(authorities.file)
    with loopback.shaking_hands(tls) as url:
        seen = await observe(prober, url)
    down(Cause.TLS_HANDSHAKE, phase, says).check(seen)


async def test_plain_http_on_a_port_of_tls(prober: Prober, authorities: Authorities) -> None:
    with loopback.shaking_hands(authorities.tls()) as url:
        seen = await observe(prober, url.replace("https:", "http:"))
    down(Cause.CONNECT_RESET, Phase.PROCESSING, "hung up without an answer").check(seen)
