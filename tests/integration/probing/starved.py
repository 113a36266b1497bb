"""Probes many sites at once in a process with few file descriptors, and prints what became of them.

``python -m tests.integration.probing.starved DESCRIPTORS AUTHORITIES URL...``
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from collections import Counter
from datetime import timedelta

from monitor.egress import CurlTransport
from monitor.prober import Prober
from monitor.rules.verdict import judge
from tests.probing import STARTED_AT, a_site


async def probe(authorities: str, urls: list[str]) -> list[Counter[str]]:
    """Return how often each verdict and cause came, when all were probed at once and one by one."""
    prober = Prober(transport=CurlTransport(ca_bundle=authorities))
    slow_after = timedelta(seconds=60)

    async def look(url: str) -> str:
        judgement = judge(
            await prober.probe(a_site(url), started_at=STARTED_AT), slow_after=slow_after
        )
        return f"{judgement.verdict.value} {judgement.cause or ''}".rstrip()

    try:
        rush = Counter(await asyncio.gather(*map(look, urls)))
        after = Counter([await look(url) for url in urls[::10]])
    finally:
        await prober.aclose()
    return [rush, after]


if __name__ == "__main__":
    descriptors, authorities, *urls = sys.argv[1:]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(descriptors), hard))
    print(json.dumps(asyncio.run(probe(authorities, urls))))  # noqa: T201 # read by the test
