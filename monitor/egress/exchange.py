"""One request and its answer on one easy handle: options, address guard, caps, and what was seen.

A handle is used again for the next request, which spares setting two dozen options, but never its
connection: every request looks up, connects and shakes hands anew.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Sequence

import pycurl

from monitor.egress.papers import Papers
from monitor.egress.seen import Question, Seen
from monitor.egress.terms import Terms
from monitor.rules.address import why_blocked
from monitor.rules.observation import Phase, Phases

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HTTP_VERSIONS = {
    pycurl.CURL_HTTP_VERSION_1_0: "1.0",
    pycurl.CURL_HTTP_VERSION_1_1: "1.1",
    pycurl.CURL_HTTP_VERSION_2_0: "2",
    pycurl.CURL_HTTP_VERSION_3: "3",
}
_TLS_WORDS = b"SSL connection using "
# Without post-quantum key shares: they double the first message, at which some middleboxes still
# choke, and take a tenth of a probe's processor time. Every server knows one of these.
_CURVES = "X25519:P-256:P-384:P-521"
_SSL_EC_CURVES: int = vars(pycurl)["SSL_EC_CURVES"]  # the published stubs lack it


class Exchange:
    """A reusable easy handle; ``curl`` is what a Driver runs between ``begin`` and ``forget``.

    ``number`` is its own among all, ``clock`` the event loop's.
    """

    def __init__(self, number: int, *, ca_bundle: str, clock: Callable[[], float]) -> None:
        self.seen = Seen()
        self._clock = clock
        self._began_at = 0.0
        self._limits = Terms(deadline=0.0, timeout_seconds=0.0)
        # A name that only this handle uses, by which it hands libcurl the addresses to connect to.
        self._alias = f"exchange-{number}.invalid"
        self._resolved: tuple[int, tuple[str, ...]] | None = None
        self._method = "GET"
        self._http_version = pycurl.CURL_HTTP_VERSION_1_1
        self._is_verbose = False
        self.curl = pycurl.Curl()
        self._set_up(ca_bundle)

    def begin(
        self,
        question: Question,
        terms: Terms,
        *,
        addresses: Sequence[str],
        seconds: float,
        papers: Papers,
    ) -> None:
        """Prepare the handle for ``question``; ``seconds`` is what is left of its time.

        A handle must be given ``papers`` of the same kind every time (see Papers): what one
        question sets, the next one overwrites.
        """
        self.seen = Seen()
        self._began_at = self._clock()
        self._limits = terms
        curl = self.curl
        curl.setopt(
            pycurl.URL,
            f"{question.scheme}://{question.netloc}{question.target}",
        )
        curl.setopt(pycurl.HTTPHEADER, question.headers)
        curl.setopt(pycurl.TIMEOUT_MS, max(1, int(seconds * 1000)))
        self._set_method(question.method)
        self._set_addresses(question.port, tuple(addresses))
        if papers.authorities is not None:
            curl.setopt(pycurl.CAINFO_BLOB, papers.authorities)
        if papers.certificate is not None and papers.key is not None:
            curl.setopt(pycurl.SSLCERT_BLOB, papers.certificate)
            curl.setopt(pycurl.SSLKEY_BLOB, papers.key)
            curl.setopt(pycurl.KEYPASSWD, papers.key_password)  # if empty, nobody is asked for it
        version = (
            pycurl.CURL_HTTP_VERSION_2TLS if question.speaks_http2 else pycurl.CURL_HTTP_VERSION_1_1
        )
        if version != self._http_version:
            curl.setopt(pycurl.HTTP_VERSION, version)
            self._http_version = version
        if question.wants_tls_facts != self._is_verbose:
            curl.setopt(pycurl.VERBOSE, question.wants_tls_facts)
            self._is_verbose = question.wants_tls_facts

    def read_phases(self, reached: Phase) -> Phases:
        """Return the seconds that each phase took, given the phase that was ``reached`` last."""
        looked_up, connected, shaken, began, total = (
            self.curl.getinfo(name) / 1_000_000
            for name in (
                pycurl.NAMELOOKUP_TIME_T,
                pycurl.CONNECT_TIME_T,
                pycurl.APPCONNECT_TIME_T,
                pycurl.STARTTRANSFER_TIME_T,
                pycurl.TOTAL_TIME_T,
            )
        )
        if reached is Phase.CONNECT:
            return Phases(resolve=looked_up, connect=max(0.0, total - looked_up))
        connect = max(0.0, connected - looked_up)
        if reached is Phase.TLS:
            return Phases(resolve=looked_up, connect=connect, tls=max(0.0, total - connected))
        tls = max(0.0, shaken - connected)
        ready = max(shaken, connected)
        answered = total if reached is Phase.PROCESSING else self.seen.answer_seconds or began
        return Phases(
            resolve=looked_up,
            connect=connect,
            tls=tls,
            processing=max(0.0, answered - ready),
            transfer=max(0.0, total - answered),
        )

    def read_reached(self, scheme: str) -> Phase:
        """Return the phase that was reached last, not counting the lookup."""
        if self.seen.is_answered:
            return Phase.TRANSFER
        if not self.curl.getinfo(pycurl.CONNECT_TIME_T):
            return Phase.CONNECT
        if scheme == "https" and not self.curl.getinfo(pycurl.APPCONNECT_TIME_T):
            return Phase.TLS
        return Phase.PROCESSING

    def read_address(self) -> str | None:
        """Return the address that the exchange is connected to, or was last tried in vain."""
        seen = self.seen
        if len(seen.attempted) <= len(seen.blocked):
            return None
        if len(seen.attempted) > 1 and self.curl.getinfo(pycurl.CONNECT_TIME_T):
            return self.curl.getinfo(pycurl.PRIMARY_IP)
        return seen.attempted[-1]

    def read_http_version(self) -> str | None:
        """Return the version of HTTP that the answer came in."""
        return _HTTP_VERSIONS.get(self.curl.getinfo(pycurl.INFO_HTTP_VERSION))

    def read_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """Return the final answer's headers in their order, empty before it came whole."""
        if not self.seen.is_answered:
            return ()
        pairs = (line.split(b":", 1) for line in self.seen.lines[1:] if b":" in line)
        return tuple((name.strip(), value.strip()) for name, value in pairs)

    def forget(self) -> None:
        """Let go of what the exchange has brought, so that an idle handle holds no body."""
        self.seen = Seen()

    def _set_up(self, ca_bundle: str) -> None:
        curl = self.curl
        for option, value in (
            (pycurl.NOSIGNAL, 1),
            (pycurl.FRESH_CONNECT, 1),
            (pycurl.FORBID_REUSE, 1),
            (pycurl.SSL_SESSIONID_CACHE, 0),
            (pycurl.DNS_CACHE_TIMEOUT, 0),
            (pycurl.FOLLOWLOCATION, 0),
            (pycurl.HTTP_CONTENT_DECODING, 0),
            (pycurl.PATH_AS_IS, 1),
            (pycurl.OPT_CERTINFO, 1),
            (pycurl.NETRC, 0),
            (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
            (pycurl.HTTP_VERSION, self._http_version),
        ):
            curl.setopt(option, value)
        curl.setopt(pycurl.PROXY, "")  # not even the environment's
        curl.setopt(pycurl.NOPROXY, "*")
        curl.setopt(pycurl.CAINFO, ca_bundle)
        curl.setopt(_SSL_EC_CURVES, _CURVES)
        curl.setopt(pycurl.HEADERFUNCTION, self._take_header)
        curl.setopt(pycurl.WRITEFUNCTION, self._take_body)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, self._open_socket)
        curl.setopt(pycurl.DEBUGFUNCTION, self._take_words)

    def _set_method(self, method: str) -> None:
        if method == self._method:
            return
        self._method = method
        self.curl.setopt(pycurl.HTTPGET, 1)
        self.curl.unsetopt(pycurl.CUSTOMREQUEST)
        if method == "HEAD":
            self.curl.setopt(pycurl.NOBODY, 1)
        elif method != "GET":
            self.curl.setopt(pycurl.CUSTOMREQUEST, method)

    def _set_addresses(self, port: int, addresses: tuple[str, ...]) -> None:
        """Tell libcurl where to connect, whatever the URL's host; it keeps to this list."""
        if self._resolved == (port, addresses):
            return
        entries = [f"{self._alias}:{port}:{','.join(addresses)}"]
        if self._resolved is not None and self._resolved[0] != port:
            entries.insert(0, f"-{self._alias}:{self._resolved[0]}")
        self._resolved = (port, addresses)
        self.curl.setopt(pycurl.RESOLVE, entries)
        self.curl.setopt(pycurl.CONNECT_TO, [f"::{self._alias}:{port}"])

    # The functions below are called by libcurl.

    def _open_socket(
        self, _purpose: int, address: tuple[int, int, int, tuple[str, int]]
    ) -> _Opened | int:
        """The address guard: sees the very address that is about to be connected to."""
        family, kind, protocol, end = address
        self.seen.attempted.append(end[0])
        self.seen.attempted_at.append(self._clock() - self._began_at)
        reason = why_blocked(end[0], self._limits.allow_networks)
        if reason is not None:
            self.seen.blocked.append((end[0], reason))
            return pycurl.SOCKET_BAD
        try:
            opened = socket.socket(family, kind, protocol)
        except OSError as error:
            self.seen.socket_errno = error.errno or 0
            return pycurl.SOCKET_BAD
        try:
            os.close(os.dup(opened.fileno()))  # pycurl duplicates it next, and fails without a word
            sys.audit("socket.connect", opened, end)  # libcurl connects in C, where no hook sees it
        except OSError as error:
            self.seen.socket_errno = error.errno or 0
            opened.close()
            return pycurl.SOCKET_BAD
        return _Opened(opened)

    def _take_header(self, line: bytes) -> int | None:
        seen = self.seen
        seen.header_bytes += len(line)
        if seen.header_bytes > self._limits.header_limit:
            seen.is_header_flood = True
            return 0
        if seen.is_answered:
            return None  # a trailer
        if line not in {b"\r\n", b"\n"}:
            if seen.interim_answers and not seen.lines:
                seen.answer_seconds = self._clock() - self._began_at
            seen.lines.append(line)
            return None
        return self._end_headers()

    def _end_headers(self) -> int | None:
        seen = self.seen
        status = _status_of(seen.lines[0] if seen.lines else b"")
        if 100 <= status < 200 and status != 101:
            seen.interim_answers += 1
            seen.lines.clear()
            return None
        if not status:
            return 0  # libcurl is content with nearly anything as a status line
        seen.is_answered = True
        seen.status = status
        if status in _REDIRECTS and seen.header(b"location"):
            seen.is_redirect = True
            return 0  # nobody waits for the body of a redirect
        return None

    def _take_body(self, chunk: bytes) -> int | None:
        seen = self.seen
        room = self._limits.body_limit - seen.body_bytes
        if len(chunk) > room:
            chunk = chunk[:room]
            seen.is_truncated = True
        seen.chunks.append(chunk)
        seen.body_bytes += len(chunk)
        return 0 if seen.is_truncated else None

    def _take_words(self, kind: int, words: bytes) -> None:
        if kind == pycurl.INFOTYPE_TEXT and words.startswith(_TLS_WORDS):
            self.seen.tls_words = words[len(_TLS_WORDS) :].decode("ascii", "replace").strip()


class _Opened:
    """A socket that libcurl takes a duplicate of, and that is closed when it has."""

    __slots__ = ("_socket",)

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened

    def fileno(self) -> int:
        return self._socket.fileno()

    def __del__(self) -> None:
        self._socket.close()


def _status_of(line: bytes) -> int:
    parts = line.split(None, 2)
    is_status = len(parts) > 1 and len(parts[1]) == 3 and parts[1].isdigit()
    return int(parts[1]) if is_status else 0
