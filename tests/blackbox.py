"""A real blackbox_exporter on loopback, and what a page of metrics says of a site."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.prometheus import real
from tests.system.running import HTTP, eventually, free_port

OURS = frozenset({"instance", "site", "client", "location", "serialnumber", "subjectalternative"})
"""Labels that Prometheus adds to what blackbox_exporter says, or in which we say more.

Debian's exporter knows no serial number, which newer ones do, and names no IP address of a
certificate.
"""

TIMES = frozenset({"probe_duration_seconds", "probe_dns_lookup_time_seconds"})
"""What differs from one probe to the next, beside the phases."""

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


@contextlib.contextmanager
def blackbox_exporter(folder: Path, *, ca_file: str) -> Iterator[str]:
    """Start an exporter that trusts the authority in ``ca_file``; yields where it is asked."""
    program = real("prometheus-blackbox-exporter", "blackbox_exporter")
    module = {
        "prober": "http",
        "timeout": "10s",
        "http": {
            "preferred_ip_protocol": "ip4",
            "tls_config": {"ca_file": ca_file},
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
        return HTTP.get(f"http://{address}/-/healthy").status_code == 200
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
