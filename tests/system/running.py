"""The service as a process against real sites: started, watched, killed and started again."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
import yaml
from prometheus_client.parser import text_string_to_metric_families

Found = TypeVar("Found")

PASSWORD = "correct horse battery staple"

HTTP = httpx.Client(timeout=60, limits=httpx.Limits(max_keepalive_connections=0))
"""Asks services that come and go; to make a client costs more than its question."""

_FIRST_PORT = 10_000 + os.getpid() % 200 * 100
_PORTS = iter(range(_FIRST_PORT, _FIRST_PORT + 100))


def eventually(look: Callable[[], Found], *, within: float = 180, what: str = "") -> Found:
    """Return what ``look`` returns as soon as it is true; the service is another process.

    There is no event to await there, so it looks five times a second, and fails after ``within``.
    """
    give_up = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > give_up:
            raise AssertionError(f"not within {within:g} s: {what or look}; last seen: {found!r}")
        time.sleep(0.2)


def free_port() -> int:
    """Return a port that nobody listens at, and that nobody is given meanwhile.

    It lies below those that the system hands out by itself, in a part of this process's own, and no
    two calls return the same: a service may stop and find its port again.
    """
    for port in _PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is left to this process")


class Website:
    """A client's website on loopback that can be broken and mended."""

    def __init__(self) -> None:
        self.is_broken = False
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = b"<html><title>Book a room</title>Welcome</html>"
                self.send_response(503 if site.is_broken else 200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the same)
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, name="website")
        self._thread.start()

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@dataclass
class Service:
    """``fettle run`` with its children; every line that they log is kept."""

    folder: Path
    store_url: str
    site_url: str
    mail_port: int
    port: int = field(default_factory=free_port)
    lines: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    process: subprocess.Popen[str] | None = None
    _reader: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        return self.folder / "fettle.yml"

    def write_config(self) -> None:
        """Write the configuration: one client with two contacts and one site, probed quickly."""
        contacts = [
            {"name": "Anna Wright", "email": "anna@harbour.test"},
            {"name": "Ben Moss", "email": "ben@harbour.test"},
        ]
        self.config.touch(mode=0o600)  # the address of PostgreSQL may hold a password
        self.config.write_text(
            yaml.safe_dump(
                {
                    "agency": {
                        "name": "Bright Agency",
                        "url": "https://agency.test",
                        "mail_from": "support@agency.test",
                    },
                    "store": {"url": self.store_url},
                    "web": {"listen": f"127.0.0.1:{self.port}", "metrics_interval": "1s"},
                    "probing": {
                        "interval": "2s",
                        "timeout": "2s",
                        "slow_after": "1s",
                        "retry_after": "1s",
                        "confirm_slow": 100,
                        "allow_networks": ["127.0.0.0/8"],
                    },
                    "mail": {
                        "host": "127.0.0.1",
                        "port": self.mail_port,
                        "security": "none",
                        "merge_within": "0s",
                    },
                    "staff_channels": {"duty": ["mailto://duty@agency.test"]},
                    "clients": [
                        {
                            "slug": "harbour",
                            "name": "Harbour Inns",
                            "contacts": contacts,
                            "sites": [
                                {"slug": "booking", "name": "Booking site", "url": self.site_url}
                            ],
                        }
                    ],
                }
            )
        )

    def start(self) -> None:
        """Start the service and wait until it says that it is ready."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "monitor", "run", "--config", str(self.config)],
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self.process,), name="log")
        self._reader.start()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until the service says so; fails at once when it has ended."""

        def is_ready_or_dead() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.lines
            return self.is_ready()

        eventually(is_ready_or_dead, what="the service to be ready")

    def is_ready(self) -> bool:
        try:
            return HTTP.get(f"{self.url}/-/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> int:
        """Stop the service in order and return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(120)
        self._join()
        return code

    def kill(self) -> None:
        """Kill the supervisor and wait until its children have gone after it."""
        assert self.process is not None
        children = [self.pid(role) for role in ("prober", "desk")]
        self.process.kill()
        self.process.wait()
        for child in children:
            eventually(lambda child=child: not _is_alive(child), what="a child to stop")
        self._join()

    def kill_role(self, role: str) -> None:
        """Kill the process of one role and wait until the supervisor has started it again."""
        pid = self.pid(role)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: self.pid(role) != pid, what=f"a new {role}")
        self.wait_until_ready()

    def pid(self, role: str) -> int:
        """Return the process of ``role`` that was started last."""
        started = [
            line["pid"]
            for line in self.lines
            if line.get("event") == "supervisor.role_started" and line["role"] == role
        ]
        return started[-1]

    def metric(self, name: str, **labels: str) -> float | None:
        """Return the value of the series with at least ``labels``; None if there is none now."""
        try:
            page = HTTP.get(f"{self.url}/metrics", timeout=30).text
        except httpx.TransportError:  # the desk is just being started again
            return None
        for family in text_string_to_metric_families(_lines_of(name, page)):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return sample.value
        return None

    def fettle(self, *words: str, stdin: str = "") -> str:
        """Run a command of the CLI against the same configuration and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "monitor", *words, "--config", str(self.config)],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                self.lines.append({"event": "unreadable", "line": line})

    def _join(self) -> None:
        assert self._reader is not None
        assert self.process is not None
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()


def _lines_of(name: str, page: str) -> str:
    """Return the samples of ``name`` alone: to read the whole page costs more than to serve it."""
    lines = page.splitlines(keepends=True)
    return "".join(line for line in lines if line.startswith((f"{name}{{", f"{name} ")))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False  # it went while we looked


class Desk:
    """A browser at the desk: signs in and posts the forms that the pages show."""

    def __init__(self, url: str, *, email: str) -> None:
        self._http = httpx.Client(base_url=url, headers={"Origin": url}, timeout=60)
        answer = self._http.post("/sign-in", data={"email": email, "password": PASSWORD})
        assert answer.status_code == 303, answer.text

    def page(self, path: str) -> str:
        """Return a page's HTML."""
        answer = self._http.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.text

    def act(self, reference: str, action: str, **fields: str) -> None:
        """Post an action's form as the ticket's page shows it."""
        page = self.page(f"/tickets/{reference}?do={action}")
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
        answer = self._http.post(f"/tickets/{reference}/{action}", data={**hidden, **fields})
        assert answer.status_code == 303, answer.text

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
