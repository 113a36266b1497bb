"""``fettle probe`` on a real terminal: its width, its colours, its encoding."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

from monitor.commands.screen import width_of

PROBE = [sys.executable, "-m", "monitor", "probe", "http://127.0.0.1:1/"]
ALLOW = ["--allow-network", "127.0.0.0/8"]
COLOUR = re.compile("\x1b\\[[0-9;]*m")


def on_a_terminal(folder: Path, *, columns: int, **environ: str) -> tuple[int, str]:
    """Return the exit code of a probe, and what a terminal of so many columns was given."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment = plain | {"PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm"} | environ
    with subprocess.Popen(
        [*PROBE, *ALLOW], stdout=theirs, stderr=theirs, cwd=folder, env=environment
    ) as process:
        os.close(theirs)
        written = b""
        try:
            while piece := os.read(ours, 65536):
                written += piece
        except OSError:  # how Linux says that the other end has closed
            pass
        code = process.wait()
    os.close(ours)
    return code, written.decode("utf-8").replace("\r\n", "\n")


def test_nothing_is_wider_than_the_terminal(tmp_path: Path) -> None:
    columns = 42
    code, text = on_a_terminal(tmp_path, columns=columns, PYTHONIOENCODING="utf-8")
    assert code == 1
    assert text.startswith("\x1b[31m■ Down\x1b[0m  ")
    lines = [COLOUR.sub("", line) for line in text.splitlines()]
    assert "connect_refused: " in lines[1]
    assert all(width_of(line) <= columns for line in lines)
    assert max(map(width_of, lines)) > columns - 4
    assert "█" in text


def test_no_colour_and_no_shapes_where_they_are_not_wanted(tmp_path: Path) -> None:
    code, text = on_a_terminal(tmp_path, columns=80, NO_COLOR="1", PYTHONIOENCODING="ascii")
    assert code == 1
    assert text.startswith("Down  http://127.0.0.1:1/\n")
    assert text.isascii()
    assert "\x1b" not in text
    assert "?" not in text
    assert "#" in text
