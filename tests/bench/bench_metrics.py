"""What a metrics page costs with ten thousand sites, beside prometheus_client writing the same one.

``generate_latest`` gets its families ready made, so that only its writing is measured; ours are
measured whole, from the store's rows to the bytes. Ratios are of one run on one machine.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from monitor.metrics import Memory, build_page, read_figures
from monitor.migrations import upgrade
from monitor.readings import observation_document
from monitor.rules.observation import Certificate, Observation, Phases
from monitor.rules.site import Site
from monitor.rules.verdict import judge
from monitor.service_metrics import ServiceFigures
from monitor.tables import SightingRow
from tests.builders import a_site, an_observation
from tests.sites import POLICY, watch
from tickets.store import Session, Store

SITES = 10_000
CLIENTS = 100
START = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
SERVICE = ServiceFigures(
    version="1.2.3", revision="abc123", python_version="3.11.9", reloaded_at=START
)


def an_answer(site: Site) -> Observation:
    """Return what a probe of an ordinary site over TLS sees."""
    certificate = Certificate(
        not_after=datetime(2026, 6, 1, tzinfo=UTC),
        earliest_not_after=datetime(2026, 6, 1, tzinfo=UTC),
        subject=f"CN={site.url}",
        issuer="CN=Test authority,O=Authority",
        names=(site.url, f"www.{site.url}"),
        verified=True,
        fingerprint_sha256="ab" * 32,
        serial_number="0f" * 16,
    )
    return replace(
        an_observation(duration=0.75),
        phases=Phases(resolve=0.05, connect=0.1, tls=0.2, processing=0.3, transfer=0.1),
        final_url=site.url,
        hops=(site.url,),
        certificate=certificate,
        tls_version="TLSv1.3",
        tls_cipher="TLS_AES_128_GCM_SHA256",
        headers={"last-modified": "Tue, 03 Mar 2026 10:00:00 GMT"},
    )


def furnish(store: Store) -> None:
    """Watch the sites and have each of them seen up."""
    upgrade(store)
    sites = [
        a_site(f"site-{n}", client=f"client-{n % CLIENTS}", url=f"https://www.site-{n}.test/")
        for n in range(SITES)
    ]
    watch(store, sites, at=START)
    table = SightingRow.__table__  # pyright: ignore[reportAttributeAccessIssue] (SQLModel's own)
    rows = []
    for number, site in enumerate(sites):
        answer = an_answer(site)
        document = observation_document(answer, judge(answer, slow_after=site.slow_after))
        rows.append({"the_site": site.slug, "observation": document, "up_count": number})
    seen = (
        sa.update(table)
        .where(table.c.site == sa.bindparam("the_site"))
        .values(
            observed_at=START,
            succeeded_at=START,
            observation=sa.bindparam("observation"),
            up_count=sa.bindparam("up_count"),
        )
    )
    store.write(lambda tx: tx.connection().execute(seen, rows))


def see_a_quarter(store: Store, turn: int) -> None:
    """Let a quarter of the sites be seen once more."""
    table = SightingRow.__table__  # pyright: ignore[reportAttributeAccessIssue] (SQLModel's own)

    def work(tx: Session) -> None:
        again = sa.update(table).where(table.c.up_count % 4 == turn % 4)
        tx.connection().execute(
            again.values(up_count=table.c.up_count + 4, observed_at=START + timedelta(seconds=turn))
        )

    store.write(work)


class Ready(Collector):
    """A registry's content that is made already."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Sequence[Metric]:
        return self._metrics


def cost(work: Callable[[], object], *, times: int = 5) -> float:
    """Return the processor time of the cheapest of several runs, of all threads, in seconds."""
    spent: list[float] = []
    for _ in range(times):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return min(spent)


def test_a_page_of_ten_thousand_sites(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/fettle.db", readers=1)
    furnish(store)
    memory = Memory()
    turn = 0

    def page(kept: Memory | None = None) -> bytes:
        kept = kept or Memory()
        now = START + timedelta(seconds=turn)
        figures = store.read(lambda tx: read_figures(tx, POLICY, now=now, memory=kept))
        made = build_page(figures, policy=POLICY, service=SERVICE, memory=kept)
        return b"".join(made.encode("")[0])

    def page_after_a_quarter() -> None:
        page(memory)

    text = page()
    registry = CollectorRegistry()
    registry.register(Ready(text_string_to_metric_families(text.decode())))
    theirs = cost(lambda: generate_latest(registry), times=3)
    cold = cost(page, times=3)
    page(memory)
    unchanged = cost(lambda: page(memory))
    quarter: list[float] = []
    for turn in range(1, 6):
        see_a_quarter(store, turn)
        quarter.append(cost(page_after_a_quarter, times=1))
        assert memory.sites.written == SITES / 4
    store.close()
    lines = [f"{SITES:,} sites, {len(text) / 1e6:.0f} MB of text, seconds of processor time:"]
    for name, seconds in {
        "prometheus_client, writing alone": theirs,
        "the first page": cold,
        "a page after a quarter of the sites was probed": min(quarter),
        "a page after none was": unchanged,
    }.items():
        lines.append(f"  {name:48}{seconds:6.2f}  x {seconds / theirs:.2f}")
    sys.stdout.write("\n" + "\n".join(lines) + "\n")
    assert min(quarter) < 1
    assert cold < theirs
