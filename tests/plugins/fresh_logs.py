"""Lets no test inherit the log that another has set up.

A command run within the tests sets the process's log up on its own standard error, which pytest
closes with the test. Loggers remember where they wrote first, so whoever logged next would write
into a closed file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
import structlog
from structlog._config import BoundLoggerLazyProxy


@pytest.fixture(autouse=True)
def fresh_logs() -> Iterator[None]:
    """After the test, undo what it set up of the process's log."""
    yield
    if structlog.is_configured():
        forget_logs()


def forget_logs() -> None:
    """Leave logging as it is before anything is set up."""
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in {"monitor", "tickets"}:
            for value in vars(module).values():
                if isinstance(value, BoundLoggerLazyProxy):
                    # A logger that has written once holds its bind as an attribute of its own.
                    vars(value).pop("bind", None)
