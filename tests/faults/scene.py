"""The stage of the fault tests: many sites on one server, a service to harm, a name server."""

from __future__ import annotations

import os
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from sqlmodel import select

from monitor.tables import IncidentRow, SightingRow
from tests.smtp import Postbox
from tests.stores import open_store
from tests.system.running import Service, eventually
from tickets.tables import MessageRow, TicketRow

LEAD = "lead@agency.test"
DUTY = "duty@agency.test"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512


class Crowd:
    """Many sites on one loopback server: ``/site-1`` and so on; can be slow, silent or gone.

    ``latency`` is in seconds; ``seen`` holds for each path when it was asked (monotonic clock).
    """

    def __init__(self) -> None:
        self.latency = 0.0
        self.seen: dict[str, list[float]] = {}
        self._server: _Server | None = None
        self.port = 0
        self.open()

    def open(self) -> None:
        """Serve, at the same port as before."""
        crowd = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                crowd.seen.setdefault(self.path, []).append(time.monotonic())
                time.sleep(crowd.latency)
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            do_HEAD = do_GET  # noqa: N815 (http.server names it so)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the same)
                """Say nothing."""

            def handle(self) -> None:
                """Overlook who hangs up."""
                try:
                    super().handle()
                except OSError:
                    return

        self._server = _Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, name="crowd", daemon=True).start()

    def close(self) -> None:
        """Serve no more: connections are refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def url(self, name: str = "", *, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/{name}"


class NameServer:
    """A name server on 127.0.0.77:53 that knows every name as 127.0.0.1, until it falls silent."""

    ADDRESS = "127.0.0.77"

    def __init__(self) -> None:
        self.is_silent = False
        server = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                asked, own = self.request
                if not server.is_silent:
                    own.sendto(_answer(asked), self.client_address)

        self._server = socketserver.ThreadingUDPServer((self.ADDRESS, 53), Handler)
        threading.Thread(target=self._server.serve_forever, name="names", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _answer(asked: bytes) -> bytes:
    end = asked.index(b"\0", 12) + 5
    question = asked[12:end]
    is_address = question[-4:-2] == b"\0\1"
    head = asked[:2] + b"\x81\x80" + struct.pack("!HHHH", 1, int(is_address), 0, 0)
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 0, 4) + socket.inet_aton("127.0.0.1")
    return head + question + (record if is_address else b"")


@dataclass
class Harmed(Service):
    """``fettle run`` with many sites, started behind a command and an environment of its own."""

    sites: Sequence[Mapping[str, Any]] = ()
    probing: Mapping[str, Any] = field(default_factory=dict[str, Any])
    before: Sequence[str] = ()
    environ: Mapping[str, str] = field(default_factory=dict[str, str])

    def write_config(self) -> None:
        """Write the usual configuration with our sites, lead and duty."""
        super().write_config()
        document = yaml.safe_load(self.config.read_text())
        document["probing"] |= self.probing
        document["clients"][0]["sites"] = list(self.sites)
        document["staff_channels"] = {"duty": [f"mailto://{DUTY}"], "lead": [f"mailto://{LEAD}"]}
        self.config.write_text(yaml.safe_dump(document))

    def start(self) -> None:
        """Start the service behind ``before`` and wait until it is ready."""
        self.process = subprocess.Popen(
            [*self.before, sys.executable, "-m", "monitor", "run", "--config", str(self.config)],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.environ},
        )
        self._reader = threading.Thread(target=self._read, args=(self.process,), name="log")
        self._reader.start()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until the service says that it is ready; a loaded machine may take its time."""
        eventually(self.is_ready, within=180, what="the service to be ready")

    def kill_prober(self) -> None:
        """Kill the prober and wait until the supervisor has started another."""
        pid = self.pid("prober")
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: self.pid("prober") != pid, what="a new prober")

    def suspend(self, seconds: float, *roles: str) -> None:
        """Stop the processes of ``roles`` for so many seconds, as a debugger or a host would."""
        pids = [self.pid(role) for role in roles]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    def events(self, name: str) -> Sequence[Mapping[str, Any]]:
        return [line for line in self.lines if line.get("event") == name]


class Stage:
    """All that a fault test needs, and what it wants to know afterwards."""

    def __init__(self, folder: Path, store_url: str) -> None:
        self.folder, self.store_url = folder, store_url
        self.crowd, self.canary = Crowd(), Crowd()
        self.postbox = Postbox()
        self.postbox.start()
        self.store = open_store(store_url)
        self.service: Harmed | None = None

    def run(
        self,
        sites: int,
        *,
        before: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        host: Callable[[int], str] = lambda _number: "127.0.0.1",
        **probing: Any,
    ) -> Harmed:
        """Start the service with so many sites and wait until each of them was seen up."""
        self.service = Harmed(
            self.folder,
            self.store_url,
            "",
            self.postbox.port,
            sites=[
                {
                    "slug": f"site-{number}",
                    "name": f"Site {number}",
                    "url": self.crowd.url(f"site-{number}", host=host(number)),
                }
                for number in range(sites)
            ],
            probing=probing,
            before=before,
            environ=environ or {},
        )
        self.service.write_config()
        self.service.start()
        eventually(lambda: self.verdicts()["up"] == sites, what="all sites to be up", within=180)
        return self.service

    def close(self) -> None:
        process = self.service and self.service.process
        if self.service is not None and process is not None and process.poll() is None:
            self.service.stop()
        self.store.close()
        self.postbox.stop()
        self.crowd.close()
        self.canary.close()

    def verdicts(self) -> Counter[str]:
        """Count the sites by what was settled on."""
        return Counter(str(row.settled) for row in self.rows(SightingRow))

    def counts(self) -> dict[str, int]:
        """Return how many observations came to which verdict, over all sites."""
        rows = self.rows(SightingRow)
        names = ("up", "slow", "down", "unknown", "missed")
        return {name: sum(getattr(row, f"{name}_count") for row in rows) for name in names}

    def causes(self) -> Counter[str]:
        """Count the sites by the cause of their last observation."""
        return Counter(str(row.cause) for row in self.rows(SightingRow))

    def rows(self, table: type[Any]) -> list[Any]:
        return list(self.store.read(lambda tx: tx.exec(select(table)).all()))

    def assert_no_alarm(self) -> None:
        """No ticket, no incident, and no client heard anything."""
        assert self.rows(TicketRow) == []
        assert self.rows(IncidentRow) == []
        assert {row.audience for row in self.rows(MessageRow)} <= {"staff"}

    def notices(self) -> Counter[str]:
        """Count the messages written, by notice."""
        return Counter(row.notice.value for row in self.rows(MessageRow))
