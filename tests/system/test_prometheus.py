"""A real Prometheus on the running service, with the files of ``config`` and ``dashboards``.

A real blackbox_exporter beside it probes the same sites: what it says, Fettle says as well.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blackbox import TIMES, blackbox_exporter, samples
from tests.prometheus import ROOT, Scraped, real
from tests.system.running import HTTP, eventually

pytestmark = pytest.mark.timeout(300)

QUERIES = json.loads((Path(__file__).parent / "data" / "blackbox_queries.json").read_text())
"""Expressions of public dashboards and alerts for blackbox_exporter, written out."""


def test_every_query_of_public_dashboards_has_data(scraped: Scraped) -> None:
    for query in QUERIES:  # a scrape that took too long leaves nothing until the next
        eventually(lambda query=query: scraped.prometheus.query(query), what=f"data: {query}")
    assert len(QUERIES) > 150


def test_every_site_is_an_instance_of_its_own(scraped: Scraped) -> None:
    sites = len([site for client in scraped.sites.settings() for site in client["sites"]])
    each = f"count(count by (instance) (probe_success)) == {sites}"
    eventually(lambda: scraped.prometheus.query(each), what="an instance for each site")
    [well] = eventually(
        lambda: scraped.prometheus.query('probe_success{site="booking"}'), what="the site"
    )
    assert well["metric"]["instance"] == f"{scraped.sites.secure}/"
    assert well["metric"]["job"] == "blackbox"


def test_every_scrape_is_taken_whole(scraped: Scraped) -> None:
    def healths() -> list[tuple[str, str]]:
        targets = scraped.prometheus.get("targets")["activeTargets"]
        ours = [target for target in targets if target["labels"]["job"] == "blackbox"]
        return [(target["health"], target["lastError"]) for target in ours]

    eventually(lambda: healths() == [("up", "")], what="a scrape without an error")
    metadata = scraped.prometheus.get("metadata", metric="fettle_checks")
    assert metadata["fettle_checks"][0]["type"] == "counter", metadata


def test_it_finds_the_sites_by_service_discovery(scraped: Scraped) -> None:
    token = scraped.service.fettle("token", "add", "Prometheus", "--scope", "sites:read")
    file = scraped.folder / "sites.token"
    file.write_text(token)
    _, _, rest = (ROOT / "docs" / "discovery.md").read_text().partition("```yaml\n")
    config = scraped.folder / "discovery.yml"
    example = rest.partition("```")[0].replace("http://127.0.0.1:8080", scraped.service.url)
    config.write_text(example)
    command = [real("promtool"), "check", "service-discovery", "--timeout=3s", str(config)]
    found = subprocess.run(
        [*command, "blackbox_exporter"], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert "error" not in found.stderr
    targets = {
        (one["labels"]["site"], one["labels"]["instance"], one["labels"]["__address__"])
        for one in json.loads(found.stdout)
    }
    assert targets == {
        (site["slug"], site["url"], "127.0.0.1:9115")
        for client in scraped.sites.settings()
        for site in client["sites"]
    }


def test_the_service_tells_that_it_is_well_as_long_as_it_is(scraped: Scraped) -> None:
    calls = 'fettle_scheduler_runs_total{job="heartbeat",outcome="ok"} > 0'
    eventually(lambda: scraped.prometheus.query(calls), what="a call of its heartbeat")


def test_promtool_finds_the_configuration_and_the_rules_it_names_good() -> None:
    promtool = real("promtool")
    checked = subprocess.run(
        [promtool, "check", "config", str(ROOT / "config" / "prometheus.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.fixture(scope="module")
def blackbox(scraped: Scraped, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an exporter that trusts the authority of the test's sites."""
    folder = tmp_path_factory.mktemp("blackbox")
    with blackbox_exporter(folder, ca_file=str(scraped.sites.ca_file)) as address:
        yield address


@pytest.mark.parametrize(
    "name", ["well, over TLS", "redirected", "answering with an error", "not answering"]
)
def test_what_it_says_of_a_site_fettle_says_as_well(
    scraped: Scraped, blackbox: str, name: str
) -> None:
    sites = scraped.sites
    url = {
        "well, over TLS": f"{sites.secure}/",
        "redirected": f"{sites.plain}/moved",
        "answering with an error": f"{sites.plain}/broken",
        "not answering": f"{sites.dead}/",
    }[name]
    theirs = samples(
        HTTP.get(blackbox, params={"target": url, "module": "http_2xx"}, timeout=60).text
    )
    page = HTTP.get(f"http://127.0.0.1:{scraped.service.port}/metrics", timeout=60).text
    ours = samples(page, instance=url)
    assert theirs.keys() - ours.keys() == set()
    differing = {
        key: (value, ours[key])
        for key, value in theirs.items()
        if key[0] not in TIMES
        and not dict(key[1]).get("phase")
        and ours[key] != pytest.approx(value)
    }
    assert differing == {}
