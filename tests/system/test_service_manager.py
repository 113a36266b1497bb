"""The service under a service manager: ready, alive, reloading and stopping, as it is told."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.running import Service, Website, eventually

pytestmark = pytest.mark.timeout(300)


class Manager:
    """A service manager's end of the notification socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        self.said: list[str] = []

    def has_said(self, word: str) -> bool:
        """Tell whether a message that begins with ``word`` came since the last ``forget``."""
        while True:
            try:
                self.said.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return any(message.startswith(word) for message in self.said)

    def forget(self) -> None:
        self.has_said("")
        self.said.clear()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    path = tmp_path / "notify"
    manager = Manager(path)
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    yield manager
    manager.close()


def test_it_reports_what_its_roles_do(manager: Manager, tmp_path: Path) -> None:
    website = Website()
    service = Service(tmp_path, f"sqlite:///{tmp_path}/fettle.db", website.url, 9)
    service.write_config()
    try:
        service.start()
        eventually(lambda: manager.has_said("READY=1"), what="ready")
        eventually(lambda: manager.has_said("WATCHDOG=1"), what="a sign of life")
        prober = service.pid("prober")
        os.kill(prober, signal.SIGSTOP)  # its tick stands still; the process lives on

        def is_silent() -> bool:
            manager.forget()
            return not eventually_said(manager)

        eventually(is_silent, what="silence")
        os.kill(prober, signal.SIGCONT)
        eventually(lambda: manager.has_said("WATCHDOG=1"), what="a sign of life again")
        assert service.process is not None
        manager.forget()
        service.process.send_signal(signal.SIGHUP)
        eventually(lambda: manager.has_said("RELOADING=1"), what="the reload")
        eventually(lambda: manager.has_said("READY=1"), what="ready after the reload")
        assert service.stop() == 143
        assert manager.has_said("STOPPING=1")
    finally:
        if service.process is not None and service.process.poll() is None:
            service.stop()
        website.close()


def test_one_role_alone_reports_and_reloads_too(manager: Manager, tmp_path: Path) -> None:
    service = Service(tmp_path, f"sqlite:///{tmp_path}/fettle.db", "http://127.0.0.1:9/", 9)
    service.write_config()
    words = [sys.executable, "-m", "monitor", "run", "--role", "delivery"]
    process = subprocess.Popen([*words, "--config", str(service.config)])
    try:
        eventually(lambda: manager.has_said("READY=1"), what="ready")
        manager.forget()
        process.send_signal(signal.SIGHUP)
        eventually(lambda: manager.has_said("RELOADING=1"), what="the reload")
        eventually(lambda: manager.has_said("READY=1"), what="ready after the reload")
    finally:
        process.terminate()
        assert process.wait(60) == 143


def eventually_said(manager: Manager) -> bool:
    """Tell whether a sign of life comes within two of its periods."""
    try:
        return eventually(lambda: manager.has_said("WATCHDOG=1"), within=2)
    except AssertionError:
        return False
