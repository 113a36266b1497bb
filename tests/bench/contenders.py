"""Who is measured: each as its processes, driven over the same sites at the same pace."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.bench.processes import Measured
from tests.bench.websites import Websites

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Course:
    """What everybody runs over: the sites, and the seconds from one probe of a site to the next."""

    websites: Websites
    interval: int

    @property
    def pace(self) -> float:
        """Probes a second."""
        return len(self.websites.urls) / self.interval


Running = AbstractContextManager[Mapping[str, Measured]]
Contender = Callable[[Course, Path], Running]
"""From the course and an empty folder to the contender's processes by name, ended on leaving."""


@contextlib.contextmanager
def _running(**processes: Measured) -> Iterator[Mapping[str, Measured]]:
    try:
        yield processes
    finally:
        for process in processes.values():
            process.stop()


def prober(course: Course, folder: Path, *, stalls: Path | None = None) -> Running:
    """Run the whole prober role on a store of its own; see ``prober_process`` for ``stalls``."""
    config = folder / "fettle.yml"
    config.write_text(json.dumps(_settings(course, folder)), encoding="utf-8")
    prepare = (
        "import sys; from pathlib import Path; from monitor import startup as s;"
        "from monitor.settings.load import load; from tickets.clock import SystemClock;"
        "s.prepare(load(Path(sys.argv[1]), environ={}), location='main', clock=SystemClock())"
    )
    subprocess.run([sys.executable, "-c", prepare, config], cwd=ROOT, check=True)
    command: list[str | Path] = [sys.executable, "-m", "tests.bench.prober_process", config]
    command += [course.websites.authorities, *([] if stalls is None else [stalls])]
    return _running(prober=Measured(command, folder=folder, environ={"PYTHONPATH": str(ROOT)}))


def _settings(course: Course, folder: Path) -> dict[str, object]:
    sites = [
        {"slug": f"site-{number}", "url": url} for number, url in enumerate(course.websites.urls)
    ]
    return {
        "agency": {
            "name": "Bench",
            "url": "https://bench.test",
            "mail_from": "support@bench.test",
        },
        "store": {"url": f"sqlite:///{folder}/fettle.db"},
        "mail": {"host": "localhost", "security": "none"},
        "probing": {
            "interval": f"{course.interval}s",
            "timeout": f"{min(course.interval, 10)}s",
            "allow_networks": ["127.0.0.0/8"],
        },
        "clients": [
            {"slug": f"client-{n}", "name": f"Client {n}", "sites": sites[n * 50 : n * 50 + 50]}
            for n in range(-(-len(sites) // 50))
        ],
    }


def plain_httpx(course: Course, folder: Path) -> Running:
    """Run plain httpx with a shared client."""
    urls = folder / "urls"
    urls.write_text("\n".join(course.websites.urls), encoding="ascii")
    command = [sys.executable, "-m", "tests.bench.httpx_process", course.websites.authorities]
    command += [str(course.pace), urls]
    return _running(httpx=Measured(command, folder=folder, environ={"PYTHONPATH": str(ROOT)}))


def blackbox(course: Course, folder: Path) -> Running:
    """Run blackbox_exporter with its usual HTTP module, and a Prometheus that drives it."""
    exporter_port, prometheus_port = _ports()
    module = {"prober": "http", "timeout": "10s", "http": {"preferred_ip_protocol": "ip4"}}
    (folder / "blackbox.yml").write_text(yaml.safe_dump({"modules": {"http_2xx": module}}))
    (folder / "targets.json").write_text(json.dumps([{"targets": list(course.websites.urls)}]))
    exporter = f"127.0.0.1:{exporter_port}"
    job = {
        "job_name": "blackbox",
        "metrics_path": "/probe",
        "params": {"module": ["http_2xx"]},
        "scrape_interval": f"{course.interval}s",
        "scrape_timeout": f"{min(course.interval, 10)}s",
        "file_sd_configs": [{"files": ["targets.json"]}],
        "relabel_configs": [
            {"source_labels": ["__address__"], "target_label": "__param_target"},
            {"source_labels": ["__param_target"], "target_label": "instance"},
            {"target_label": "__address__", "replacement": exporter},
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": [job]}))
    return _running(
        blackbox=Measured(
            [
                "prometheus-blackbox-exporter",
                f"--config.file={folder}/blackbox.yml",
                f"--web.listen-address={exporter}",
            ],
            folder=folder,
            # the system's own place for authorities, so that they are read once and not per probe
            environ={"SSL_CERT_FILE": str(course.websites.authorities)},
        ),
        prometheus=Measured(
            [
                "prometheus",
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/prometheus",
                f"--web.listen-address=127.0.0.1:{prometheus_port}",
            ],
            folder=folder,
        ),
    )


def _ports() -> tuple[int, int]:
    import socket

    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def bare_c(course: Course, folder: Path, *, library: Path | None = None) -> Running:
    """Run the bare C program; ``library`` is the folder of an OpenSSL to use, not the system's."""
    program = folder / "bare_probe"
    source = Path(__file__).with_name("bare_probe.c")
    subprocess.run(["gcc", "-O2", "-o", program, source, "-lssl", "-lcrypto"], check=True)
    environ = {} if library is None else {"LD_LIBRARY_PATH": str(_as_system(library, folder))}
    command = [program, course.websites.authorities, str(course.pace), *course.websites.urls]
    return _running(bare_c=Measured(command, folder=folder, environ=environ))


def _as_system(library: Path, folder: Path) -> Path:
    """Return a folder in which a wheel's OpenSSL goes by the names that programs look for."""
    named = folder / "openssl"
    named.mkdir()
    for name in ("libssl", "libcrypto"):
        (found,) = library.glob(f"{name}-*.so.3")
        (named / f"{name}.so.3").symlink_to(found)
    return named


def openssl_of_pycurl() -> Path | None:
    """Return the folder of the OpenSSL that pycurl's wheel brings, None if it brings none."""
    import pycurl

    library = Path(pycurl.__file__).parent.with_name("pycurl.libs")
    return library if any(library.glob("libssl-*.so.3")) else None


def is_installed(*programs: str) -> bool:
    """Tell whether all ``programs`` can be run."""
    return all(shutil.which(program) for program in programs)
