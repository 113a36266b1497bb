"""One probe of one site: httpx in, Observation out.

The prober follows redirects itself, hop by hop, keeps one deadline over all of it, reads the body
up to a cap, and never raises because of what a site does. Whether an answer is good, the rules say.
"""

from __future__ import annotations

import asyncio
import logging
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import httpx

from monitor.egress import CurlTransport, EgressFailed, ProbeCookies, Terms, Transcript
from monitor.rules.answer import HttpAnswer, evidence_of, is_expected, weigh
from monitor.rules.content import clean
from monitor.rules.observation import Cause, Certificate, Observation, Phase, Phases
from monitor.rules.redirect import (
    MOST_REDIRECTS,
    REDIRECTS,
    find_target,
    may_have_credentials,
)
from monitor.rules.site import Network, Site, url_fault

LoopLag = Callable[[float], float]
"""From an instant of the event loop's clock to the worst lag of the loop since then, in seconds."""

_GRACE_SECONDS = 0.5
_STALL_SECONDS = 0.5
_NEVER = datetime.min.replace(tzinfo=UTC)


def no_lag(_since: float) -> float:
    """Tell of no lag: for a loop that nobody measures."""
    return 0.0


class Prober:
    """Probes sites over one httpx client; one per process, bound to the loop of its first probe.

    ``loop_lag`` tells the worst lag of the event loop since an instant of its clock: a bad answer
    seen by a loop that stood still is our own fault. ``transport`` is for tests.
    """

    def __init__(
        self,
        *,
        loop_lag: LoopLag = no_lag,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log URLs with their query
        self._loop_lag = loop_lag
        self._client = _Client(
            transport=transport or CurlTransport(), trust_env=False, follow_redirects=False
        )

    async def probe(self, site: Site, *, started_at: datetime) -> Observation:
        """Probe ``site`` once; ``started_at`` (aware UTC) is only written down.

        Takes no longer than ``site.timeout`` and half a second. What the site does wrong is in the
        observation; only our own cancellation is raised.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        attempt = _Attempt(site, deadline=began + site.timeout.total_seconds())
        try:
            async with asyncio.timeout_at(attempt.terms.deadline + _GRACE_SECONDS):
                await self._follow(attempt)
        except TimeoutError:
            seconds = f"{site.timeout.total_seconds():g} s"
            attempt.fail(Cause.RESPONSE_TIMEOUT, Phase.PROCESSING, f"no answer within {seconds}")
        duration = loop.time() - began
        is_bad = attempt.cause is not None or duration > site.slow_after.total_seconds()
        if is_bad and (lag := self._loop_lag(began)) > _STALL_SECONDS:
            attempt.cause = Cause.OWN_STALL
            attempt.message = f"the prober itself stood still for {lag:.1f} s during this probe"
        return attempt.conclude(started_at=started_at, duration=duration)

    async def reach(
        self, url: str, *, within: timedelta, allow_networks: tuple[Network, ...] = ()
    ) -> Cause | None:
        """Ask ``url`` for any HTTP answer; return None if one came, else the cause why not."""
        site = Site(
            slug="",
            client="",
            name=url,
            url=url,
            method="HEAD",
            timeout=within,
            expect_status=((100, 999),),
            allow_networks=allow_networks,
        )
        seen = await self.probe(site, started_at=_NEVER)
        return None if seen.http_status is not None else seen.cause

    async def aclose(self) -> None:
        """Close every connection and let go of every timer, thread and descriptor."""
        await self._client.aclose()

    async def _follow(self, attempt: _Attempt) -> None:
        """Ask hop by hop until an answer, a failure or too many redirects."""
        url = attempt.parse(attempt.site.url)
        visited: set[tuple[str, str]] = set()
        while url is not None:
            visit = (str(url), attempt.cookies.header_for(str(url)))
            if visit in visited:
                where = clean(str(url), most=200)
                attempt.fail(
                    Cause.REDIRECT_LOOP,
                    Phase.PROCESSING,
                    f"the site redirects in a circle, back to {where}",
                )
                return
            if len(visited) > MOST_REDIRECTS:
                attempt.fail(
                    Cause.REDIRECT_LOOP,
                    Phase.PROCESSING,
                    f"the site redirects more than {MOST_REDIRECTS} times",
                )
                return
            visited.add(visit)
            url = await self._ask(attempt, url, cookies=visit[1])

    async def _ask(self, attempt: _Attempt, url: httpx.URL, *, cookies: str) -> httpx.URL | None:
        """Ask one hop; return where it redirects to, None when the probe is over."""
        attempt.hops.append(str(url))
        request = httpx.Request(
            attempt.site.method,
            url,
            headers=attempt.headers_for(url, cookies),
            extensions={"terms": attempt.terms},
        )
        try:
            response = await self._client.send(request, stream=True)
            transcript = await _transcript_of(response)
        except EgressFailed as failure:
            attempt.take_failure(failure)
            return None
        except httpx.TimeoutException as error:
            attempt.fail(Cause.RESPONSE_TIMEOUT, Phase.PROCESSING, clean(str(error), most=300))
            return None
        except httpx.TransportError as error:
            attempt.fail(Cause.PROTOCOL_ERROR, Phase.PROCESSING, clean(str(error), most=300))
            return None
        return attempt.take_answer(response, transcript)


@dataclass(slots=True)
class _Attempt:
    """A probe under way: what it has seen so far."""

    site: Site
    deadline: float
    terms: Terms = field(init=False)
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

    def __post_init__(self) -> None:
        self.terms = Terms(
            deadline=self.deadline,
            timeout_seconds=self.site.timeout.total_seconds(),
            allow_networks=self.site.allow_networks,
            ca_file=self.site.ca_file,
            ip_family=self.site.ip_family,
            body_limit=self.site.body_limit,
        )

    def fail(self, cause: Cause, phase: Phase, message: str) -> None:
        """Write down why the probe failed."""
        self.cause, self.failed_phase, self.message = cause, phase, message

    def parse(self, text: str) -> httpx.URL | None:
        """Return the site's URL; None, with the failure written down, if it is none."""
        fault = url_fault(text)
        try:
            url = _parse(text)
        except (httpx.InvalidURL, ValueError) as error:
            fault = fault or str(error)
        else:
            if fault is None:
                return url
        self.fail(Cause.PROTOCOL_ERROR, Phase.RESOLVE, f"the URL {fault}")
        return None

    def headers_for(self, url: httpx.URL, cookies: str) -> list[tuple[bytes, bytes]]:
        """Return the request's headers; the site's own and its credentials only for its origin."""
        headers = {
            "Host": url.netloc.decode("ascii"),  # httpx would decode an IDN for it, and not any
            "User-Agent": self.site.user_agent,
            "Accept": "*/*",
            "Accept-Encoding": "gzip, deflate",
            "Connection": "close",
        }
        if may_have_credentials(self.site.url, str(url)):
            named = {name.lower(): name for name in headers}
            for name, value in self.site.headers.items():
                headers.pop(named.get(name.lower(), ""), None)
                headers[name] = value
            if self.site.basic_auth is not None:
                auth = self.site.basic_auth
                token = b64encode(f"{auth.username}:{auth.password}".encode()).decode()
                headers["Authorization"] = f"Basic {token}"
        if cookies:
            own = headers.pop("Cookie", "")
            headers["Cookie"] = f"{own}; {cookies}" if own else cookies
        return [(name.encode(), _encode(value)) for name, value in headers.items()]

    def take_failure(self, failure: EgressFailed) -> None:
        """Write down an exchange that failed; a bad status weighs more than a broken body."""
        self._take_transcript(failure.transcript)
        self.fail(failure.cause, failure.phase, self._from_where(str(failure)))
        if failure.transcript.status is not None:
            found = weigh(self.site, self._answer(is_truncated=True))
            self.title, self.excerpt = found.title, found.excerpt
            if found.cause is Cause.HTTP_STATUS and failure.transcript.status not in REDIRECTS:
                self.fail(found.cause, Phase.PROCESSING, found.message)

    def take_answer(self, response: httpx.Response, transcript: Transcript) -> httpx.URL | None:
        """Write down a whole answer; return where it redirects to, None if it is the last."""
        self._take_transcript(transcript)
        if response.status_code in REDIRECTS and not is_expected(self.site, response.status_code):
            return self._find_next()
        found = weigh(self.site, self._answer(is_truncated=transcript.is_truncated))
        self.title, self.excerpt = found.title, found.excerpt
        self.is_truncated = found.is_truncated
        if found.cause is not None:
            phase = Phase.PROCESSING if found.cause is Cause.HTTP_STATUS else Phase.TRANSFER
            self.fail(found.cause, phase, found.message)
        return None

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
            content_length=int(length) if length.isdecimal() else None,
            certificate=self.certificate,
            tls_version=seen.tls_version,
            tls_cipher=seen.tls_cipher,
            headers=evidence_of(self.headers),
            title=self.title,
            excerpt=self.excerpt,
        )

    def _take_transcript(self, transcript: Transcript) -> None:
        self.transcript = transcript
        self.phases += transcript.phases
        self.certificate = transcript.certificate or self.certificate
        self.headers = _by_name(transcript.headers)

    def _answer(self, *, is_truncated: bool) -> HttpAnswer:
        status = self.transcript.status or 0
        return HttpAnswer(
            status=status,
            reason=httpx.codes.get_reason_phrase(status),
            headers=self.headers,
            body=self.transcript.body,
            is_truncated=is_truncated,
        )

    def _find_next(self) -> httpx.URL | None:
        """Return the URL that a redirect leads to; None, with the failure written down, if none."""
        asked, location = self.hops[-1], self._location()
        target, fault = find_target(asked, location)
        url: httpx.URL | None = None
        if fault is None:
            try:
                url = httpx.URL(target)
                fault = url_fault(str(url))
            except (httpx.InvalidURL, ValueError) as error:
                fault = clean(str(error), most=200)
        if fault is not None:
            to = f" to {clean(location, most=200)}" if location else ""
            message = f"the redirect{to} cannot be followed: it {fault}"
            self.fail(Cause.REDIRECT_INVALID, Phase.PROCESSING, message)
            return None
        self.cookies.take(asked, self.transcript.headers)
        return url

    def _location(self) -> str:
        found = (value for name, value in self.transcript.headers if name.lower() == b"location")
        return _decode(next(found, b""))

    def _from_where(self, message: str) -> str:
        if len(self.hops) < 2:
            return message
        return f"{message}, after a redirect to {clean(self.hops[-1], most=200)}"


class _NoCookies(httpx.Cookies):
    """Keeps nothing: cookies live within one probe, and httpx's own jar is the whole client's."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Take no cookie."""


class _Client(httpx.AsyncClient):
    """An httpx client without cookies of its own."""

    _none = _NoCookies()

    @property
    def cookies(self) -> httpx.Cookies:
        """No cookies, and nowhere to put them."""
        return self._none

    @cookies.setter
    def cookies(self, cookies: object) -> None:
        raise AttributeError("a prober's client keeps no cookies")


async def _transcript_of(response: httpx.Response) -> Transcript:
    """Return what our transport wrote down; for another transport, what the response shows."""
    transcript = response.extensions.get("transcript")
    if not isinstance(transcript, Transcript):
        body = await response.aread()
        headers = response.headers.copy()
        headers.pop("content-encoding", None)  # httpx has undone it
        transcript = Transcript(status=response.status_code, headers=tuple(headers.raw), body=body)
    await response.aclose()
    return transcript


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


def _encode(value: str) -> bytes:
    """Return text as a header's value: Latin-1 where it goes (as cookies came), else UTF-8."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode()


@lru_cache(maxsize=16_384)
def _parse(text: str) -> httpx.URL:
    return httpx.URL(text)
