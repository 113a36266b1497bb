"""Plain httpx in a process of its own: one shared client, no connection kept, and nothing beside.

    python -m tests.bench.httpx_process AUTHORITIES PACE URLS_FILE

Asks the URLs in turn, PACE a second, until it is ended; an answer that is not 200 ends it too.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
import sys
from pathlib import Path

import httpx


async def ask_for_ever(authorities: str, pace: float, urls: list[str]) -> None:
    """Begin a request every ``1 / pace`` seconds, whether or not the last one has ended."""
    loop = asyncio.get_running_loop()
    limits = httpx.Limits(max_keepalive_connections=0)
    context = ssl.create_default_context(cafile=authorities)
    async with (
        httpx.AsyncClient(verify=context, trust_env=False, limits=limits) as client,
        asyncio.TaskGroup() as group,
    ):

        async def ask(url: str) -> None:
            response = await client.get(url)
            response.raise_for_status()

        next_at = loop.time()
        for url in itertools.cycle(urls):
            group.create_task(ask(url))
            next_at += 1 / pace
            await asyncio.sleep(next_at - loop.time())


if __name__ == "__main__":
    lines = Path(sys.argv[3]).read_text(encoding="ascii").split()
    asyncio.run(ask_for_ever(sys.argv[1], float(sys.argv[2]), lines))
