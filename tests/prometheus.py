"""A real Prometheus on loopback, with the files that Fettle ships, and a service for it to scrape.

``scraped`` is a fixture of ``tests/system``: one service with sites in every state and one
Prometheus that has scraped it, shared by all tests that ask for it. What the shipped configuration
is changed in for it stands in ``lay_out``: how often it scrapes, and the files that hold addresses.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.loopback import Authorities
from tests.smtp import Postbox
from tests.system.running import Service, eventually, free_port

ROOT = Path(__file__).parents[1]
SCRAPE_SECONDS = 1


def real(*names: str) -> str:
    """Return the path of a program of Debian's; skip the test where none of ``names`` is there.

    With CI=true its absence is a failure.
    """
    for name in names:
        found = shutil.which(name)
        if found is not None:
            return found
    reason = f"{names[0]} is not on this machine; Debian's package brings it"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def lay_out(folder: Path, **targets: str) -> Path:
    """Lay out the shipped configuration of Prometheus in ``folder`` and return its path.

    It is the file itself, with the rules it names, but for two things: it scrapes and evaluates
    every second, and ``targets`` (``fettle="127.0.0.1:1"``) are the addresses; whatever is not
    named there has none.
    """
    shutil.copytree(ROOT / "config", folder / "config", dirs_exist_ok=True)
    shutil.copytree(ROOT / "dashboards", folder / "dashboards", dirs_exist_ok=True)
    config = folder / "config" / "prometheus.yml"
    text = config.read_text()
    for slow in ("scrape_interval: 15s", "scrape_timeout: 10s", "evaluation_interval: 15s"):
        assert text.count(slow) == 1, slow
        text = text.replace(slow, f"{slow.partition(':')[0]}: {SCRAPE_SECONDS}s")
    config.write_text(text)
    for file in (folder / "config" / "targets").glob("*.yml"):
        address = targets.get(file.stem)
        file.write_text(yaml.safe_dump([{"targets": [address]}] if address else []))
    return config


@dataclass
class Prometheus:
    """A real Prometheus, and what it answers."""

    config: Path
    storage: Path
    port: int = field(default_factory=free_port)
    flags: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = None
    _http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=20))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        with (self.storage.parent / "prometheus.log").open("wb") as log:
            self.process = subprocess.Popen(
                [
                    real("prometheus"),
                    f"--config.file={self.config}",
                    f"--storage.tsdb.path={self.storage}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--web.enable-lifecycle",
                    "--log.level=warn",
                    *self.flags,
                ],
                stderr=log,
            )
        eventually(self._is_ready_or_dead, what="Prometheus to be ready")

    def stop(self) -> None:
        """Stop it in order."""
        self._http.close()
        if self.process is not None:
            self.process.terminate()
            self.process.wait(120)

    def get(self, path: str, **parameters: str) -> Any:
        """Return what ``/api/v1/...`` answers as data; a refusal fails the test."""
        answer = self._http.get(f"{self.url}/api/v1/{path}", params=parameters)
        document = answer.json()
        assert document["status"] == "success", (parameters, document)
        return document["data"]

    def query(self, expression: str) -> Sequence[Mapping[str, Any]]:
        """Return the series that an expression has now; a scalar is one without labels."""
        found = self.get("query", query=expression)
        if found["resultType"] in {"scalar", "string"}:
            return [{"metric": {}, "value": found["result"]}]
        return found["result"]

    def value(self, expression: str) -> float:
        """Return the value of the one series that the expression has."""
        [series] = self.query(expression)
        return float(series["value"][1])

    def _is_ready_or_dead(self) -> bool:
        assert self.process is not None
        log = self.storage.parent / "prometheus.log"
        assert self.process.poll() is None, log.read_text(errors="replace")
        try:
            return self._http.get(f"{self.url}/-/ready").status_code == 200
        except httpx.TransportError:
            return False


class Sites:
    """Clients' websites in threads: well over TLS, redirecting, slow, broken, and one port dead."""

    def __init__(self, folder: Path) -> None:
        authorities = Authorities(folder)
        self.ca_file = authorities.file
        self.slow_seconds = 1.3
        sites = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path == "/slow":
                    time.sleep(sites.slow_seconds)
                status = {"/broken": 503, "/moved": 302}.get(path, 200)
                body = b"<html><title>Book a room</title>Welcome</html>"
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", f"{sites.secure}/")
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Last-Modified", "Tue, 03 Mar 2026 10:00:00 GMT")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the same)
                """Say nothing."""

        self._servers = [_Server(Handler), _Server(Handler, authorities.tls("127.0.0.1"))]
        self.plain, self.secure = (server.url for server in self._servers)
        self.dead = f"http://127.0.0.1:{free_port()}"

    def close(self) -> None:
        """Serve no more."""
        for server in self._servers:
            server.close()

    def settings(self) -> list[dict[str, Any]]:
        """Return the clients with their sites, as the configuration has them."""

        def site(slug: str, name: str, url: str, **more: Any) -> dict[str, Any]:
            return {"slug": slug, "name": name, "url": url, "ca_file": self.ca_file, **more}

        def contacts(who: str) -> list[dict[str, Any]]:
            return [{"name": f"{who} office", "email": f"office@{who}.test"}]

        return [
            {
                "slug": "harbour",
                "name": "Harbour Inns",
                "contacts": contacts("harbour"),
                "sites": [
                    site("booking", "Booking site", f"{self.secure}/"),
                    site("old-booking", "Old address", f"{self.plain}/moved"),
                    site("rooms", "Rooms", f"{self.plain}/slow"),
                ],
            },
            {
                "slug": "moss",
                "name": "Moss Theatre",
                "contacts": contacts("moss"),
                "sites": [
                    site("tickets", "Tickets", f"{self.plain}/broken"),
                    site("foyer", "Foyer", f"{self.dead}/"),
                    site("words", "Words", f"{self.plain}/", keyword="Pantomime"),
                ],
            },
        ]


class _Server(ThreadingHTTPServer):
    """One listening server with a thread of its own."""

    daemon_threads = True

    def __init__(
        self, handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server_port}"
        if tls is not None:
            # The handshake belongs to the thread of the request, not to the one that listens.
            self.socket = tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self.serve_forever, name="websites")
        self._thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Let a visitor go who went away."""

    def close(self) -> None:
        """Serve no more."""
        self.shutdown()
        self.server_close()
        self._thread.join()


@dataclass
class Scraped:
    """A service with sites in every state, and a Prometheus that scrapes it."""

    folder: Path
    sites: Sites
    postbox: Postbox
    service: Service
    prometheus: Prometheus


def write_config(service: Service, sites: Sites) -> None:
    """Write the configuration of the service: two clients with ``sites``, probed quickly."""
    service.write_config()
    document = yaml.safe_load(service.config.read_text())
    document["clients"] = sites.settings()
    document["service"] = {"heartbeat_url": f"{sites.plain}/beat", "heartbeat_every": "10s"}
    document["probing"] |= {"confirm_slow": 2, "confirm_down": 2}
    service.config.write_text(yaml.safe_dump(document))


@contextlib.contextmanager
def scraping(folder: Path) -> Iterator[Scraped]:
    """Start the service and Prometheus; yields once incidents are open and scraped."""
    real("prometheus")
    with contextlib.ExitStack() as stack:
        sites = Sites(folder)
        stack.callback(sites.close)
        postbox = stack.enter_context(Postbox())
        service = Service(folder, f"sqlite:///{folder}/fettle.db", sites.plain, postbox.port)
        write_config(service, sites)
        stack.callback(service.stop)
        service.start()
        config = lay_out(folder, fettle=f"127.0.0.1:{service.port}")
        prometheus = Prometheus(config, folder / "prometheus")
        stack.callback(prometheus.stop)
        prometheus.start()
        eventually(
            lambda: (
                prometheus.query("fettle_incident_open == 1")
                and len(prometheus.query("probe_success"))
                == len([site for client in sites.settings() for site in client["sites"]])
            ),
            within=180,
            what="every site to be seen, and an incident",
        )
        yield Scraped(folder, sites, postbox, service, prometheus)
