"""Letters of the service: the agency's own before ours, proved at the start, faults counted.

A letter that does not work never keeps the service from starting: what it should say goes out in
our words, or as plain facts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import structlog

from monitor.jobs import Jobs
from monitor.settings import Settings
from tickets.letters import Letters
from tickets.letters.preview import find_broken, find_faults

log = structlog.get_logger()


class _Writing(Protocol):
    """A channel that writes letters and counts those that went out as plain facts."""

    letters_failed: int


def letters_folder(settings: Settings) -> Path | None:
    """Return the folder of the agency's own letters, if there is one."""
    return None if settings.mail.letters is None else Path(settings.mail.letters)


class LetterWatch:
    """Proves every letter once and counts those that fail later, as errors of the job ``mail``."""

    def __init__(self, letters: Letters, *, folder: Path | None, jobs: Jobs) -> None:
        self._letters = letters
        self._folder = folder
        self._jobs = jobs
        self._counted = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Write every letter with sample facts, log what does not work, then rest until ``stop``.

        A part of the service: what it finds ends nothing.
        """
        await asyncio.to_thread(self._prove)
        await stop.wait()

    def count(self, channels: Sequence[_Writing]) -> None:
        """Count what failed since the last call, in ``channels`` and in the agency's own letters.

        Call it on the event loop.
        """
        failed = self._letters.overrides_failed + sum(each.letters_failed for each in channels)
        if failed > self._counted:
            self._jobs.count("mail", "error", failed - self._counted)
            self._counted = failed

    def _prove(self) -> None:
        for fault in find_broken(Letters()):
            log.error("letters.letter_broken", fault=fault)
        if self._folder is None:
            return
        if not self._folder.is_dir():
            log.error("letters.folder_missing", folder=str(self._folder))
            return
        for fault in find_faults(self._folder):
            log.error(
                "letters.template_broken", file=fault.file, line=fault.line, fault=fault.message
            )
