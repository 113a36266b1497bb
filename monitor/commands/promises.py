"""``fettle deadline``: when a ticket must be answered, and why."""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime

from monitor.commands.surroundings import Surroundings, WrongUsage
from monitor.settings import Settings
from tickets.deadline_report import explain_deadline, parse_instant
from tickets.errors import Refused
from tickets.holidays import build_support_hours, calendar_years
from tickets.rules.hours import SupportHours
from tickets.rules.ticket import Priority
from tickets.settings.types import did_you_mean


def tell_deadline(surroundings: Surroundings, arguments: Namespace) -> int:
    """Print the response deadline of a ticket raised at an instant.

    Raises ``WrongUsage`` for what is no instant, or one that no calendar reaches.
    """
    settings = surroundings.load_settings()
    _check_client(settings, arguments.client)
    priority = Priority(arguments.priority)
    target = settings.support.response.targets()[priority]
    raised_at = surroundings.clock.now()
    try:
        if arguments.at is not None:
            raised_at = parse_instant(arguments.at, settings.agency.zone)
        hours = support_hours(settings, raised_at)
        report = explain_deadline(hours, target, priority=priority, raised_at=raised_at)
    except (Refused, ValueError, OverflowError) as error:
        raise WrongUsage(f"--at: {error}") from error
    if arguments.json:
        surroundings.screen.document(report.document())
    else:
        surroundings.screen.text(report.text(explain=arguments.explain))
    return 0


def support_hours(settings: Settings, *instants: datetime) -> SupportHours:
    """Return the calendar of support hours, with room before and after all ``instants``.

    Raises ``ValueError`` where nobody knows the holidays of a year.
    """
    zone = settings.agency.zone
    spans = [calendar_years(at.astimezone(zone).date()) for at in instants]
    return build_support_hours(
        settings.support,
        settings.agency.timezone,
        first_year=min(first for first, _ in spans),
        last_year=max(last for _, last in spans),
    )


def _check_client(settings: Settings, slug: str | None) -> None:
    """Refuse a client that nobody has configured; all clients have the same promises so far."""
    slugs = [client.slug for client in settings.clients]
    if slug is not None and slug not in slugs:
        near = did_you_mean(slug, slugs)
        raise WrongUsage(f"there is no client {slug!r} in the configuration{near}")
