"""The words for a cause that a client may read; a client never sees our internals."""

from __future__ import annotations

from monitor.rules.observation import Cause

_NOT_ANSWERING = "is not answering"
_ERROR = "is answering with an error instead of its pages"
_CERTIFICATE = "is shown as not secure, because of a fault with its security certificate"
_ADDRESS = "cannot be found at its address"

_CLIENT_WORDS = {
    Cause.DNS_NOT_FOUND: _ADDRESS,
    Cause.DNS_FAILURE: _ADDRESS,
    Cause.DNS_TIMEOUT: _ADDRESS,
    Cause.TLS_EXPIRED: _CERTIFICATE,
    Cause.TLS_NAME: _CERTIFICATE,
    Cause.TLS_UNTRUSTED: _CERTIFICATE,
    Cause.TLS_HANDSHAKE: _CERTIFICATE,
    Cause.HTTP_STATUS: _ERROR,
    Cause.PROTOCOL_ERROR: _ERROR,
    Cause.HEADERS_TOO_LARGE: _ERROR,
    Cause.DECODE_ERROR: _ERROR,
    Cause.BODY_INCOMPLETE: "breaks off before its pages have loaded",
    Cause.TRANSFER_TIMEOUT: "takes too long to load",
    Cause.KEYWORD_MISSING: "is answering, but its page does not show what it should",
    Cause.KEYWORD_PRESENT: "is answering, but its page shows what it should not",
    Cause.REDIRECT_LOOP: "sends visitors round in circles",
    Cause.REDIRECT_INVALID: "sends visitors to an address that does not work",
    Cause.ADDRESS_BLOCKED: "points to an address that visitors cannot reach",
    Cause.SLOW: "is answering much more slowly than it should",
}


def client_words(cause: Cause) -> str:
    """Return what completes "Your website ..." for a client, without internals."""
    return _CLIENT_WORDS.get(cause, _NOT_ANSWERING)
