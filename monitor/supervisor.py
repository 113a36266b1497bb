"""Starts the roles as processes of their own, starts the dead again, stops all in order.

A child holds the reading end of a pipe whose writing end only the supervisor has: should the
supervisor be killed, the pipe closes and every child stops by itself. Whatever a child was doing is
in the store, or is done again.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TextIO

import structlog

from monitor.pulse import Pulses
from monitor.reloading import Word
from tickets.clock import Clock

log = structlog.get_logger()

STOP_WITHIN = {"prober": 2.5, "desk": 7.0}
"""Seconds that each role gets to stop in order before it is killed; 10 together at the most."""

ROLES = tuple(STOP_WITHIN)
"""The roles that ``all`` stands for, in the order in which they stop."""

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 10.0
"""Seconds before a dead role is started again: doubled each time, forgotten after a calm minute."""

CALM_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How the command line of a role is made: the configuration and what was said beside it."""

    config: Path
    location: str
    listen: str | None = None
    holder: str = field(default_factory=lambda: secrets.token_hex(8))

    def command(self, role: str) -> list[str]:
        """Return the command that runs ``role`` as a supervised child."""
        words = [sys.executable, "-m", "monitor", "run", "--supervised", "--role", role]
        words += ["--config", str(self.config), "--location", self.location]
        words += ["--holder", self.holder]
        if self.listen is not None:
            words += ["--listen", self.listen]
        return words


class Command(Protocol):
    """Tells how a role is started."""

    def command(self, role: str) -> Sequence[str]:
        """Return the words of the command that runs ``role`` as a supervised child."""
        ...


class Supervisor:
    """Keeps one process per role running until it is told to stop.

    With ``note`` each is given a pipe for its signs of life, and ``note`` is called with the role;
    ``asked`` when one of them asks for a reload.
    """

    def __init__(
        self,
        roles: Sequence[str],
        launch: Command,
        *,
        clock: Clock,
        stderr: TextIO | None = None,
        note: Callable[[str], None] | None = None,
        asked: Callable[[], None] | None = None,
    ) -> None:
        self._pulses = None if note is None else Pulses(note, asked)
        self._roles = roles
        self._launch = launch
        self._clock = clock
        self._stderr = stderr
        self._children: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._told = b""

    async def run(self, stop: asyncio.Event) -> None:
        """Run the roles until ``stop`` is set."""
        keepers = [asyncio.create_task(self._keep(role)) for role in self._roles]
        try:
            await _until_first(stop, keepers)
        finally:
            self._stopping.set()
            for role in self._roles:
                await self._stop_child(role)
            await asyncio.gather(*keepers)
            if self._pulses is not None:
                self._pulses.close()

    async def _keep(self, role: str) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            started = self._clock.monotonic()
            child = await self._start(role)
            self._children[role] = child
            _say(child, self._told)
            log.info("supervisor.role_started", role=role, pid=child.pid)
            if self._stopping.is_set():
                # The stop came while the child was being started and has not seen it.
                await self._stop_child(role)
                return
            code = await child.wait()
            if self._stopping.is_set():
                return
            lived = self._clock.monotonic() - started
            pause = FIRST_PAUSE if lived > CALM_SECONDS or code == 0 else pause
            log.warning("supervisor.role_ended", role=role, pid=child.pid, code=code, pause=pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _start(self, role: str) -> asyncio.subprocess.Process:
        words, pipe = self._launch.command(role), asyncio.subprocess.PIPE
        if self._pulses is None:
            return await asyncio.create_subprocess_exec(*words, stdin=pipe, stderr=self._stderr)
        with self._pulses.of(role) as descriptor:
            return await asyncio.create_subprocess_exec(
                *words,
                "--pulse",
                str(descriptor),
                stdin=pipe,
                stderr=self._stderr,
                pass_fds=(descriptor,),
            )

    def pids(self) -> dict[str, int]:
        """Return the process of each role that runs now."""
        return {
            role: child.pid for role, child in self._children.items() if child.returncode is None
        }

    def tell(self, word: Word) -> None:
        """Tell every role how a reload went; those that are started later hear it all."""
        if word.is_kept:
            self._told += word
        for child in self._children.values():
            _say(child, word)

    async def restart(self) -> None:
        """Stop each role in order; it is started again at once, with the settings as they are."""
        for role in self._roles:
            await self._stop_child(role)

    async def _stop_child(self, role: str) -> None:
        child = self._children.get(role)
        if child is None or child.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        try:
            await asyncio.wait_for(child.wait(), STOP_WITHIN[role])
        except TimeoutError:
            log.warning("supervisor.role_killed", role=role, pid=child.pid)
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()


def _say(child: asyncio.subprocess.Process, word: bytes) -> None:
    if word and child.stdin is not None and not child.stdin.is_closing():
        child.stdin.write(word)


async def _until_first(stop: asyncio.Event, tasks: Sequence[asyncio.Task[None]]) -> None:
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
