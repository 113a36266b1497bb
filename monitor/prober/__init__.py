"""One probe of one site: httpx in, Observation out.

The prober follows redirects itself, hop by hop, keeps one deadline over all of it, reads the body
up to a cap, and never raises because of what a site does. Whether an answer is good, the rules say.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import httpx

from monitor.egress import CurlTransport, EgressFailed, Terms, Transcript
from monitor.prober.attempt import Attempt
from monitor.rules.content import clean
from monitor.rules.observation import Cause, Observation, Phase
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
        attempt = Attempt(site, _terms_of(site, began=began))
        try:
            async with asyncio.timeout_at(attempt.terms.deadline + _GRACE_SECONDS):
                await self._follow(attempt)
        except TimeoutError:
            message = f"no answer within {attempt.terms.timeout_seconds:g} s"
            attempt.fail(Cause.RESPONSE_TIMEOUT, Phase.PROCESSING, message)
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

    async def _follow(self, attempt: Attempt) -> None:
        """Ask hop by hop until an answer, a failure or too many redirects."""
        url, fault = _parse(attempt.site.url)
        if fault is not None:
            attempt.fail(Cause.PROTOCOL_ERROR, Phase.RESOLVE, f"the URL {clean(fault, most=200)}")
            return
        while attempt.visit(str(url)):
            target = await self._ask(attempt, url)
            if target is None:
                return
            url, fault = _parse(target)
            if fault is not None:
                attempt.fail_redirect(target, fault)
                return

    async def _ask(self, attempt: Attempt, url: httpx.URL) -> str | None:
        """Ask one hop; return where it redirects to, None when the probe is over."""
        # httpx would decode an international name for the Host header, and fail at some.
        host = url.netloc.decode("ascii")
        request = httpx.Request(
            attempt.site.method,
            url,
            headers=attempt.headers_for(attempt.hops[-1], host=host),
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
