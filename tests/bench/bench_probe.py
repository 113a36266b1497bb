"""Processor time of one probe on a fresh connection: the prober beside a plain httpx client.

    python -m tests.bench.bench_probe [--probes N] [--rounds N]

The server runs in a process of its own and is not counted. Both clients are measured in turn, round
by round, so that what else the machine does falls on both; medians of the rounds are printed. What
each client is asked for is the same page; the prober also looks at certificate, body and title.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import httpx

from monitor.egress import CurlTransport
from monitor.prober import Prober
from monitor.rules.site import Site
from tests.loopback import Authorities, answer, serving

AT_ONCE = 50
STARTED_AT = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
PAGE = b"<!doctype html><title>A page</title>" + b"<p>Twenty words of text, more or less.</p>" * 48

Ask = Callable[[], Awaitable[None]]


@dataclass
class Contender:
    """One client with what each of its rounds took, in microseconds of processor time a probe."""

    name: str
    ask: Ask
    rounds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)


async def serve(folder: Path) -> None:
    """Serve the page over HTTP and HTTPS until told to stop; print the two URLs."""
    authorities = Authorities(folder)
    async with (
        serving(answer(PAGE)) as plain,
        serving(answer(PAGE), tls=authorities.tls()) as secure,
    ):
        sys.stdout.write(f"{plain.url()} {secure.url()}\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


@contextlib.contextmanager
def server(folder: Path) -> Iterator[tuple[str, str]]:
    """Run the server in a process of its own; give its HTTP and HTTPS URLs."""
    command = [sys.executable, "-m", "tests.bench.bench_probe", "--serve", str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        plain, secure = process.stdout.readline().split()
        yield plain, secure
        process.communicate()


async def measure(contender: Contender, probes: int) -> None:
    """Ask ``probes`` times, fifty at once, and note the processor time of one."""
    left = iter(range(probes))

    async def work() -> None:
        for _ in left:
            await contender.ask()

    began = time.process_time()
    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    contender.rounds.append((time.process_time() - began) / probes * 1_000_000)


@contextlib.asynccontextmanager
async def contenders(
    plain: str, secure: str, *, authorities: str
) -> AsyncIterator[list[tuple[Contender, Contender]]]:
    """Give pairs of plain httpx and prober, for HTTP and HTTPS."""
    context = ssl.create_default_context(cafile=authorities)
    limits = httpx.Limits(max_keepalive_connections=0)
    prober = Prober(transport=CurlTransport(ca_bundle=authorities))
    async with httpx.AsyncClient(verify=context, trust_env=False, limits=limits) as client:

        def by_httpx(url: str) -> Ask:
            async def ask() -> None:
                response = await client.get(url)
                assert response.status_code == 200

            return ask

        def by_prober(url: str) -> Ask:
            site = Site(
                slug="bench",
                client="bench",
                name="Bench",
                url=url,
                allow_networks=(ip_network("127.0.0.0/8"),),
            )

            async def ask() -> None:
                seen = await prober.probe(site, started_at=STARTED_AT)
                assert seen.cause is None, seen.message

            return ask

        yield [
            (Contender(f"{scheme} httpx", by_httpx(url)), Contender(scheme, by_prober(url)))
            for scheme, url in (("HTTP", plain), ("HTTPS", secure))
        ]
    await prober.aclose()


async def race(plain: str, secure: str, *, authorities: str, probes: int, rounds: int) -> str:
    """Measure all contenders in turn; return the table."""
    async with contenders(plain, secure, authorities=authorities) as pairs:
        for contender in (each for pair in pairs for each in pair):
            await measure(contender, AT_ONCE * 2)
            contender.rounds.clear()
        for _ in range(rounds):
            for contender in (each for pair in pairs for each in pair):
                await measure(contender, probes)
        lines = [f"{'':8}{'httpx':>12}{'prober':>12}{'ratio':>10}   CPU µs per probe"]
        for other, ours in pairs:
            ratios = (mine / its for mine, its in zip(ours.rounds, other.rounds, strict=True))
            lines.append(
                f"{ours.name:8}{other.median:12,.0f}{ours.median:12,.0f}"
                f"{statistics.median(ratios):10.2f}   {rounds} rounds of {probes}"
            )
    return "\n".join(lines)


def run(*, probes: int = 400, rounds: int = 7) -> str:
    """Start the server, race, return the table."""
    with (
        tempfile.TemporaryDirectory() as folder,
        server(Path(folder)) as (plain, secure),
    ):
        authorities = str(Path(folder) / "authorities.pem")
        return asyncio.run(
            race(plain, secure, authorities=authorities, probes=probes, rounds=rounds)
        )


def test_processor_time_of_a_probe() -> None:
    """What ``make bench`` runs; it asserts nothing of time."""
    sys.stdout.write(f"\n{run(probes=200, rounds=5)}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--probes", type=int, default=400, help="probes in a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--serve", metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(serve(Path(arguments.serve)))
    else:
        sys.stdout.write(run(probes=arguments.probes, rounds=arguments.rounds) + "\n")


if __name__ == "__main__":
    main()
