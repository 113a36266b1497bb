"""A probe under way: what it asks for at each hop, what it has seen, and what it comes to."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from http import HTTPStatus

from monitor.egress import EgressFailed, ProbeCookies, Terms, Transcript
from monitor.rules.answer import Finding, HttpAnswer, evidence_of, is_expected, weigh
from monitor.rules.content import clean
from monitor.rules.observation import Cause, Certificate, Observation, Phase, Phases
from monitor.rules.redirect import MOST_REDIRECTS, REDIRECTS, find_target, may_have_credentials
from monitor.rules.site import Site

_MOST_DIGITS = 18
_USUAL_HEADERS = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "Connection": "close"}
_REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(slots=True)
class Attempt:
    """One probe of ``site``; ``terms`` hold for each of its hops together."""

    site: Site
    terms: Terms
    hops: list[str] = field(default_factory=list[str])
    phases: Phases = field(default_factory=Phases)
    cause: Cause | None = None
    message: str = ""
    failed_phase: Phase | None = None
    transcript: Transcript = field(default_factory=Transcript)
    certificate: Certificate | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    title: str = ""
    excerpt: str = ""
    is_truncated: bool = False
    cookies: ProbeCookies = field(default_factory=ProbeCookies)
    visited: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    warnings: list[str] = field(default_factory=list[str])

    def fail(self, cause: Cause, phase: Phase, message: str) -> None:
        """Write down why the probe failed."""
        self.cause, self.failed_phase, self.message = cause, phase, message

    def fail_redirect(self, location: str, fault: str) -> None:
        """Write down that a redirect to ``location`` cannot be followed, and why."""
        to = f" to {clean(location, most=200)}" if location else ""
        message = f"the redirect{to} cannot be followed: it {clean(fault, most=200)}"
        self.fail(Cause.REDIRECT_INVALID, Phase.PROCESSING, message)

    def visit(self, url: str) -> bool:
        """Take ``url`` as the next hop; False, with the failure written down, if that is too much.

        The same URL with other cookies is another hop: that is how sites send a visitor round.
        """
        hop = (url, self.cookies.header_for(url))
        if hop in self.visited:
            where = clean(url, most=200)
            message = f"the site redirects in a circle, back to {where}"
        elif len(self.visited) > MOST_REDIRECTS:
            message = f"the site redirects more than {MOST_REDIRECTS} times"
        else:
            self.visited.add(hop)
            self.hops.append(url)
            return True
        self.fail(Cause.REDIRECT_LOOP, Phase.PROCESSING, message)
        return False

    def headers_for(self, url: str, *, host: str) -> list[tuple[bytes, bytes]]:
        """Return a request's headers; the site's own and its credentials only for its origin.

        ``host`` is the Host header: host and port as the request carries them.
        """
        cookies = self.cookies.header_for(url)
        if not self.site.headers and self.site.basic_auth is None and not cookies:
            return [(b"Host", host.encode()), *_plain_headers(self.site.user_agent)]
        headers = {"Host": host, "User-Agent": self.site.user_agent, **_USUAL_HEADERS}
        if may_have_credentials(self.site.url, url):
            named = {name.lower(): name for name in headers}
            for name, value in self.site.headers.items():
                headers[named.get(name.lower(), name)] = value
            if self.site.basic_auth is not None:
                auth = self.site.basic_auth
                token = b64encode(f"{auth.username}:{auth.password}".encode()).decode()
                headers["Authorization"] = f"Basic {token}"
        if cookies:
            own = headers.pop("Cookie", "")
            headers["Cookie"] = f"{own}; {cookies}" if own else cookies
        return [(name.encode(), _encode(value)) for name, value in headers.items()]

    def terms_for(self, url: str) -> Terms:
        """Return what holds for the exchange with ``url``: our certificate only for its origin."""
        if self.terms.client_certificate is None or may_have_credentials(self.site.url, url):
            return self.terms
        return replace(self.terms, client_certificate=None)

    def take_failure(self, failure: EgressFailed) -> None:
        """Write down an exchange that failed; a bad status weighs more than a broken body."""
        self._take_transcript(failure.transcript)
        self.fail(failure.cause, failure.phase, self._from_where(str(failure)))
        if failure.transcript.status is not None:
            found = weigh(self.site, self._answer(is_truncated=True))
            self.title, self.excerpt = found.title, found.excerpt
            if found.cause is Cause.HTTP_STATUS and failure.transcript.status not in REDIRECTS:
                self.fail(found.cause, Phase.PROCESSING, found.message)

    def take_answer(self, transcript: Transcript) -> HttpAnswer | str | None:
        """Write down a whole answer; return it if it is the last, else where it redirects to.

        None, with the failure written down, if it redirects to where nobody can go.
        """
        self._take_transcript(transcript)
        if transcript.status in REDIRECTS and not is_expected(self.site, transcript.status):
            return self._find_next()
        return self._answer(is_truncated=transcript.is_truncated)

    def take_finding(self, found: Finding) -> None:
        """Write down what the last answer was found to be worth."""
        self.title, self.excerpt = found.title, found.excerpt
        self.is_truncated = found.is_truncated
        if found.cause is not None:
            phase = Phase.PROCESSING if found.cause is Cause.HTTP_STATUS else Phase.TRANSFER
            self.fail(found.cause, phase, found.message)

    def conclude(self, *, started_at: datetime, duration: float) -> Observation:
        """Return the observation that the probe comes to."""
        seen = self.transcript
        length = self.headers.get("content-length", "")
        return Observation(
            url=self.site.url,
            started_at=started_at,
            duration_seconds=duration,
            phases=self.phases,
            cause=self.cause,
            message=self.message,
            failed_phase=self.failed_phase,
            final_url=self.hops[-1] if self.hops else self.site.url,
            hops=tuple(self.hops),
            http_status=seen.status,
            http_version=seen.http_version,
            remote_address=seen.remote_address,
            body_bytes=len(seen.body),
            body_truncated=self.is_truncated,
            content_length=_number_in(length),
            certificate=self.certificate,
            tls_version=seen.tls_version,
            tls_cipher=seen.tls_cipher,
            headers=evidence_of(self.headers),
            title=self.title,
            excerpt=self.excerpt,
            warnings=tuple(self.warnings),
        )

    def _take_transcript(self, transcript: Transcript) -> None:
        self.transcript = transcript
        self.phases += transcript.phases
        self.certificate = transcript.certificate or self.certificate
        self.headers = _by_name(transcript.headers)
        if transcript.warning is not None and transcript.warning not in self.warnings:
            self.warnings.append(transcript.warning)

    def _answer(self, *, is_truncated: bool) -> HttpAnswer:
        status = self.transcript.status or 0
        return HttpAnswer(
            status=status,
            reason=_REASONS.get(status, ""),
            headers=self.headers,
            body=self.transcript.body,
            is_truncated=is_truncated,
        )

    def _find_next(self) -> str | None:
        """Return where the redirect leads; None, with the failure written down, if nowhere."""
        headers = self.transcript.headers
        location = next((value for name, value in headers if name.lower() == b"location"), b"")
        target, fault = find_target(self.hops[-1], _decode(location))
        if fault is not None:
            self.fail_redirect(_decode(location), fault)
            return None
        self.cookies.take(self.hops[-1], headers)
        return target

    def _from_where(self, message: str) -> str:
        if len(self.hops) < 2:
            return message
        return f"{message}, after a redirect to {clean(self.hops[-1], most=200)}"


def _by_name(headers: tuple[tuple[bytes, bytes], ...]) -> dict[str, str]:
    """Return headers by lower-case name; what comes more than once is joined by commas."""
    named: dict[str, str] = {}
    for name, value in headers:
        key, text = name.lower().decode("latin-1"), _decode(value)
        named[key] = f"{named[key]}, {text}" if key in named else text
    return named


def _decode(value: bytes) -> str:
    """Return a header's value as text: UTF-8 where it is, else Latin-1."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _number_in(length: str) -> int | None:
    """Return the number that a Content-Length names; None for none, or one beyond all bodies."""
    is_number = length.isascii() and length.isdecimal() and len(length) <= _MOST_DIGITS
    return int(length) if is_number else None


@lru_cache(maxsize=64)
def _plain_headers(user_agent: str) -> tuple[tuple[bytes, bytes], ...]:
    """Return what follows the Host header for a site that adds nothing; nearly all are such."""
    headers = {"User-Agent": user_agent, **_USUAL_HEADERS}
    return tuple((name.encode(), _encode(value)) for name, value in headers.items())


def _encode(value: str) -> bytes:
    """Return text as a header's value: Latin-1 where it goes (as cookies came), else UTF-8."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode()
