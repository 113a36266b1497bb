"""``fettle deadline`` and ``fettle hours``: when a ticket must be answered, what time counts."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache

from monitor.commands.surroundings import Surroundings, WrongUsage
from monitor.settings import Settings
from tickets.deadline_report import explain_deadline, explain_elapsed, parse_instant
from tickets.errors import Refused
from tickets.holidays import build_support_hours, calendar_years
from tickets.rules.hours import SupportHours
from tickets.rules.ticket import Priority
from tickets.settings.overrides import support_of
from tickets.settings.support import SupportSettings
from tickets.settings.types import did_you_mean


def tell_deadline(surroundings: Surroundings, arguments: Namespace) -> int:
    """Print the response deadline of a ticket raised at an instant.

    Raises ``WrongUsage`` for what is no instant, or one that no calendar reaches.
    """
    settings = surroundings.load_settings()
    support = _support(settings, arguments.client)
    priority = Priority(arguments.priority)
    raised_at = surroundings.clock.now()
    try:
        if arguments.at is not None:
            raised_at = parse_instant(arguments.at, settings.agency.zone)
        hours = _calendar(settings, support, [raised_at])
        target = support.response.targets()[priority]
        report = explain_deadline(hours, target, priority=priority, raised_at=raised_at)
    except (Refused, ValueError, OverflowError) as error:
        raise WrongUsage(f"--at: {error}") from error
    if arguments.json:
        surroundings.screen.document(report.document())
    else:
        surroundings.screen.text(report.text(explain=arguments.explain))
    return 0


def tell_elapsed(surroundings: Surroundings, arguments: Namespace) -> int:
    """Print the support time between two instants.

    Raises ``WrongUsage`` for what is no instant, instants in the wrong order, or one that no
    calendar reaches.
    """
    settings = surroundings.load_settings()
    support = _support(settings, arguments.client)
    instants = [
        _instant(text, name, settings)
        for name, text in (("--from", arguments.start), ("--to", arguments.end))
    ]
    start, end = instants
    try:
        hours = _calendar(settings, support, instants)
        report = explain_elapsed(hours, start, end)
    except (Refused, ValueError, OverflowError) as error:
        raise WrongUsage(f"--from and --to: {error}") from error
    if arguments.json:
        surroundings.screen.document(report.document())
    else:
        surroundings.screen.text(report.text(explain=arguments.explain))
    return 0


def calendars(settings: Settings, *instants: datetime) -> Callable[[str], SupportHours]:
    """Return what finds a client's calendar, with room around all ``instants``; each built once.

    A client that is no longer configured has the agency's. It raises ``ValueError`` where nobody
    knows the holidays of a year.
    """
    own = {client.slug: client.support for client in settings.clients}

    @cache
    def agency() -> SupportHours:
        return _calendar(settings, settings.support, instants)

    @cache
    def find(slug: str) -> SupportHours:
        overrides = own.get(slug)
        if overrides is None:
            return agency()
        return _calendar(settings, support_of(settings.support, overrides), instants)

    return find


def _calendar(
    settings: Settings, support: SupportSettings, instants: Sequence[datetime]
) -> SupportHours:
    zone = settings.agency.zone
    spans = [calendar_years(at.astimezone(zone).date()) for at in instants]
    return build_support_hours(
        support,
        settings.agency.timezone,
        first_year=min(first for first, _ in spans),
        last_year=max(last for _, last in spans),
    )


def _instant(text: str, name: str, settings: Settings) -> datetime:
    try:
        return parse_instant(text, settings.agency.zone)
    except Refused as error:
        raise WrongUsage(f"{name}: {error}") from error


def _support(settings: Settings, slug: str | None) -> SupportSettings:
    """Return what counts for the client ``slug``, or for the agency without one."""
    if slug is None:
        return settings.support
    for client in settings.clients:
        if client.slug == slug:
            return support_of(settings.support, client.support)
    slugs = [client.slug for client in settings.clients]
    near = did_you_mean(slug, slugs)
    raise WrongUsage(f"there is no client {slug!r} in the configuration{near}")
