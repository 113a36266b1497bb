"""Certificates and handshakes: each fault told apart, with the facts of what was shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.prober import Prober
from monitor.rules.observation import Cause, Phase
from monitor.rules.site import BasicAuth
from tests import loopback
from tests.loopback import CRLF, OK, Authorities, answer, serving
from tests.probing import (
    SOON,
    observe,
)


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
    assert trusted.cause is None
    assert untrusted.cause is Cause.TLS_UNTRUSTED
    assert instead.cause is Cause.TLS_UNTRUSTED
    assert missing.cause is Cause.OWN_RESOURCES
    assert "none.pem" in missing.message


async def test_the_deadline_ends_a_handshake(prober: Prober) -> None:
    async with serving(loopback.mute) as server:
        seen = await observe(prober, server.url().replace("http:", "https:"), **SOON)
        await server.closed.wait()
    assert (seen.cause, seen.failed_phase) == (Cause.TLS_TIMEOUT, Phase.TLS)
    assert "the TLS handshake" in seen.message
    assert seen.phases.tls >= 0.3


BAD_CERTIFICATES: list[tuple[str, dict[str, Any], Cause, str]] = [
    ("expired", {"valid": (timedelta(days=-90), timedelta(days=-2))}, Cause.TLS_EXPIRED,
     "the certificate expired on "),
    ("not valid yet", {"valid": (timedelta(days=2), timedelta(days=90))}, Cause.TLS_EXPIRED,
     "the certificate is not valid yet"),
    ("untrusted", {"is_trusted": False}, Cause.TLS_UNTRUSTED, "leads to no trusted authority"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "cause", "says"),
    [row[1:] for row in BAD_CERTIFICATES],
    ids=[row[0] for row in BAD_CERTIFICATES],
)
async def test_a_bad_certificate(
    prober: Prober, authorities: Authorities, changes: dict[str, Any], cause: Cause, says: str
) -> None:
    async with serving(answer(), tls=authorities.tls("site.test", **changes)) as server:
        seen = await observe(
            prober, server.url(host="site.test"), basic_auth=BasicAuth("anna", "s3cret")
        )
    assert (seen.cause, seen.failed_phase) == (cause, Phase.TLS)
    assert says in seen.message
    assert server.requests == []  # nothing was sent, least of all the credentials
    assert seen.certificate is not None
    assert not seen.certificate.verified
    assert seen.certificate.names == ("site.test",)
    assert seen.certificate.issuer


async def test_a_certificate_for_another_name(prober: Prober, authorities: Authorities) -> None:
    async with serving(answer(), tls=authorities.tls("shop.test", "www.shop.test")) as server:
        seen = await observe(prober, server.url(host="site.test"))
        by_address = await observe(prober, server.url())
    assert (seen.cause, seen.failed_phase) == (Cause.TLS_NAME, Phase.TLS)
    assert seen.message == ("the certificate is for shop.test, www.shop.test, not for site.test")
    assert seen.certificate is not None
    assert not seen.certificate.verified
    assert by_address.cause is Cause.TLS_NAME
    assert server.requests == []


async def test_a_port_that_does_not_speak_tls(prober: Prober) -> None:
    async with serving(loopback.raw(OK, CRLF)) as server:

        async def plain(visit: loopback.Visit) -> None:
            await visit.reader.read(100)
            await visit.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await visit.until_closed()

    async with serving(plain) as server:
        seen = await observe(prober, server.url().replace("http:", "https:"))
    assert (seen.cause, seen.failed_phase) == (Cause.TLS_HANDSHAKE, Phase.TLS)
    assert seen.message == f"127.0.0.1 port {server.port} does not speak TLS"


@pytest.mark.parametrize("is_reset", [False, True], ids=["politely", "by a reset"])
async def test_a_server_that_hangs_up_in_the_handshake(prober: Prober, is_reset: bool) -> None:
    async def script(visit: loopback.Visit) -> None:
        await visit.reader.read(65536)
        if is_reset:
            visit.reset()

    async with serving(script) as server:
        seen = await observe(prober, server.url().replace("http:", "https:"))
    assert (seen.cause, seen.failed_phase) == (Cause.TLS_HANDSHAKE, Phase.TLS)
    assert "hung up during the TLS handshake" in seen.message


async def test_the_wrong_scheme_for_a_tls_port(prober: Prober, authorities: Authorities) -> None:
    async with serving(answer(), tls=authorities.tls()) as server:
        seen = await observe(prober, server.url().replace("https:", "http:"))
    assert seen.cause in {Cause.CONNECT_RESET, Cause.PROTOCOL_ERROR}
