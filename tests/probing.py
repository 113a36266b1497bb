"""Probes of scripted servers, and tables of what each of them ought to come to."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest

from monitor.prober import Prober
from monitor.rules.observation import Cause, Observation, Phase, Phases
from monitor.rules.site import Site
from monitor.rules.verdict import Verdict, judge
from tests.loopback import Script, serving

STARTED_AT = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
GRACE_SECONDS = 3.0
"""What a probe may take beyond its site's time-out: one that heeds none takes for ever."""

SOON = {"timeout": timedelta(seconds=0.4)}
"""For sites whose server never comes to an end."""

NAMES = {
    "site.test": ["127.0.0.1"],
    "site.test.": ["127.0.0.1"],
    "xn--bcher-kva.test": ["127.0.0.1"],
    "other.test": ["127.0.0.1"],
    "two.test": ["::1", "127.0.0.1"],
    "inside.test": ["127.0.0.1"],
    "private.test": ["10.0.0.1"],
    "metadata.test": ["169.254.169.254"],
    "localhost": ["127.0.0.1", "::1"],
    "localhost.": ["127.0.0.1"],
}


FAULTS = {
    "gone.test": socket.EAI_NONAME,
    "again.test": socket.EAI_AGAIN,
    "fails.test": socket.EAI_FAIL,
    "memory.test": socket.EAI_MEMORY,
}


def system_lookup(host: str, _family: int) -> Sequence[str]:
    """Give the addresses in NAMES, or the fault in FAULTS; other names are the test's mistake."""
    if host in FAULTS:
        raise socket.gaierror(FAULTS[host], "as the test wants it")
    if host not in NAMES:
        raise OSError("a test asked for a name it does not have")
    return NAMES[host]


def a_site(url: str, **changes: Any) -> Site:
    values: dict[str, Any] = {
        "slug": "site",
        "client": "client",
        "name": "Site",
        "url": url,
        "timeout": timedelta(seconds=5),
        "slow_after": timedelta(seconds=60),
        "allow_networks": LOOPBACK,
    }
    return Site(**(values | changes))


async def observe(prober: Prober, url: str, **changes: Any) -> Observation:
    """Probe ``url`` once, and see that it ended in time by its own account."""
    site = a_site(url, **changes)
    seen = await prober.probe(site, started_at=STARTED_AT)
    assert seen.duration_seconds <= site.timeout.total_seconds() + GRACE_SECONDS
    assert sum_of(seen.phases) <= seen.duration_seconds + 0.001
    return seen


async def observe_script(prober: Prober, script: Script, **changes: Any) -> Observation:
    async with serving(script) as server:
        return await observe(prober, server.url(), **changes)


def sum_of(phases: Phases) -> float:
    return phases.resolve + phases.connect + phases.tls + phases.processing + phases.transfer


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a probe should tell of a site: verdict, cause, phase, and words within its message.

    That it ends in time is looked at by ``observe`` each time.
    """

    verdict: Verdict
    cause: Cause | None
    phase: Phase | None
    says: str = ""

    def check(self, seen: Observation) -> None:
        judgement = judge(seen, slow_after=timedelta(seconds=60))
        told = (judgement.verdict, judgement.cause, seen.failed_phase)
        assert told == (self.verdict, self.cause, self.phase), seen.message
        assert self.says in seen.message


UP = Told(verdict=Verdict.UP, cause=None, phase=None)


def down(cause: Cause, phase: Phase, says: str) -> Told:
    return Told(verdict=Verdict.DOWN, cause=cause, phase=phase, says=says)


def unknown(cause: Cause, phase: Phase | None, says: str) -> Told:
    return Told(verdict=Verdict.UNKNOWN, cause=cause, phase=phase, says=says)


def cases(table: dict[str, tuple[Any, ...]], names: str) -> pytest.MarkDecorator:
    """Parametrise a test with ``table``: from a case's name to its values for ``names``."""
    return pytest.mark.parametrize(names.split(), table.values(), ids=table)
