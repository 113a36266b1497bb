"""``fettle probe``: one probe of one site, now, whether it is configured or not."""

from __future__ import annotations

import asyncio
import os
import ssl
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from monitor.canary import Canaries
from monitor.commands.probe_page import USUAL_COLUMNS, Paper, knows_shapes, write_probe
from monitor.commands.screen import Screen
from monitor.commands.surroundings import Surroundings, WrongUsage
from monitor.keywords import keyword_fault
from monitor.probe_report import probe_report
from monitor.prober import Prober
from monitor.rules.address import why_not_global
from monitor.rules.observation import Observation
from monitor.rules.site import Site
from monitor.rules.verdict import Verdict, judge
from monitor.settings.probing import ProbingSettings
from monitor.sites import find_site, list_sites
from tickets.addresses import canonical_url, literal_address, shown, url_host
from tickets.clock import Clock
from tickets.errors import Misconfigured
from tickets.settings.types import did_you_mean

_EXIT_CODES = {Verdict.UP: 0, Verdict.SLOW: 1, Verdict.DOWN: 1, Verdict.UNKNOWN: 3}


def probe(surroundings: Surroundings, arguments: Namespace) -> int:
    """Probe one site and tell what was seen: 0 up, 1 slow or down, 3 our own fault.

    Raises ``WrongUsage`` for what is neither a URL nor a site, and for a file of authorities that
    cannot be read.
    """
    if "://" in arguments.site:
        site, canaries = _site_at(surroundings, arguments.site)
    else:
        site, canaries = _configured_site(surroundings, arguments.site)
    site = _with_flags(site, arguments)
    if _is_inside(site.url):
        canaries = ()  # they lie beyond a network of our own, and tell nothing of it
    observation = asyncio.run(_look(site, canaries, clock=surroundings.clock))
    judgement = judge(observation, slow_after=site.slow_after)
    screen = surroundings.screen
    if arguments.json:
        screen.document(probe_report(observation, judgement))
    else:
        write_probe(
            screen,
            observation,
            judgement,
            slow_after=site.slow_after,
            paper=Paper(
                columns=_columns_of(screen, surroundings.environ),
                has_shapes=knows_shapes(screen.output.encoding),
            ),
        )
    return _EXIT_CODES[judgement.verdict]


def _columns_of(screen: Screen, environ: Mapping[str, str]) -> int | None:
    """Return the width of the terminal that the output goes to; None if it goes elsewhere."""
    if not screen.output.isatty():
        return None
    named = environ.get("COLUMNS", "")
    if named.isascii() and named.isdigit() and int(named[:6]) > 0:
        return int(named[:6])
    try:
        return os.get_terminal_size(screen.output.fileno()).columns or USUAL_COLUMNS
    except OSError:
        return USUAL_COLUMNS


async def _look(site: Site, canaries: Sequence[str], *, clock: Clock) -> Observation:
    prober = Prober()
    try:
        observation = await prober.probe(site, started_at=clock.now())
        return await Canaries(canaries, reach=prober.reach).excuse(observation)
    finally:
        await prober.aclose()


def _site_at(surroundings: Surroundings, url: str) -> tuple[Site, Sequence[str]]:
    """Return a site for a URL, with the limits of the configuration if there is one."""
    try:
        url = canonical_url(url)
    except ValueError as error:
        raise WrongUsage(f"the URL {error}") from error
    probing = _probing(surroundings)
    site = Site(
        slug="",
        client="",
        name=url_host(url),
        url=url,
        timeout=probing.timeout,
        slow_after=probing.slow_after,
        body_limit=probing.body_limit,
        user_agent=probing.user_agent,
        allow_networks=probing.allow_networks,
    )
    return site, probing.canaries


def _probing(surroundings: Surroundings) -> ProbingSettings:
    """Return how to probe a URL; only a configuration that was asked for must be there and good."""
    if not surroundings.is_named and not surroundings.config.exists():
        return ProbingSettings()
    try:
        return surroundings.load_settings().probing
    except Misconfigured:
        if surroundings.is_named:
            raise
        surroundings.screen.hint(
            f"{surroundings.config} has faults and is not used; `fettle check-config` tells them"
        )
        return ProbingSettings()


def _configured_site(surroundings: Surroundings, slug: str) -> tuple[Site, Sequence[str]]:
    if any(character in slug for character in ".:/"):
        raise WrongUsage(
            f"{shown(slug)} is neither a site nor a URL; a URL begins with https:// or http://"
        )
    settings = surroundings.load_settings()
    site = find_site(settings, slug)
    if site is None:
        near = did_you_mean(slug, [each.slug for each in list_sites(settings)])
        raise WrongUsage(f"{shown(slug)} is no site in {surroundings.config}{near}")
    return site, settings.probing.canaries


def _with_flags(site: Site, arguments: Namespace) -> Site:
    """Return ``site`` with what the command line says of it."""
    if arguments.timeout is not None:
        site = replace(site, timeout=timedelta(seconds=arguments.timeout))
    if arguments.slow_after is not None:
        site = replace(site, slow_after=timedelta(seconds=arguments.slow_after))
    if arguments.keyword is not None:
        fault = keyword_fault(arguments.keyword)
        if fault is not None:
            raise WrongUsage(f"--keyword {shown(arguments.keyword)} {fault}")
        site = replace(site, keyword=arguments.keyword)
    if arguments.ca is not None:
        _check_authorities(arguments.ca)
        site = replace(site, ca_file=arguments.ca)
    return replace(site, allow_networks=(*site.allow_networks, *arguments.allow_network))


def _check_authorities(ca_file: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(ca_file)
    except ssl.SSLError as error:
        message = f"--ca {shown(ca_file)} holds no certificate in PEM"
        raise WrongUsage(message) from error
    except OSError as error:
        raise WrongUsage(f"--ca {shown(ca_file)} cannot be read: {error.strerror}") from error


def _is_inside(url: str) -> bool:
    """Tell whether ``url`` names, without a lookup, an address that is not global."""
    address = literal_address(url_host(url))
    return address is not None and why_not_global(str(address)) is not None
