"""A site's own authorities, and the certificate by which we show it who we are."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from monitor.prober import Prober
from monitor.rules.observation import Cause, Observation, Phase
from monitor.rules.site import ClientCertificate
from monitor.rules.verdict import Verdict, judge
from tests.loopback import Authorities, Visit, answer, pages, redirect, serving
from tests.probing import a_site, observe, unknown


@pytest.fixture(scope="module")
def clients() -> trustme.CA:
    """The authority of the certificates that a server asks its visitors for."""
    return trustme.CA()


@pytest.fixture
def own(clients: trustme.CA, tmp_path: Path) -> ClientCertificate:
    return write(clients.issue_cert("prober@agency.test"), tmp_path)


def write(
    issued: trustme.LeafCert, folder: Path, *, key: bytes | None = None, password: str | None = None
) -> ClientCertificate:
    certificate_file, key_file = folder / "own.pem", folder / "own.key"
    certificate_file.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key_file.write_bytes(key or issued.private_key_pem.bytes())
    return ClientCertificate(
        certificate_file=str(certificate_file), key_file=str(key_file), key_password=password
    )


def asking(
    authorities: Authorities, clients: trustme.CA, *, version: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    """A server's context that lets nobody in without a certificate of ``clients``."""
    context = authorities.tls("127.0.0.1", "site.test")
    context.verify_mode = ssl.CERT_REQUIRED
    clients.configure_trust(context)
    if version is not None:
        context.maximum_version = version
    return context


@contextlib.contextmanager
def refusing(context: ssl.SSLContext) -> Iterator[int]:
    """Serve on a thread and a plain socket; asyncio's TLS hangs up without saying why."""

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:  # the test is over
                return
            plain.settimeout(5)
            with context.wrap_socket(
                plain, server_side=True, do_handshake_on_connect=False
            ) as secure:
                with contextlib.suppress(ssl.SSLError):
                    secure.do_handshake()
                with contextlib.suppress(OSError):  # what was left unread would make it a reset
                    socket.socket.recv(secure, 65536)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def shown(visit: Visit) -> object:
    return visit.writer.get_extra_info("ssl_object").getpeercert()


async def test_a_site_that_asks_who_we_are(
    prober: Prober, authorities: Authorities, clients: trustme.CA, own: ClientCertificate
) -> None:
    async with serving(answer(), tls=asking(authorities, clients)) as server:
        let_in = await observe(prober, server.url(), client_certificate=own)
        await observe(prober, server.url())
        again = await observe(prober, server.url(), client_certificate=own)
    assert (let_in.cause, again.cause) == (None, None)


async def test_a_site_that_asks_and_gets_no_answer(
    prober: Prober, authorities: Authorities, clients: trustme.CA
) -> None:
    with refusing(asking(authorities, clients)) as port:
        seen = await observe(prober, f"https://127.0.0.1:{port}/")
    assert seen.cause is Cause.TLS_HANDSHAKE
    assert seen.message == (
        f"127.0.0.1 port {port} asks for a client certificate, and none is configured for it"
    )


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_server_that_refuses_our_certificate(
    prober: Prober,
    authorities: Authorities,
    clients: trustme.CA,
    tmp_path: Path,
    version: ssl.TLSVersion,
) -> None:
    other = write(trustme.CA().issue_cert("prober@agency.test"), tmp_path)
    with refusing(asking(authorities, clients, version=version)) as port:
        seen = await observe(prober, f"https://127.0.0.1:{port}/", client_certificate=other)
    assert seen.cause is Cause.TLS_HANDSHAKE
    assert f"127.0.0.1 port {port} refused our client certificate" in seen.message
    assert "unknown ca" in seen.message


async def test_a_key_with_a_password(
    prober: Prober, authorities: Authorities, clients: trustme.CA, tmp_path: Path
) -> None:
    issued = clients.issue_cert("prober@agency.test")
    key = load_pem_private_key(issued.private_key_pem.bytes(), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"s3cret")
    )
    own = write(issued, tmp_path, key=key, password="s3cret")
    async with serving(answer(), tls=asking(authorities, clients)) as server:
        right = await observe(prober, server.url(), client_certificate=own)
        for password in ("wrong", None):
            wrong = write(issued, tmp_path, key=key, password=password)
            seen = await observe(prober, server.url(), client_certificate=wrong)
            unknown(Cause.OWN_RESOURCES, Phase.TLS, "the password is not").check(seen)
    assert right.cause is None


@pytest.mark.parametrize("name", ["ca_file", "certificate_file", "key_file"])
@pytest.mark.parametrize("content", [None, b"", b"nonsense", b"x" * 2_000_000])
async def test_a_file_of_ours_that_is_of_no_use_is_no_fault_of_the_site(
    prober: Prober,
    authorities: Authorities,
    own: ClientCertificate,
    name: str,
    content: bytes | None,
    tmp_path: Path,
) -> None:
    files = {
        "ca_file": authorities.file,
        "certificate_file": own.certificate_file,
        "key_file": own.key_file,
        name: str(tmp_path / "broken.pem"),
    }
    if content is not None:
        (tmp_path / "broken.pem").write_bytes(content)
    async with serving(answer(), tls=authorities.tls()) as server:
        seen = await observe(
            prober,
            server.url(),
            ca_file=files.pop("ca_file"),
            client_certificate=ClientCertificate(**files),
        )
    assert seen.cause is Cause.OWN_RESOURCES, seen.message
    assert judge(seen, slow_after=a_site("http://x/").slow_after).verdict is Verdict.UNKNOWN
    assert "broken.pem" in seen.message


async def test_files_are_not_asked_for_where_there_is_no_tls(
    prober: Prober, own: ClientCertificate
) -> None:
    async with serving(answer()) as server:
        seen = await observe(
            prober,
            server.url(),
            ca_file="nowhere.pem",
            client_certificate=replace(own, key_file="nowhere.key"),
        )
    assert seen.cause is None


async def test_our_certificate_is_shown_to_the_sites_own_origin_only(
    prober: Prober, authorities: Authorities, clients: trustme.CA, own: ClientCertificate
) -> None:
    shown_to: dict[str, object] = {}

    def noting(name: str) -> Any:
        async def script(visit: Visit) -> None:
            shown_to[name] = shown(visit)
            await answer()(visit)

        return script

    async def hop(visit: Visit) -> None:
        shown_to["first"] = shown(visit)
        await pages({"/": redirect("/next"), "/next": redirect(elsewhere.url())})(visit)

    def asking_politely() -> ssl.SSLContext:
        context = asking(authorities, clients)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    async with (
        serving(noting("elsewhere"), tls=asking_politely()) as elsewhere,
        serving(hop, tls=asking_politely()) as first,
        serving(noting("next site"), tls=asking_politely()) as other,
    ):
        seen = await observe(prober, first.url(), client_certificate=own)
        await observe(prober, other.url())  # another site, on a handle that may have been used
    assert seen.cause is None
    assert len(seen.hops) == 3
    assert shown_to["first"]
    assert shown_to["elsewhere"] is None
    assert shown_to["next site"] is None


async def test_a_private_authority_holds_after_a_redirect(prober: Prober, tmp_path: Path) -> None:
    private = Authorities(tmp_path)
    async with (
        serving(answer(), tls=private.tls()) as there,
        serving(redirect(there.url()), tls=private.tls()) as here,
    ):
        seen: Observation = await observe(prober, here.url(), ca_file=private.file)
    assert (seen.cause, len(seen.hops)) == (None, 2)
