"""Faults that no single key has: settings that contradict each other.

Pure comparison of finished settings; names are not looked up here. What the models already hold
within one section is not asked again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pydantic import ValidationError

from monitor.rules.address import why_blocked
from monitor.settings import Settings
from monitor.settings.site import SiteSettings
from tickets.addresses import literal_address, url_host
from tickets.holidays import NO_COUNTRY, public_holidays
from tickets.quantities import duration_text
from tickets.rules.closure import parse_closure
from tickets.settings.overrides import support_of
from tickets.settings.support import HolidaySettings, SupportSettings

Path = tuple[str | int, ...]

_ANY_LEAP_YEAR = 2000


class Conflict(NamedTuple):
    """A fault and the key that it is best told of; ``message`` completes "<key>: ..."."""

    path: Path
    message: str


def find_conflicts(settings: Settings) -> Iterator[Conflict]:
    """Yield every contradiction in ``settings``, in the order of the file's sections."""
    yield from _agreement_conflicts(settings)
    yield from _address_conflicts(settings)
    yield from _identity_conflicts(settings)
    yield from _alert_conflicts(settings)
    for path, site in list_placed_sites(settings):
        yield from _limit_conflicts(path, site, settings)
        yield from _request_conflicts(path, site)


def list_placed_sites(settings: Settings) -> Iterator[tuple[Path, SiteSettings]]:
    """Yield every site with the path of its place in the settings."""
    for number, client in enumerate(settings.clients):
        for index, site in enumerate(client.sites):
            yield ("clients", number, "sites", index), site


def _agreement_conflicts(settings: Settings) -> Iterator[Conflict]:
    """Yield what is wrong with the agency's support, and what clients' overrides make wrong."""
    told = list(_support_conflicts(settings.support))
    yield from told
    for number, client in enumerate(settings.clients):
        at: Path = ("clients", number)
        try:
            support = support_of(settings.support, client.support)
        except ValidationError as error:
            for each in error.errors(include_url=False, include_input=False):
                message = each["msg"].removeprefix("Value error, ")
                yield Conflict((*at, "support", *each["loc"]), message)
            continue
        if client.support is not None:
            for path, message in _support_conflicts(support):
                if (path, message) not in told:
                    yield Conflict((*at, *path), message)


def _support_conflicts(support: SupportSettings) -> Iterator[Conflict]:
    for priority in ("critical", "normal", "low"):
        try:
            getattr(support.response, priority).target()
        except ValueError as error:
            yield Conflict(("support", "response", priority, "within"), str(error))
    yield from _holiday_conflicts(support.holidays)
    closed = {
        day
        for closure in support.closures
        if len(closure.start) == len("MM-DD")
        for day in parse_closure(closure.name, closure.start, closure.end).dates(
            _ANY_LEAP_YEAR, _ANY_LEAP_YEAR
        )
    }
    if len(closed) == 366:
        yield Conflict(
            ("support", "closures"), "leave no day of the year open, so no promise could be kept"
        )


def _holiday_conflicts(holidays: HolidaySettings) -> Iterator[Conflict]:
    at: Path = ("support", "holidays")
    usual = HolidaySettings()
    place = (holidays.country, holidays.subdivision)
    if place == (usual.country, usual.subdivision) and not holidays.remove:
        return  # known to be right; the check costs a third of a second
    if holidays.country == NO_COUNTRY:
        if holidays.subdivision is not None:
            yield Conflict((*at, "subdivision"), "is of no use without a country")
        if holidays.remove:
            yield Conflict((*at, "remove"), "has nothing to remove from: country is none")
        return
    try:
        public_holidays(*place, years=())
    except ValueError as error:
        key = "country" if "is no country" in str(error) else "subdivision"
        yield Conflict((*at, key), str(error))
        return
    for index, day in enumerate(holidays.remove):
        try:
            known = public_holidays(*place, years=(day.year,))
        except ValueError as error:
            yield Conflict((*at, "remove", index), str(error))
            continue
        if day not in known:
            names = ", ".join(f"{on} {name}" for on, name in known.items())
            yield Conflict(
                (*at, "remove", index), f"{day} is no public holiday; those of its year are {names}"
            )


def _address_conflicts(settings: Settings) -> Iterator[Conflict]:
    urls: list[tuple[Path, str]] = [
        (("probing", "canaries", index), url) for index, url in enumerate(settings.probing.canaries)
    ]
    urls += [((*path, "url"), site.url) for path, site in list_placed_sites(settings)]
    for path, url in urls:
        host = url_host(url)
        address = literal_address(host)
        if address is None:
            continue
        reason = why_blocked(str(address), settings.probing.allow_networks)
        if reason is not None:
            yield Conflict(
                path,
                f"{host} is not on the public internet ({reason}); to watch it, add its network, "
                f"such as {address}, to probing.allow_networks",
            )


def _identity_conflicts(settings: Settings) -> Iterator[Conflict]:
    clients = set[str]()
    for number, client in enumerate(settings.clients):
        if client.slug in clients:
            yield Conflict(
                ("clients", number, "slug"),
                f"{client.slug} is the slug of an earlier client; every client needs its own",
            )
        clients.add(client.slug)
    sites = set[str]()
    for path, site in list_placed_sites(settings):
        if site.slug in sites:
            yield Conflict(
                (*path, "slug"),
                f"{site.slug} is the slug of an earlier site; every site of all clients needs its "
                "own",
            )
        sites.add(site.slug)
    for number, client in enumerate(settings.clients):
        watched: dict[object, str] = {}
        for index, site in enumerate(client.sites):
            twin = watched.setdefault(_request_of(site), site.slug)
            if twin != site.slug:
                yield Conflict(
                    ("clients", number, "sites", index, "url"),
                    f"is watched as {twin} already; a second look at one page needs another "
                    "keyword, method, expect_status, headers, credentials, ip_family or resolve",
                )


def _alert_conflicts(settings: Settings) -> Iterator[Conflict]:
    names = set[str]()
    clients = [client.slug for client in settings.clients]
    for number, source in enumerate(settings.alerts.sources):
        at: Path = ("alerts", "sources", number)
        if source.name in names:
            yield Conflict(
                (*at, "name"), f"{source.name} is the name of an earlier source; each needs its own"
            )
        names.add(source.name)
        if source.default_client is not None and source.default_client not in clients:
            allowed = ", ".join(clients) or "none, as no client is configured"
            yield Conflict(
                (*at, "default_client"),
                f"{source.default_client} is no client's slug; allowed are {allowed}",
            )


def _request_of(site: SiteSettings) -> object:
    """Return all that makes two probes of one URL different."""
    headers = sorted((name.lower(), each.get_secret_value()) for name, each in site.headers.items())
    return (
        site.url,
        site.method,
        site.keyword,
        site.keyword_absent,
        site.expect_status,
        tuple(headers),
        site.basic_auth and (site.basic_auth.username, site.basic_auth.password),
        site.ca_file,
        site.client_certificate,
        site.ip_family,
        site.resolve,
    )


def _limit_conflicts(path: Path, site: SiteSettings, settings: Settings) -> Iterator[Conflict]:
    interval = site.interval or settings.probing.interval
    timeout = site.timeout or settings.probing.timeout
    slow_after = site.slow_after or settings.probing.slow_after
    if timeout > interval and (site.timeout or site.interval):
        yield Conflict(
            (*path, "timeout" if site.timeout else "interval"),
            f"timeout, {duration_text(timeout)}, is longer than interval, "
            f"{duration_text(interval)}; set both on this site",
        )
    if slow_after >= timeout and (site.slow_after or site.timeout):
        yield Conflict(
            (*path, "slow_after" if site.slow_after else "timeout"),
            f"slow_after, {duration_text(slow_after)}, is not less than timeout, "
            f"{duration_text(timeout)}, so no answer could ever be slow; set both on this site",
        )


def _request_conflicts(path: Path, site: SiteSettings) -> Iterator[Conflict]:
    address = literal_address(url_host(site.url))
    if site.ip_family is not None and address is not None and address.version != site.ip_family:
        yield Conflict(
            (*path, "ip_family"), f"is {site.ip_family}, and the URL names the address {address}"
        )
    if site.method == "HEAD":
        for key in ("keyword", "keyword_absent"):
            if getattr(site, key) is not None:
                yield Conflict((*path, key), "needs method GET: an answer to HEAD has no body")
    has_header = any(name.lower() == "authorization" for name in site.headers)
    if site.basic_auth is not None and has_header:
        yield Conflict(
            (*path, "basic_auth"), "and a header Authorization exclude each other; keep one"
        )
