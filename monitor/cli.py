"""The command ``fettle``: finds the command that is meant, calls it, turns errors into exit codes.

The only place that reads the process's environment. Arguments stand in
``monitor.commands.arguments``; what a command does stands in its own module below
``monitor.commands``, which is imported only when it is called.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import signal
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import NoReturn, TextIO, cast

from monitor.commands.arguments import build_parser
from monitor.commands.screen import OutputLost, Screen
from monitor.commands.surroundings import StoreNotReady, Surroundings, WrongUsage
from monitor.logs import set_up_logs
from tickets.clock import Clock, SystemClock
from tickets.errors import Misconfigured, ServiceError, Unavailable

DEFAULT_CONFIG = "config/fettle.yml"

GOOD = 0
REFUSED = 1
WRONG = 2
UNKNOWN = 3
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM

Command = Callable[[Surroundings, argparse.Namespace], int]


def main(
    argv: Sequence[str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> int:
    """Run ``fettle`` with ``argv`` (default: the process's own) and return its exit code.

    ``environ`` and ``clock`` are the process's and the host's unless given.
    """
    parser = build_parser()
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as end:  # argparse has told what is wrong, or has shown the help
        return end.code if isinstance(end.code, int) else WRONG
    if arguments.command is None:
        parser.print_help(sys.stderr)
        return WRONG
    surroundings = _surroundings(
        arguments,
        environ=os.environ if environ is None else environ,
        clock=clock or SystemClock(),
    )
    # What a command has to say it says on its screen; the service sets its own log up.
    set_up_logs(part="command", level=logging.ERROR, stream=surroundings.screen.errors)
    try:
        with _termination_ends_in_order():
            code = find_command(arguments.command)(surroundings, arguments)
            surroundings.screen.flush()
            return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except _Terminated:
        return TERMINATED
    except OutputLost as error:
        return _without_output(surroundings.screen, error)
    except ServiceError as error:
        surroundings.screen.flush()
        return _complain(surroundings.screen, error)


def find_command(calls: tuple[str, str]) -> Command:
    """Return the function that a parsed command calls; imports its module."""
    module, function = calls
    return cast("Command", getattr(import_module(f"monitor.commands.{module}"), function))


class _Terminated(BaseException):
    """SIGTERM has come."""


@contextmanager
def _termination_ends_in_order() -> Generator[None]:
    """Let SIGTERM unwind the command, as Ctrl-C does, so that it closes what it has open."""

    def end(_number: int, _frame: FrameType | None) -> NoReturn:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _surroundings(
    arguments: argparse.Namespace, *, environ: Mapping[str, str], clock: Clock
) -> Surroundings:
    named = arguments.config or environ.get("FETTLE_CONFIG")
    # A stream that the caller closed is None.
    streams = [stream or io.StringIO() for stream in (sys.stdin, sys.stdout, sys.stderr)]
    for stream in streams[1:]:
        if isinstance(stream, io.TextIOWrapper):  # a character that the terminal lacks is no fault
            stream.reconfigure(errors="replace")
    return Surroundings(
        screen=Screen(
            input=streams[0],
            output=streams[1],
            errors=streams[2],
            has_colour=_has_colour(streams[1], environ),
        ),
        environ=environ,
        clock=clock,
        config=Path(named or DEFAULT_CONFIG),
        is_named=bool(named),
    )


def _has_colour(output: TextIO, environ: Mapping[str, str]) -> bool:
    return output.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def _complain(screen: Screen, error: ServiceError) -> int:
    if isinstance(error, Misconfigured):
        for fault in error.faults:
            screen.complain(str(fault))
        return WRONG
    screen.complain(str(error))
    if isinstance(error, WrongUsage | StoreNotReady):
        return WRONG
    return UNKNOWN if isinstance(error, Unavailable) else REFUSED


def _without_output(screen: Screen, error: OutputLost) -> int:
    """End when nothing can be written: in silence if the reader, such as ``head``, has enough."""
    if not error.is_closed:
        screen.complain(str(error))
    with contextlib.suppress(OSError, ValueError):  # ValueError: a stream without a descriptor
        # What is still buffered would fail once more when Python closes the stream.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, screen.output.fileno())
        os.close(nowhere)
    return GOOD if error.is_closed else UNKNOWN
