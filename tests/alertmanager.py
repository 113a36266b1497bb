"""A real Alertmanager on loopback, with the file that Fettle ships, and alerts to hand to it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from tests.prometheus import ROOT, real
from tests.system.running import HTTP, eventually, free_port

SHIPPED = ROOT / "config" / "alertmanager.yml"


def lay_out(folder: Path, *, url: str, token: str) -> Path:
    """Write the shipped file to ``folder``, posting to ``url``, and return its path.

    It waits a second at most where the shipped one waits longer.
    """
    secret = folder / "secrets" / "alert_token"
    secret.parent.mkdir()
    secret.write_text(f"{token}\n")
    text = SHIPPED.read_text()
    for pattern, short in (
        (r"http://127\.0\.0\.1:8080(?=/api)", url),
        (r"group_wait: 10s", "group_wait: 0s"),
        (r"group_interval: 1m", "group_interval: 1s"),
        (r"repeat_interval: 4m", "repeat_interval: 2s"),
    ):
        text, count = re.subn(pattern, short, text)
        assert count, pattern
    file = folder / "alertmanager.yml"
    file.write_text(text)
    return file


@dataclass
class Alertmanager:
    """A real Alertmanager; ``peers`` are the cluster addresses of others."""

    config: Path
    storage: Path
    peers: Sequence[str] = ()
    port: int = field(default_factory=free_port)
    cluster_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def peer(self) -> str:
        return f"127.0.0.1:{self.cluster_port}"

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.process = subprocess.Popen(
            [
                real("prometheus-alertmanager", "alertmanager"),
                f"--config.file={self.config}",
                f"--storage.path={self.storage}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                f"--cluster.listen-address={self.peer}",
                f"--cluster.advertise-address={self.peer}",
                "--cluster.settle-timeout=1s",
                "--cluster.peer-timeout=100ms",
                "--cluster.reconnect-interval=1s",
                *(f"--cluster.peer={peer}" for peer in self.peers),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(self._is_ready, what="Alertmanager to be ready")

    def _is_ready(self) -> bool:
        try:
            return HTTP.get(f"{self.url}/-/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def tell(self, name: str, *, ended: bool = False, begun: datetime, **labels: str) -> None:
        """Tell it of an alert as Prometheus does: one that fires, or one that has ended."""
        alert: dict[str, Any] = {
            "labels": {"alertname": name, **labels},
            "annotations": {"summary": f"{name} is wrong"},
            "startsAt": begun.isoformat(),
            "generatorURL": "http://prometheus.test/graph",
        }
        if ended:
            alert["endsAt"] = datetime.now(UTC).isoformat()
        answer = HTTP.post(f"{self.url}/api/v2/alerts", json=[alert], timeout=10)
        assert answer.status_code == 200, answer.text

    def stop(self) -> None:
        """Stop it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(120)
