"""A real blackbox_exporter beside Fettle, on the same sites: what it says, Fettle says as well."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.prometheus import Scraped, real
from tests.system.running import eventually, free_port

pytestmark = pytest.mark.timeout(300)

OURS = frozenset({"instance", "site", "client", "location", "serialnumber", "subjectalternative"})
"""Labels that Prometheus adds to what blackbox_exporter says, or in which we say more.

Debian's exporter knows no serial number, which newer ones do, and names no IP address of a
certificate.
"""

TIMES = frozenset({"probe_duration_seconds", "probe_dns_lookup_time_seconds"})
"""What differs from one probe to the next, beside the phases."""

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def blackbox(scraped: Scraped, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an exporter that trusts the authority of the test's sites."""
    program = real("prometheus-blackbox-exporter", "blackbox_exporter")
    folder = tmp_path_factory.mktemp("blackbox")
    module = {
        "prober": "http",
        "timeout": "10s",
        "http": {
            "preferred_ip_protocol": "ip4",
            "tls_config": {"ca_file": str(scraped.sites.ca_file)},
        },
    }
    config = folder / "blackbox.yml"
    config.write_text(yaml.safe_dump({"modules": {"http_2xx": module}}))
    address = f"127.0.0.1:{free_port()}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, f"--config.file={config}", f"--web.listen-address={address}"], stderr=log
        )
    try:
        eventually(lambda: _is_there(address), what="blackbox_exporter to listen")
        yield f"http://{address}/probe"
    finally:
        process.terminate()
        process.wait(120)


def _is_there(address: str) -> bool:
    try:
        return httpx.get(f"http://{address}/-/healthy").status_code == 200
    except httpx.TransportError:
        return False


def samples(text: str, *, instance: str | None = None) -> Samples:
    """Return the samples of ``probe_*`` of one instance, without the labels that are ours."""
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if not sample.name.startswith("probe_"):
                continue
            if instance is not None and sample.labels.get("instance") != instance:
                continue
            labels = frozenset(pair for pair in sample.labels.items() if pair[0] not in OURS)
            found[sample.name, labels] = sample.value
    return found


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
        httpx.get(blackbox, params={"target": url, "module": "http_2xx"}, timeout=60).text
    )
    page = httpx.get(f"http://127.0.0.1:{scraped.service.port}/metrics", timeout=60).text
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
