"""The processes of docker-compose.yml without containers: its commands, settings and files.

What differs is what a container would give: paths of mounted files, names of other services, where
to listen. Grafana, PostgreSQL and Mailpit are not started here, nor is any image built.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.prometheus import ROOT, real
from tests.system.running import HTTP, eventually, free_port

pytestmark = pytest.mark.timeout(300)

SERVICES: Mapping[str, Mapping[str, Any]] = yaml.safe_load(
    (ROOT / "docker-compose.yml").read_text()
)["services"]
INSIDE = {"fettle": 8080, "prometheus": 9090, "alertmanager": 9093}
"""The ports at which the services reach each other."""


@dataclass
class Stack:
    """The services as processes, each at a port of this host in place of its own name."""

    folder: Path
    ports: Mapping[str, int] = field(default_factory=lambda: {name: free_port() for name in INSIDE})
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def here(self, text: str) -> str:
        """Return what the compose file says as it is without containers."""
        text = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", text)
        for name, port in INSIDE.items():
            address = f"127.0.0.1:{self.ports[name]}"
            text = re.sub(rf"\b(0\.0\.0\.0|127\.0\.0\.1|{name}):{port}\b", address, text)
        for path in ("/etc/fettle", "/run/secrets", "/prometheus", "/alertmanager"):
            text = re.sub(rf"(^|=|\s){path}(/|$)", rf"\g<1>{self.folder}{path}\2", text)
        return text

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def mount(self, name: str) -> None:
        """Put what the service mounts where it looks for it, with the addresses of here."""
        for mount in SERVICES[name]["volumes"]:
            source, target, *_ = mount.split(":")
            if not source.startswith("./"):
                continue
            place = self.folder / target.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place, dirs_exist_ok=True)
            else:
                shutil.copy(ROOT / source, place)
        for file in (self.folder / "etc").rglob("*.yml"):
            if "rules" not in file.parts:
                file.write_text(self.here(file.read_text()))

    def environ(self, name: str) -> dict[str, str]:
        given = SERVICES[name].get("environment", {})
        return {**os.environ, **{key: self.here(value) for key, value in given.items()}}

    def start(self, name: str, *words: str) -> None:
        """Start the command of a service: ``words`` are what its image puts before it and here."""
        command = [*words, *map(self.here, SERVICES[name]["command"])]
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                command, env=self.environ(name), cwd=self.folder, stdout=log, stderr=log
            )

    def is_well(self, name: str, *words: str) -> bool:
        """Ask what the compose file asks; ``words`` stand for the program where that differs."""
        _, program, *rest = SERVICES[name]["healthcheck"]["test"]
        command = [*(words or [program]), *map(self.here, rest)]
        asked = subprocess.run(command, env=self.environ(name), capture_output=True, check=False)
        return asked.returncode == 0

    def answers(self, name: str, path: str) -> bool:
        """Tell whether a page answers well; fails when the process has ended."""
        log = (self.folder / f"{name}.log").read_text(errors="replace")
        assert self.processes[name].poll() is None, log
        try:
            return HTTP.get(self.url(name) + path).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(120)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(tmp_path)
    secrets = tmp_path / "run" / "secrets"
    secrets.mkdir(parents=True)
    token = secrets / "alert_token"
    token.touch(mode=0o600)
    token.write_text("b" * 64)
    for name in ("fettle", "alertmanager", "prometheus"):
        stack.mount(name)
    yield stack
    stack.stop()


def test_they_find_each_other_and_an_alert_becomes_known(stack: Stack) -> None:
    fettle = (sys.executable, "-m", "monitor")
    # The shipped configuration keeps its store in data/, which is a volume of the image.
    (stack.folder / "data").mkdir()
    listen = [f"--web.listen-address=127.0.0.1:{stack.ports[name]}" for name in INSIDE]
    for name, *words in (
        ("fettle", *fettle),
        ("alertmanager", real("prometheus-alertmanager", "alertmanager"), listen[2]),
        ("prometheus", real("prometheus"), listen[1]),
    ):
        stack.start(name, *words)
    eventually(lambda: stack.answers("fettle", "/-/ready"), within=180, what="Fettle")
    eventually(lambda: stack.answers("alertmanager", "/-/ready"), what="Alertmanager")
    assert stack.is_well("fettle", *fettle)
    assert stack.is_well("alertmanager", real("amtool"))

    def ups() -> Sequence[Any]:
        found = HTTP.get(f"{stack.url('prometheus')}/api/v1/query", params={"query": "up == 1"})
        return found.json()["data"]["result"]

    eventually(lambda: len(ups()) == len(INSIDE), within=180, what="every job to be up")
    assert {series["metric"]["job"] for series in ups()} == {
        "blackbox",
        "prometheus",
        "alertmanager",
    }
    found = HTTP.get(f"{stack.url('prometheus')}/api/v1/alertmanagers").json()["data"]
    assert [each["url"] for each in found["activeAlertmanagers"]] == [
        f"{stack.url('alertmanager')}/api/v2/alerts"
    ]
    posted = HTTP.post(
        f"{stack.url('alertmanager')}/api/v2/alerts",
        json=[{"labels": {"alertname": "Watchdog", "severity": "none"}}],
    )
    assert posted.status_code == 200
    counted = re.compile(
        r'^fettle_alerts_received_total\{source="prometheus",status="firing"\} [1-9]', re.MULTILINE
    )
    eventually(
        lambda: counted.search(HTTP.get(f"{stack.url('fettle')}/metrics").text),
        within=180,
        what="the alert to reach Fettle",
    )
