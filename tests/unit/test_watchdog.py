"""What the service manager is told: to whom it goes, when, and when nothing more is said."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.notify_socket import NotifySocket
from monitor.pulse import Pulse, Pulses
from monitor.watchdog import Watchdog
from tests.clocks import FakeClock


class Manager:
    """A service manager's end of the socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1))
        self._socket.setblocking(False)

    def said(self) -> list[str]:
        """Return the messages that came since the last time."""
        messages: list[str] = []
        while True:
            try:
                messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    path = f"{tmp_path}/notify"
    manager = Manager(path if request.param == "path" else f"@fettle{path}")
    yield manager
    manager.close()


def a_watchdog(
    manager: Manager, clock: FakeClock, *roles: str, limit: float | None = 60
) -> Watchdog:
    return Watchdog(NotifySocket(manager.address, limit), roles or ("prober", "desk"), clock=clock)


def test_ready_is_told_once_when_every_role_is_up(manager: Manager, clock: FakeClock) -> None:
    watchdog = a_watchdog(manager, clock, limit=None)
    watchdog.look()
    watchdog.note("prober")
    watchdog.look()
    assert manager.said() == []
    watchdog.note("desk")
    watchdog.look()
    watchdog.look()
    assert manager.said() == ["READY=1\nSTATUS=Running: prober, desk"]


def test_a_tick_that_is_stuck_ends_the_pings_and_one_that_goes_on_resumes_them(
    manager: Manager, clock: FakeClock
) -> None:
    watchdog = a_watchdog(manager, clock)
    for role in ("prober", "desk"):
        watchdog.note(role)
    watchdog.look()
    assert manager.said()[1:] == ["WATCHDOG=1"]
    for _ in range(60):
        clock.advance(1)
        watchdog.note("desk")  # a desk that is well says nothing of the probes
        watchdog.look()
    assert manager.said() == []
    watchdog.note("prober")
    watchdog.look()
    assert manager.said() == ["WATCHDOG=1"]


def test_pings_come_four_times_as_often_as_is_asked(manager: Manager, clock: FakeClock) -> None:
    watchdog = a_watchdog(manager, clock, "prober")
    for _ in range(120):
        clock.advance(0.5)
        watchdog.note("prober")
        watchdog.look()
    assert manager.said().count("WATCHDOG=1") == 4


def test_a_role_alone_vouches_for_itself(manager: Manager, clock: FakeClock) -> None:
    watchdog = a_watchdog(manager, clock, "desk")
    watchdog.note("desk")
    watchdog.look()
    assert manager.said() == ["READY=1\nSTATUS=Running: desk", "WATCHDOG=1"]


def test_a_reload_is_told_and_then_ready_anew(manager: Manager, clock: FakeClock) -> None:
    watchdog = a_watchdog(manager, clock, "prober", limit=None)
    watchdog.note("prober")
    watchdog.look()
    watchdog.reloading()
    watchdog.look()
    assert [said.partition("\n")[0] for said in manager.said()] == ["READY=1", "RELOADING=1"]
    watchdog.note("prober")
    watchdog.look()
    watchdog.stopping()
    assert [said.partition("\n")[0] for said in manager.said()] == ["READY=1", "STOPPING=1"]


@pytest.mark.parametrize(
    ("environ", "address", "seconds"),
    [
        ({}, None, None),
        ({"WATCHDOG_USEC": "1000000"}, None, None),
        ({"NOTIFY_SOCKET": ""}, None, None),
        ({"NOTIFY_SOCKET": "/run/n"}, "/run/n", None),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "2500000"}, "@n", 2.5),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "5", "WATCHDOG_PID": "8"}, "@n", None),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "7"}, "@n", 5),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "0"}, "@n", None),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "soon"}, "@n", None),
        ({"NOTIFY_SOCKET": "vsock:2:1"}, None, None),
    ],
)
def test_the_environment_says_where_and_how_often(
    environ: dict[str, str], address: str | None, seconds: float | None
) -> None:
    assert NotifySocket.from_environ(environ, pid=7) == NotifySocket(address, seconds)


def test_a_manager_that_is_gone_or_does_not_listen_costs_nothing(tmp_path: Path) -> None:
    NotifySocket(f"{tmp_path}/nobody").tell("READY=1")
    NotifySocket().tell("READY=1")
    deaf = Manager(f"{tmp_path}/deaf")
    for _ in range(600):  # more than a socket holds
        NotifySocket(deaf.address).tell("WATCHDOG=1", "x" * 1000)
    deaf.close()


async def test_a_pulse_reaches_the_supervisor_with_the_name_of_its_role() -> None:
    came: list[str] = []
    noted = asyncio.Event()

    def note(role: str) -> None:
        came.append(role)
        noted.set()

    pulses = Pulses(note)
    with pulses.of("prober") as descriptor:
        pulse = Pulse(descriptor)
        pulse.beat()
        await asyncio.wait_for(noted.wait(), 60)
        for _ in range(70_000):  # a supervisor that does not read
            pulse.beat()
    assert came == ["prober"]
    pulses.close()
