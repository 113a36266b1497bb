"""One probe of one site: httpx in, Observation out.

The prober follows redirects itself, hop by hop, keeps one deadline over all of it, reads the body
up to a cap, and never raises because of what a site does. Whether an answer is good, the rules say.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial

import httpx

from monitor.egress import CurlTransport, EgressFailed, Terms, Transcript
from monitor.keywords import is_in
from monitor.prober.addresses import worst_of
from monitor.prober.attempt import Attempt
from monitor.rules.answer import HttpAnswer, weigh
from monitor.rules.content import clean
from monitor.rules.observation import Cause, Observation, Phase, Phases
from monitor.rules.site import Network, Site, url_fault

LoopLag = Callable[[float], float]
"""From an instant of the event loop's clock to the worst lag of the loop since then, in seconds."""

_GRACE_SECONDS = 0.5
_STALL_SECONDS = 0.5
_MATCH_SECONDS = 2.0
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
        transport = transport or CurlTransport()
        self._egress = transport if isinstance(transport, CurlTransport) else None
        self._client = _Client(transport=transport, trust_env=False, follow_redirects=False)
        self._matchers = ThreadPoolExecutor(2, thread_name_prefix="fettle-match")

    async def probe(self, site: Site, *, started_at: datetime) -> Observation:
        """Probe ``site`` once; ``started_at`` (aware UTC) is only written down.

        Takes no longer than ``site.timeout`` and half a second, plus two seconds at most to match
        patterns. What the site does wrong is in the observation; only our own cancellation is
        raised. With ``site.every_address`` the observation is that of the worst address.
        """
        began = asyncio.get_running_loop().time()
        attempt = Attempt(site, _terms_of(site, began=began))
        url, fault = _parse(site.url)
        if site.every_address and self._egress is not None and fault is None:
            return await self._probe_every(
                self._egress, attempt, url, began=began, started_at=started_at
            )
        return await self._run(attempt, began=began, started_at=started_at)

    async def _probe_every(
        self,
        egress: CurlTransport,
        attempt: Attempt,
        url: httpx.URL,
        *,
        began: float,
        started_at: datetime,
    ) -> Observation:
        """Make an attempt at each address of the host of ``url``, all at once."""
        loop, site = asyncio.get_running_loop(), attempt.site
        try:
            addresses = await egress.find_addresses(url, attempt.terms)
        except EgressFailed as failure:
            attempt.visit(str(url))
            attempt.take_failure(failure)
            ended = loop.time()
            return self._conclude(attempt, began=began, ended=ended, started_at=started_at)
        looked_up = Phases(resolve=loop.time() - began)
        host = url.raw_host.decode("ascii")
        attempts = [
            Attempt(site, replace(attempt.terms, address_of={host: address}), phases=looked_up)
            for address in addresses
        ]
        seen = await asyncio.gather(
            *(self._run(each, began=began, started_at=started_at) for each in attempts)
        )
        return worst_of(dict(zip(addresses, seen, strict=True)), slow_after=site.slow_after)

    async def _run(self, attempt: Attempt, *, began: float, started_at: datetime) -> Observation:
        """Make one attempt to its end; ``began`` is an instant of the loop's clock."""
        loop, answer = asyncio.get_running_loop(), None
        try:
            async with asyncio.timeout_at(attempt.terms.deadline + _GRACE_SECONDS):
                answer = await self._follow(attempt)
        except TimeoutError:
            message = f"no answer within {attempt.terms.timeout_seconds:g} s"
            attempt.fail(Cause.RESPONSE_TIMEOUT, Phase.PROCESSING, message)
        ended = loop.time()  # the time that patterns take is not the site's
        if answer is not None and attempt.site.has_patterns:
            await self._match(attempt, answer)
        elif answer is not None:
            attempt.take_finding(weigh(attempt.site, answer))
            ended = loop.time()
        return self._conclude(attempt, began=began, ended=ended, started_at=started_at)

    def _conclude(
        self, attempt: Attempt, *, began: float, ended: float, started_at: datetime
    ) -> Observation:
        duration = ended - began
        is_bad = attempt.cause is not None or duration > attempt.site.slow_after.total_seconds()
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
        self._matchers.shutdown(wait=False, cancel_futures=True)
        await self._client.aclose()

    async def _match(self, attempt: Attempt, answer: HttpAnswer) -> None:
        """Weigh an answer whose patterns may take a while, in another thread."""
        work = partial(weigh, attempt.site, answer, contains=is_in)
        matching = asyncio.get_running_loop().run_in_executor(self._matchers, work)
        try:
            async with asyncio.timeout(_MATCH_SECONDS):
                attempt.take_finding(await matching)
        except TimeoutError:
            message = f"the prober could not match the page within {_MATCH_SECONDS:g} s"
            attempt.fail(Cause.OWN_RESOURCES, Phase.TRANSFER, message)
        except ValueError as error:  # a pattern that is none, or nothing to match it with
            message = f"the prober cannot look for the keyword: it {clean(str(error), most=200)}"
            attempt.fail(Cause.OWN_RESOURCES, Phase.TRANSFER, message)

    async def _follow(self, attempt: Attempt) -> HttpAnswer | None:
        """Ask hop by hop until the last answer, a failure or too many redirects."""
        url, fault = _parse(attempt.site.url)
        if fault is not None:
            attempt.fail(Cause.PROTOCOL_ERROR, Phase.RESOLVE, f"the URL {clean(fault, most=200)}")
            return None
        while attempt.visit(str(url)):
            target = await self._ask(attempt, url)
            if not isinstance(target, str):
                return target
            url, fault = _parse(target)
            if fault is not None:
                attempt.fail_redirect(target, fault)
                return None
        return None

    async def _ask(self, attempt: Attempt, url: httpx.URL) -> HttpAnswer | str | None:
        """Ask one hop; return the last answer, where it redirects to, or None for a failure."""
        # httpx would decode an international name for the Host header, and fail at some.
        host = url.netloc.decode("ascii")
        request = httpx.Request(
            attempt.site.method,
            url,
            headers=attempt.headers_for(attempt.hops[-1], host=host),
            extensions={"terms": attempt.terms_for(attempt.hops[-1])},
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
        return attempt.take_answer(transcript)


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


def _terms_of(site: Site, *, began: float) -> Terms:
    seconds = site.timeout.total_seconds()
    return Terms(
        deadline=began + seconds,
        timeout_seconds=seconds,
        allow_networks=site.allow_networks,
        ca_file=site.ca_file,
        client_certificate=site.client_certificate,
        ip_family=site.ip_family,
        body_limit=site.body_limit,
    )


@lru_cache(maxsize=16_384)
def _parse(text: str) -> tuple[httpx.URL, str | None]:
    """Return ``text`` as a URL, and what is wrong with it (None: nothing)."""
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        return _NO_URL, url_fault(text) or str(error)
    return url, url_fault(str(url))


_NO_URL = httpx.URL()


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
