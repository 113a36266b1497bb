"""Processes measured from outside: processor time and memory, as the kernel counts them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A measured process has ended by itself, or did not get going."""


class Measured:
    """A process under measurement; its output goes to a file beside its work."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        folder: Path,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._name = Path(command[0]).name
        self._output = folder / f"{self._name}.out"
        with self._output.open("ab") as output:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                cwd=folder,
                env={**os.environ, **(environ or {})},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
            )

    def cpu_seconds(self) -> float:
        """Return the processor time, user and system, of all its threads until now."""
        self.check()
        stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / _TICKS

    def memory(self) -> tuple[int, int]:
        """Return its resident memory in bytes, now and at its highest."""
        self.check()
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        sizes = dict(line.split(":", 1) for line in status.splitlines())
        return tuple(int(sizes[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[return-value]

    def check(self) -> None:
        """Raise ``Failed`` with its last words if it has ended."""
        if self.process.poll() is not None:
            raise Failed(f"{self._name} ended with {self.process.returncode}: {self.output()}")

    def output(self) -> str:
        """Return the end of what it has printed."""
        return self._output.read_text(encoding="utf-8", errors="replace")[-2000:]

    def stop(self) -> None:
        """End it and wait for that."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def wait_for(look: Callable[[], bool], *, what: str, within: float = 60) -> None:
    """Wait until ``look`` is true; raises ``Failed`` after ``within`` seconds."""
    give_up = time.monotonic() + within
    while not look():
        if time.monotonic() > give_up:
            raise Failed(f"not within {within:g} s: {what}")
        time.sleep(0.1)
