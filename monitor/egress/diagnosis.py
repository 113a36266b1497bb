"""Why an exchange failed: from libcurl's code, the kernel's error, TLS's verdict and our own flags.

Whether a server that hangs up does so politely or by a reset depends on chance (unread bytes in
its buffer), so both are one cause: in the handshake ``tls_handshake``, before the answer's headers
are whole ``connect_reset``, in the body ``body_incomplete``.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass

import pycurl

from monitor.egress.driver import Ending
from monitor.egress.seen import Question, Seen
from monitor.egress.terms import Terms
from monitor.rules.content import clean
from monitor.rules.observation import Cause, Certificate, Phase

_TOO_LARGE = 100
_HTTP2_STREAM = 92
_MOST_DIGITS = 18  # a number of more is none that libcurl heeds, nor one to read and store
_OWN_LACK = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN}
_HUNG_UP = {errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED}
_CLIENT_CERTIFICATE = 98
_REFUSALS = (
    "alert unknown ca", "alert bad certificate", "alert certificate expired",
    "alert certificate revoked", "alert certificate unknown", "alert unsupported certificate",
    "alert access denied",
)  # fmt: skip
_X509_NOT_YET_VALID = 9
_X509_EXPIRED = 10
_X509_SELF_SIGNED = {18, 19}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Cause and phase of a failure with a sentence for a person."""

    cause: Cause
    phase: Phase
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that a diagnosis is made from."""

    ending: Ending
    question: Question
    terms: Terms
    seen: Seen
    reached: Phase
    os_errno: int
    verify_result: int
    certificate: Certificate | None

    @property
    def peer(self) -> str:
        """The address and port that were tried last, else the host."""
        host = self.seen.attempted[-1] if self.seen.attempted else self.question.host
        return f"{host} port {self.question.port}"


def is_whole(scene: Scene) -> bool:
    """Tell whether the exchange ended in an answer, be it cut short on our own wish."""
    seen = scene.seen
    if scene.ending.code == pycurl.E_WRITE_ERROR:
        return seen.is_redirect or seen.is_truncated
    if not seen.is_answered:
        return False
    # Where a body has no length it ends with its connection. Many servers then leave out TLS's own
    # goodbye, and browsers do not mind.
    return scene.ending.code == pycurl.E_OK or (
        scene.ending.code == pycurl.E_RECV_ERROR
        and "unexpected eof" in scene.ending.words
        and not seen.has_framing
    )


def wants_http2(scene: Scene) -> bool:
    """Tell whether the server, spoken to in HTTP/1.1 over TLS, seems to know HTTP/2 only."""
    if scene.question.speaks_http2 or scene.question.scheme != "https" or scene.seen.is_answered:
        return False
    return (
        scene.ending.code == pycurl.E_UNSUPPORTED_PROTOCOL
        or "no application protocol" in scene.ending.words
    )


def explain(scene: Scene) -> Failure:
    """Say why the exchange failed; to be asked only when it is not whole."""
    cause, message = _explain(scene)
    phase = scene.reached
    if cause is Cause.DNS_FAILURE:
        phase = Phase.RESOLVE
    return Failure(cause=cause, phase=phase, message=message)


def _explain(scene: Scene) -> tuple[Cause, str]:
    code, seen = scene.ending.code, scene.seen
    if seen.is_header_flood or code == _TOO_LARGE:
        limit = scene.terms.header_limit // 1024
        return Cause.HEADERS_TOO_LARGE, f"the answer's headers are larger than {limit} KiB"
    if code in {pycurl.E_OUT_OF_MEMORY, pycurl.E_FAILED_INIT}:
        return Cause.OWN_RESOURCES, "the prober has no memory or file descriptors left"
    if code == pycurl.E_SSL_CACERT_BADFILE:
        return Cause.OWN_RESOURCES, _unreadable_authorities(scene)
    if code == pycurl.E_SSL_CERTPROBLEM or (
        code == pycurl.E_BAD_FUNCTION_ARGUMENT and scene.terms.client_certificate is not None
    ):
        return Cause.OWN_RESOURCES, _unusable_certificate(scene)
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return _explain_timeout(scene)
    if code in {pycurl.E_COULDNT_CONNECT, pycurl.E_COULDNT_RESOLVE_HOST}:
        return _explain_connect(scene)
    if scene.reached is Phase.TLS or code in {
        pycurl.E_PEER_FAILED_VERIFICATION,
        pycurl.E_SSL_CONNECT_ERROR,
    }:
        return _explain_tls(scene)
    return _explain_answer(scene)


def _explain_timeout(scene: Scene) -> tuple[Cause, str]:
    seconds = f"{scene.terms.timeout_seconds:g} s"
    match scene.reached:
        case Phase.CONNECT | Phase.RESOLVE:
            return Cause.CONNECT_TIMEOUT, f"{scene.peer} accepted no connection within {seconds}"
        case Phase.TLS:
            return Cause.TLS_TIMEOUT, f"the TLS handshake with {scene.peer} took over {seconds}"
        case Phase.PROCESSING:
            what = "only part of its headers" if scene.seen.header_bytes else "nothing"
            return (
                Cause.RESPONSE_TIMEOUT,
                f"{scene.peer} took the request and answered {what} within {seconds}",
            )
        case Phase.TRANSFER:
            return (
                Cause.TRANSFER_TIMEOUT,
                f"the body was not complete after {seconds}: {scene.seen.body_bytes:,} bytes came",
            )


def _explain_connect(scene: Scene) -> tuple[Cause, str]:
    seen, peer = scene.seen, scene.peer
    if seen.blocked and len(seen.blocked) == len(seen.attempted):
        named = ", ".join(
            f"{'it' if address == scene.question.host else address} is {reason}"
            for address, reason in seen.blocked[:4]
        )
        return (
            Cause.ADDRESS_BLOCKED,
            f"{scene.question.host} may not be probed: {named}, and in no allowed network",
        )
    number = seen.socket_errno or scene.os_errno
    if number in _OWN_LACK or (number == errno.EADDRNOTAVAIL and "." in peer):
        return Cause.OWN_RESOURCES, f"the prober can open no socket: {os.strerror(number)}"
    if number in _UNREACHABLE or number == errno.EADDRNOTAVAIL:
        return Cause.CONNECT_UNREACHABLE, f"there is no way to {peer}: {os.strerror(number)}"
    if number == errno.ETIMEDOUT:
        return Cause.CONNECT_TIMEOUT, f"{peer} did not answer the attempt to connect"
    if number in _HUNG_UP:
        return Cause.CONNECT_RESET, f"{peer} reset the connection while it was being opened"
    if number == errno.ECONNREFUSED:
        return Cause.CONNECT_REFUSED, f"{peer} refused the connection"
    if not number:  # libcurl never came to connect: it had no socket to do so with
        return Cause.OWN_RESOURCES, f"the prober has no socket to connect to {peer}"
    return Cause.CONNECT_UNREACHABLE, f"connecting to {peer} failed: {os.strerror(number)}"


def _explain_tls(scene: Scene) -> tuple[Cause, str]:
    certificate, words = scene.certificate, _words(scene)
    if scene.ending.code != pycurl.E_PEER_FAILED_VERIFICATION:
        return Cause.TLS_HANDSHAKE, _handshake_words(scene)
    if scene.verify_result == _X509_EXPIRED:
        when = f" on {certificate.earliest_not_after:%-d %b %Y}" if certificate else ""
        return Cause.TLS_EXPIRED, f"the certificate expired{when}"
    if scene.verify_result == _X509_NOT_YET_VALID:
        return Cause.TLS_EXPIRED, "the certificate is not valid yet"
    if "subject name" in words:
        names = ", ".join(certificate.names[:4]) if certificate else ""
        return (
            Cause.TLS_NAME,
            f"the certificate is for {names or 'another name'}, not for {scene.question.host}",
        )
    if scene.verify_result in _X509_SELF_SIGNED:
        return Cause.TLS_UNTRUSTED, "the certificate is signed by itself, by no trusted authority"
    issuer = f" by {certificate.issuer}" if certificate and certificate.issuer else ""
    return (
        Cause.TLS_UNTRUSTED,
        f"the certificate was issued{issuer}, which leads to no trusted authority",
    )


def _handshake_words(scene: Scene) -> str:
    words = _words(scene)
    refusal = _refusal_words(scene, words)
    if refusal is not None:
        return refusal
    if "wrong version number" in words or "packet length too long" in words:
        return f"{scene.peer} does not speak TLS"
    if "alert protocol version" in words or "unsupported protocol" in words:
        return f"{scene.peer} speaks no version of TLS that is still safe"
    if scene.os_errno in _HUNG_UP or "unexpected eof" in words:
        return f"{scene.peer} hung up during the TLS handshake"
    return f"the TLS handshake with {scene.peer} failed: {words}"


def _explain_answer(scene: Scene) -> tuple[Cause, str]:
    code, seen, words = scene.ending.code, scene.seen, _words(scene)
    hung_up = (
        code in {pycurl.E_OK, pycurl.E_GOT_NOTHING, pycurl.E_SEND_ERROR, pycurl.E_PARTIAL_FILE}
        or scene.os_errno in _HUNG_UP
        or "unexpected eof" in words
    )
    if seen.is_answered and (hung_up or code == _HTTP2_STREAM):
        return (
            Cause.BODY_INCOMPLETE,
            f"the body broke off after {seen.body_bytes:,}{_of_length(seen)} bytes",
        )
    if hung_up:
        where = "in the middle of its headers" if seen.header_bytes else "without an answer"
        return Cause.CONNECT_RESET, f"{scene.peer} hung up {where}"
    if code == pycurl.E_BAD_CONTENT_ENCODING:
        return Cause.DECODE_ERROR, f"the answer is encoded in a way we did not ask for: {words}"
    if "alert" in words or code == _CLIENT_CERTIFICATE:
        ended = _refusal_words(scene, words) or f"{scene.peer} ended the TLS connection: {words}"
        return Cause.TLS_HANDSHAKE, ended
    if code in {pycurl.E_UNSUPPORTED_PROTOCOL, pycurl.E_WRITE_ERROR}:
        return Cause.PROTOCOL_ERROR, f"what {scene.peer} answered is not HTTP"
    return Cause.PROTOCOL_ERROR, f"the answer breaks the rules of HTTP: {words}"


def _of_length(seen: Seen) -> str:
    length = seen.header(b"content-length")
    if length is None or not length.isdigit() or len(length) > _MOST_DIGITS:
        return ""
    return f" of {int(length):,}"


def _unreadable_authorities(scene: Scene) -> str:
    where = scene.terms.ca_file or "the public bundle"
    return f"the prober cannot read the certificate authorities in {where}"


def _unusable_certificate(scene: Scene) -> str:
    own = scene.terms.client_certificate
    where = f" in {own.certificate_file} with the key in {own.key_file}" if own else ""
    return (
        f"the prober cannot use our certificate{where}: one of them is broken, the password is "
        "not the key's, or the key is another certificate's"
    )


def _refusal_words(scene: Scene, words: str) -> str | None:
    """Say that the server wants another certificate of ours, if that is what it said."""
    has_own = scene.terms.client_certificate is not None
    if scene.ending.code == _CLIENT_CERTIFICATE or "certificate required" in words:
        return f"{scene.peer} asks for a client certificate" + (
            " and got none that it knows" if has_own else ", and none is configured for it"
        )
    if not has_own or not any(alert in words for alert in _REFUSALS):
        return None
    return f"{scene.peer} refused our client certificate: {words}"


def _words(scene: Scene) -> str:
    return clean(scene.ending.words, most=200).rstrip(".")
