"""``fettle`` called within the process of the tests, with a configuration and a clock of theirs."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from monitor.cli import main
from tests.clocks import FakeClock


class Ended(NamedTuple):
    """How a command ended: its exit code, and what it wrote to either stream."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON document that it printed."""
        return json.loads(self.out)


def call_fettle(
    words: Sequence[str],
    *,
    environ: Mapping[str, str],
    clock: FakeClock,
    capture: pytest.CaptureFixture[str],
) -> Ended:
    """Call ``fettle`` with ``words``, and nothing but ``environ`` around it."""
    capture.readouterr()
    code = main(words, environ=environ, clock=clock)
    out, err = capture.readouterr()
    return Ended(code, out, err)


@dataclass
class Fettle:
    """Calls ``fettle`` with one configuration; ``environ`` are variables beside its place."""

    config: Path
    clock: FakeClock
    capture: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch
    environ: dict[str, str] = field(default_factory=dict[str, str])

    def __call__(self, *words: str, stdin: str | io.StringIO = "") -> Ended:
        typed = io.StringIO(stdin) if isinstance(stdin, str) else stdin
        self.patch.setattr("sys.stdin", typed)
        environ = {"FETTLE_CONFIG": str(self.config), **self.environ}
        return call_fettle(words, environ=environ, clock=self.clock, capture=self.capture)

    @property
    def store_file(self) -> Path:
        """Where the tests keep an SQLite store."""
        return self.config.with_name("fettle.db")


def write_config(folder: Path, text: str) -> Path:
    """Write a configuration into ``folder`` as an operator would, and return its path."""
    config = folder / "fettle.yml"
    config.write_text(text, encoding="utf-8")
    config.chmod(0o640)
    return config
