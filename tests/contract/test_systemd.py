"""The systemd unit: what it must say, and what systemd itself says of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "config" / "systemd" / "fettle.service"
SECRETS = UNIT.parent / "fettle.service.d" / "secrets.conf"

MUST_SAY = {
    "Type": "notify",
    "WatchdogSec": "60",
    "DynamicUser": "yes",
    "StateDirectory": "fettle",
    "ProtectSystem": "strict",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ExecReload": "/bin/kill -HUP $MAINPID",
    "Restart": "on-failure",
}


def settings(unit: Path, section: str) -> Mapping[str, Sequence[str]]:
    """Return what a section of a unit sets; a name may occur several times."""
    found: dict[str, list[str]] = {}
    current = ""
    for line in unit.read_text().splitlines():
        if line.startswith("["):
            current = line.strip("[]")
        elif current == section and "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_it_is_hardened_watched_and_checked_before_it_starts() -> None:
    service = settings(UNIT, "Service")
    assert {name: service.get(name) for name in MUST_SAY} == {
        name: [value] for name, value in MUST_SAY.items()
    }
    [start] = service["ExecStart"]
    assert service["ExecStartPre"] == [start.replace(" run", " check-config")]
    assert int(service["TimeoutStopSec"][0]) > 10  # a stop may take ten seconds


def test_secrets_are_credentials_and_never_in_the_environment() -> None:
    service = settings(SECRETS, "Service")
    for variable in service["Environment"]:
        name, _, value = variable.partition("=")
        assert name.endswith("_FILE")
        assert value.startswith("%d/")
        assert any(each.startswith(f"{value[3:]}:/") for each in service["LoadCredential"])
    assert not [v for v in settings(UNIT, "Service")["Environment"] if "PASSWORD" in v]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The unit as it would stand on a machine that has the command."""
    unit = tmp_path / "fettle.service"
    command = str(Path(sys.executable).with_name("fettle"))
    unit.write_text(UNIT.read_text().replace("/opt/fettle/bin/fettle", command))
    return unit


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not on this machine, which runs without systemd")
    return subprocess.run([program, *words], capture_output=True, text=True, check=False)


def test_systemd_takes_it(installed: Path) -> None:
    checked = analyze("verify", "--man=no", str(installed))
    # Other units of the machine may have faults of their own.
    assert "fettle.service" not in checked.stderr + checked.stdout


def test_systemd_finds_little_exposed(installed: Path) -> None:
    checked = analyze("security", "--offline=true", "--threshold=25", str(installed))
    assert checked.returncode == 0, checked.stdout[-800:] + checked.stderr
