"""What ``fettle check-config`` says: every fault, or what the configuration promises.

For a good configuration it shows the next seven days of support hours and the response deadline of
each priority if a ticket were raised now, because a wrong calendar is a fault that no rule finds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from monitor.rules.site import Site
from monitor.settings import Settings
from monitor.settings.file import Node, dump, read_file
from monitor.settings.load import load
from monitor.settings.site import SiteSettings, is_secret_header
from monitor.settings.sources import apply_environment
from monitor.settings.store import hide_password
from monitor.sites import list_sites
from tickets.addresses import is_loopback, url_host
from tickets.errors import Fault, Misconfigured
from tickets.holidays import build_support_hours, calendar_years
from tickets.quantities import duration_text
from tickets.rules.escalation import StaffChannel
from tickets.rules.hours import SupportHours
from tickets.rules.promise import MetBy, deadline
from tickets.rules.words import describe_support, describe_target, format_date, format_instant
from tickets.settings.overrides import support_of
from tickets.settings.support import SupportSettings

_DAYS = 7
_MOST_HINTS = 10
_MET_BY = {MetBy.ACKNOWLEDGEMENT: "an acknowledgement", MetBy.REPLY: "a reply"}


def check_config(
    path: Path,
    *,
    environ: Mapping[str, str],
    now: datetime,
    show: bool = False,
    compare: Callable[[Settings], Iterable[str]] = lambda _: (),
) -> tuple[int, str]:
    """Return the exit code (0 good, 1 with faults) and the text to print, without a final newline.

    ``now`` is an aware instant. Faults come one per line as ``file:line: key: message``. With
    ``show`` the text is YAML: the effective settings, secrets masked, below the rest as comments.
    ``compare`` gives the lines on what the settings would change in what is in use.
    """
    try:
        settings = load(path, environ=environ, reads_files=True)
        _check_channels(settings, path=path, environ=environ)
        _check_letters(settings)
        report = describe_settings(settings, path=path, now=now)
        report = "\n".join([report, *compare(settings)])
    except Misconfigured as error:
        count = len(error.faults)
        return 1, f"{error}\n{count} {'fault' if count == 1 else 'faults'}"
    if not show:
        return 0, report
    comment = "\n".join(f"# {line}".rstrip() for line in report.split("\n"))
    return 0, f"{comment}\n\n{dump(effective_settings(settings))}".rstrip()


def _check_channels(settings: Settings, *, path: Path, environ: Mapping[str, str]) -> None:
    """Raise ``Misconfigured`` with every staff channel of which apprise can make nothing."""
    services = [
        ("staff_channels", each.value, index, service)
        for each in StaffChannel
        for index, service in settings.staff_channels.push_services(each)
    ]
    if not services:
        return  # apprise takes half a second to load
    from tickets.channels import find_fault

    root, _ = read_file(path)
    apply_environment(root, environ)
    faults: list[Fault] = []
    for *place, service in services:
        message = find_fault(service.url.get_secret_value())
        node: Node | None = root
        for key in place:
            node = None if node is None else node.child(key)
        if message is not None and node is not None:
            faults.append(node.fault(message))
    if faults:
        raise Misconfigured(faults)


def _check_letters(settings: Settings) -> None:
    """Raise ``Misconfigured`` with every fault in the agency's own letters, at its own place."""
    if settings.mail.letters is None:
        return
    from tickets.letters.preview import find_faults

    faults = [
        Fault(file=fault.file, line=fault.line, key="", message=fault.message)
        for fault in find_faults(Path(settings.mail.letters))
    ]
    if faults:
        raise Misconfigured(faults)


def describe_settings(settings: Settings, *, path: Path, now: datetime) -> str:
    """Return what good settings promise, in lines; ``now`` is an aware instant.

    Raises ``Misconfigured`` when the calendar of the coming years promises nothing.
    """
    zone = settings.agency.zone
    first_year, last_year = calendar_years(now.astimezone(zone).date())
    try:
        hours = build_support_hours(
            settings.support, settings.agency.timezone, first_year=first_year, last_year=last_year
        )
        lines = [
            f"{path} is good: {_counts(settings)}",
            "",
            f"Support hours of the next seven days ({settings.agency.timezone})",
            *_week(hours, now),
            "",
            f"If a ticket is raised now, {format_instant(now, zone)} ({_support(hours, now)})",
            *_deadlines(hours, settings.support, now),
            *_agreements(settings, now),
        ]
    except ValueError as error:
        fault = Fault(file=str(path), line=None, key="support", message=str(error))
        raise Misconfigured([fault]) from error
    hints = list(islice(_hints(settings), _MOST_HINTS))
    if hints:
        lines += ["", "Worth a look", *(f"  {hint}" for hint in hints)]
    return "\n".join(lines)


def effective_settings(settings: Settings) -> dict[str, Any]:
    """Return all settings in JSON's types under the file's keys, defaults filled in.

    Passwords and all headers that may carry a credential are masked.
    """
    document = settings.model_dump(mode="json", by_alias=True, exclude_none=True)
    document["store"]["url"] = hide_password(settings.store.url)
    sites = iter(list_sites(settings))
    for client, shown in zip(settings.clients, document["clients"], strict=True):
        shown["sites"] = [
            _effective_site(given, next(sites), as_given)
            for given, as_given in zip(client.sites, shown["sites"], strict=True)
        ]
    return document


def _effective_site(given: SiteSettings, site: Site, as_given: dict[str, Any]) -> dict[str, Any]:
    filled = as_given | {
        "interval": duration_text(site.interval),
        "timeout": duration_text(site.timeout),
        "slow_after": duration_text(site.slow_after),
        "headers": as_given["headers"] | _plain_headers(given),
    }
    return {key: filled[key] for key in SiteSettings.model_fields if key in filled}


def _plain_headers(site: SiteSettings) -> dict[str, str]:
    return {
        name: value.get_secret_value()
        for name, value in site.headers.items()
        if not is_secret_header(name)
    }


def _counts(settings: Settings) -> str:
    contacts = sum(len(client.contacts) for client in settings.clients)
    return ", ".join(
        f"{count} {word}{'' if count == 1 else 's'}"
        for count, word in (
            (len(settings.clients), "client"),
            (settings.count_sites(), "site"),
            (contacts, "contact"),
        )
    )


def _support(hours: SupportHours, now: datetime) -> str:
    return f"support is {describe_support(hours, now=now)}"


def _week(hours: SupportHours, now: datetime) -> Iterator[str]:
    today = now.astimezone(hours.zone).date()
    for offset in range(_DAYS):
        day = hours.day(today + timedelta(days=offset))
        said = ", ".join(map(str, day.intervals)) or f"closed: {day.why_closed}"
        yield f"  {format_date(day.on):<15}  {said}"


def _agreements(settings: Settings, now: datetime) -> Iterator[str]:
    """Yield the same for each client whose agreement differs from the agency's support."""
    zone = settings.agency.zone
    first_year, last_year = calendar_years(now.astimezone(zone).date())
    for client in settings.clients:
        if client.support is None:
            continue
        support = support_of(settings.support, client.support)
        try:
            hours = build_support_hours(
                support, settings.agency.timezone, first_year=first_year, last_year=last_year
            )
            lines = [*_deadlines(hours, support, now)]
        except ValueError as error:
            raise ValueError(f"of client {client.slug}: {error}") from error
        yield ""
        yield f"If {client.slug} raises it ({_support(hours, now)})"
        yield from lines


def _deadlines(hours: SupportHours, support: SupportSettings, now: datetime) -> Iterator[str]:
    for priority, target in support.response.targets().items():
        respond_by = deadline(hours, target, now).respond_by
        yield (
            f"  {priority.value:<8}  by {format_instant(respond_by, hours.zone)}"
            f"  ({describe_target(target)}, met by {_MET_BY[target.met_by]})"
        )


def _hints(settings: Settings) -> Iterator[str]:
    """Yield what is allowed and yet seldom meant."""
    if settings.agency.mail_from.endswith((".example", ".invalid", ".test")):
        yield "agency.mail_from is still an example; mails from it will not arrive"
    if not settings.count_sites():
        yield "clients: no site is watched yet"
    elif not settings.probing.canaries:
        yield "probing.canaries: none, so a fault of our own network looks like a fault of a site"
    if not settings.staff_channels.duty:
        yield "staff_channels.duty: nobody of the staff is told of a new ticket"
    elif not any([*settings.staff_channels.push_services(each)] for each in StaffChannel):
        yield "staff_channels: mail alone, so nobody is told when no mail can leave"
    if is_loopback(url_host(settings.web.base_url)):
        yield f"web.base_url: {settings.web.base_url} in a mail leads nowhere but on this host"
    for client in settings.clients:
        if client.sites and not any(contact.incidents for contact in client.contacts):
            yield f"clients: nobody at {client.slug} is told when a site of theirs is down"
