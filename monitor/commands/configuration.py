"""``fettle check-config``: what is wrong with a configuration, or what it promises."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path

from monitor import config_report
from monitor.commands.surroundings import StoreNotReady, Surroundings, open_store
from monitor.settings import Settings
from tickets.errors import Unavailable


def check_config(surroundings: Surroundings, arguments: Namespace) -> int:
    """Tell every fault in the configuration (1), or the promises that it makes (0)."""
    path = surroundings.config if arguments.file is None else Path(arguments.file)
    code, text = config_report.check_config(
        path,
        environ=surroundings.environ,
        now=surroundings.clock.now(),
        show=arguments.show,
        compare=lambda settings: _changes(surroundings, settings),
    )
    surroundings.screen.text(text)
    return code


def _changes(surroundings: Surroundings, settings: Settings) -> Iterable[str]:
    """Return what the settings would change in the calendars of their store, if there is one."""
    from monitor.calendar_report import describe_drifts
    from monitor.service import build_policy
    from tickets.calendars import find_drifts

    try:
        with open_store(settings) as store:
            policy = build_policy(settings, clock=surroundings.clock)
            drifts = store.read(lambda tx: find_drifts(tx, policy))
    except StoreNotReady:
        return ()  # nothing is in use yet
    except Unavailable as error:
        return ("", f"The calendar in use could not be compared: {error}")
    zone = settings.agency.zone
    today = surroundings.clock.now().astimezone(zone).date()
    return describe_drifts(drifts, zone=zone, today=today)
