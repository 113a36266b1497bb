"""``fettle check-config``: what is wrong with a configuration, or what it promises."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from monitor import config_report
from monitor.commands.surroundings import Surroundings


def check_config(surroundings: Surroundings, arguments: Namespace) -> int:
    """Tell every fault in the configuration (1), or the promises that it makes (0)."""
    path = surroundings.config if arguments.file is None else Path(arguments.file)
    code, text = config_report.check_config(
        path,
        environ=surroundings.environ,
        now=surroundings.clock.now(),
        show=arguments.show,
    )
    surroundings.screen.text(text)
    return code
