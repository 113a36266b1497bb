"""Failures that no loopback server can stage: told from libcurl's code and the kernel's error."""

from __future__ import annotations

import errno
from typing import Any

import pycurl
import pytest

from monitor.egress.diagnosis import Scene, explain, is_whole, wants_http2
from monitor.egress.driver import Ending
from monitor.egress.seen import Question, Seen
from monitor.egress.terms import Terms
from monitor.rules.observation import Cause, Phase


def a_scene(code: int, words: str = "", **changes: Any) -> Scene:
    values: dict[str, Any] = {
        "ending": Ending(code, words),
        "question": Question(
            scheme="https",
            host="shop.example",
            port=443,
            target="/",
            method="GET",
            headers=[],
            speaks_http2=changes.pop("speaks_http2", False),
        ),
        "terms": Terms(deadline=10.0, timeout_seconds=10.0, ca_file=changes.pop("ca_file", None)),
        "seen": Seen(attempted=["93.184.215.14"]),
        "reached": Phase.CONNECT,
        "os_errno": 0,
        "verify_result": 0,
        "certificate": None,
    }
    return Scene(**(values | changes))


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (errno.ECONNREFUSED, Cause.CONNECT_REFUSED),
        (errno.ENETUNREACH, Cause.CONNECT_UNREACHABLE),
        (errno.EHOSTUNREACH, Cause.CONNECT_UNREACHABLE),
        (errno.ENETDOWN, Cause.CONNECT_UNREACHABLE),
        (errno.EACCES, Cause.CONNECT_UNREACHABLE),
        (errno.ETIMEDOUT, Cause.CONNECT_TIMEOUT),
        (errno.ECONNRESET, Cause.CONNECT_RESET),
        (errno.EADDRNOTAVAIL, Cause.OWN_RESOURCES),  # no port left to connect from
        (errno.EMFILE, Cause.OWN_RESOURCES),
        (errno.ENFILE, Cause.OWN_RESOURCES),
        (errno.ENOBUFS, Cause.OWN_RESOURCES),
        (errno.ENOMEM, Cause.OWN_RESOURCES),
        (0, Cause.OWN_RESOURCES),
    ],
)
def test_what_kept_us_from_connecting(number: int, cause: Cause) -> None:
    failure = explain(a_scene(pycurl.E_COULDNT_CONNECT, os_errno=number))
    assert (failure.cause, failure.phase) == (cause, Phase.CONNECT)
    assert failure.message
    assert not failure.message.endswith(".")


def test_a_host_without_ipv6_of_its_own_is_not_out_of_ports() -> None:
    scene = a_scene(
        pycurl.E_COULDNT_CONNECT,
        os_errno=errno.EADDRNOTAVAIL,
        seen=Seen(attempted=["2606:4700::1"]),
    )
    assert explain(scene).cause is Cause.CONNECT_UNREACHABLE


def test_one_blocked_address_does_not_hide_what_the_other_did() -> None:
    seen = Seen(attempted=["10.0.0.1", "93.184.215.14"], blocked=[("10.0.0.1", "private")])
    scene = a_scene(pycurl.E_COULDNT_CONNECT, os_errno=errno.ECONNREFUSED, seen=seen)
    assert explain(scene).cause is Cause.CONNECT_REFUSED


def test_every_blocked_address_is_named() -> None:
    blocked = [("10.0.0.1", "private"), ("fd00::1", "private")]
    seen = Seen(attempted=[address for address, _ in blocked], blocked=blocked)
    failure = explain(a_scene(pycurl.E_COULDNT_CONNECT, seen=seen))
    assert failure.cause is Cause.ADDRESS_BLOCKED
    assert failure.message == (
        "shop.example may not be probed: 10.0.0.1 is private, fd00::1 is private, "
        "and in no allowed network"
    )


@pytest.mark.parametrize(
    ("code", "words", "changes", "cause", "phase"),
    [
        (pycurl.E_OPERATION_TIMEDOUT, "", {}, Cause.CONNECT_TIMEOUT, Phase.CONNECT),
        (pycurl.E_OUT_OF_MEMORY, "", {}, Cause.OWN_RESOURCES, Phase.CONNECT),
        (pycurl.E_FAILED_INIT, "", {}, Cause.OWN_RESOURCES, Phase.CONNECT),
        (pycurl.E_SSL_CACERT_BADFILE, "", {"reached": Phase.TLS, "ca_file": "own.pem"},
         Cause.OWN_RESOURCES, Phase.TLS),
        (pycurl.E_SSL_CONNECT_ERROR,
         "TLS connect error: error:0A00042E:SSL routines::tlsv1 alert protocol version",
         {"reached": Phase.TLS}, Cause.TLS_HANDSHAKE, Phase.TLS),
        (pycurl.E_SSL_CIPHER, "no cipher", {"reached": Phase.TLS}, Cause.TLS_HANDSHAKE,
         Phase.TLS),
        (pycurl.E_PEER_FAILED_VERIFICATION, "self-signed certificate (18)",
         {"reached": Phase.TLS, "verify_result": 18}, Cause.TLS_UNTRUSTED, Phase.TLS),
        (pycurl.E_PEER_FAILED_VERIFICATION, "certificate has expired (10)",
         {"reached": Phase.TLS, "verify_result": 10}, Cause.TLS_EXPIRED, Phase.TLS),
        (pycurl.E_PEER_FAILED_VERIFICATION, "SSL: no alternative certificate subject name matches",
         {"reached": Phase.TLS, "verify_result": 1}, Cause.TLS_NAME, Phase.TLS),
        (pycurl.E_RECV_ERROR, "tlsv13 alert certificate required", {"reached": Phase.PROCESSING},
         Cause.TLS_HANDSHAKE, Phase.PROCESSING),
        (pycurl.E_RECV_ERROR, "unexpected eof while reading", {"reached": Phase.PROCESSING},
         Cause.CONNECT_RESET, Phase.PROCESSING),
        (pycurl.E_SEND_ERROR, "", {"reached": Phase.PROCESSING, "os_errno": errno.EPIPE},
         Cause.CONNECT_RESET, Phase.PROCESSING),
        (92, "HTTP/2 stream 1 was reset", {"reached": Phase.PROCESSING}, Cause.PROTOCOL_ERROR,
         Phase.PROCESSING),
        (92, "HTTP/2 stream 1 was reset",
         {"reached": Phase.TRANSFER, "seen": Seen(is_answered=True)}, Cause.BODY_INCOMPLETE,
         Phase.TRANSFER),
        (9999, "something new", {"reached": Phase.PROCESSING}, Cause.PROTOCOL_ERROR,
         Phase.PROCESSING),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_other_failures(
    code: int, words: str, changes: dict[str, Any], cause: Cause, phase: Phase
) -> None:
    failure = explain(a_scene(code, words, **changes))
    assert (failure.cause, failure.phase) == (cause, phase)


def test_words_of_others_come_clean() -> None:
    failure = explain(a_scene(8, "bad\x1b[2J line.", reached=Phase.PROCESSING))
    assert failure.message == "the answer breaks the rules of HTTP: bad [2J line"


def test_an_answer_cut_on_our_own_wish_is_whole() -> None:
    for seen, whole in (
        (Seen(is_answered=True, is_truncated=True), True),
        (Seen(is_answered=True, is_redirect=True), True),
        (Seen(is_header_flood=True), False),
    ):
        assert is_whole(a_scene(pycurl.E_WRITE_ERROR, seen=seen)) is whole


def test_headers_that_never_end_are_not_whole_however_libcurl_ended() -> None:
    assert not is_whole(a_scene(pycurl.E_OK, seen=Seen(header_bytes=30)))


@pytest.mark.parametrize(
    ("code", "words", "changes", "wants"),
    [
        (pycurl.E_SSL_CONNECT_ERROR, "tlsv1 alert no application protocol", {}, True),
        (pycurl.E_UNSUPPORTED_PROTOCOL, "Received HTTP/0.9 when not allowed", {}, True),
        (pycurl.E_UNSUPPORTED_PROTOCOL, "", {"speaks_http2": True}, False),
        (pycurl.E_SSL_CONNECT_ERROR, "tlsv1 alert internal error", {}, False),
        (pycurl.E_GOT_NOTHING, "", {}, False),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_when_http2_is_tried(code: int, words: str, changes: dict[str, Any], wants: bool) -> None:
    assert wants_http2(a_scene(code, words, reached=Phase.TLS, **changes)) is wants
