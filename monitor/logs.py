"""Logging of a process: structured lines on standard error, for people on a terminal, else JSON."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import Processor


def set_up_logs(*, part: str, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send the process's log to ``stream``, standard error unless told otherwise.

    ``part`` names the process in every line.
    """
    target: TextIO = stream or sys.stderr
    is_terminal = target.isatty()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if is_terminal
        else [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(part=part)
    # Libraries speak through the standard library; only what is wrong is worth a line.
    logging.basicConfig(
        stream=target, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s"
    )
