"""The sites that the settings list, with every default filled in.

Pure: what was added, changed or removed since the last start is for those to say who keep the rows.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

from monitor.rules.site import BasicAuth, ClientCertificate, Confirmation, Site
from monitor.settings import MonitoredClient, Settings
from monitor.settings.probing import ProbingSettings
from monitor.settings.site import ClientCertificateSettings, SiteSettings


def list_sites(settings: Settings) -> tuple[Site, ...]:
    """Return the sites of all clients, in the order of the file."""
    return tuple(
        _site(site, client, settings.probing, settings.agency.zone)
        for client in settings.clients
        for site in client.sites
    )


def find_site(settings: Settings, slug: str) -> Site | None:
    """Return the site with ``slug``, or None."""
    return next((site for site in list_sites(settings) if site.slug == slug), None)


def _site(
    site: SiteSettings, client: MonitoredClient, probing: ProbingSettings, zone: ZoneInfo
) -> Site:
    credentials = site.basic_auth
    return Site(
        slug=site.slug,
        client=client.slug,
        name=site.name,
        url=site.url,
        interval=site.interval or probing.interval,
        timeout=site.timeout or probing.timeout,
        slow_after=site.slow_after or probing.slow_after,
        confirmation=Confirmation(
            down=probing.confirm_down,
            slow=probing.confirm_slow,
            up=probing.confirm_up,
            retry_after=probing.retry_after,
        ),
        expect_status=site.expect_status,
        keyword=site.keyword,
        keyword_absent=site.keyword_absent,
        method=site.method,
        headers={name: value.get_secret_value() for name, value in site.headers.items()},
        basic_auth=credentials
        and BasicAuth(credentials.username, credentials.password.get_secret_value()),
        ca_file=site.ca_file,
        client_certificate=_client_certificate(site.client_certificate),
        ip_family=site.ip_family,
        every_address=site.resolve == "all",
        body_limit=probing.body_limit,
        user_agent=probing.user_agent,
        allow_networks=probing.allow_networks,
        maintenance=tuple(window.window(zone) for window in site.maintenance),
    )


def _client_certificate(given: ClientCertificateSettings | None) -> ClientCertificate | None:
    if given is None:
        return None
    password = given.key_password
    return ClientCertificate(
        certificate_file=given.certificate_file,
        key_file=given.key_file,
        key_password=None if password is None else password.get_secret_value(),
    )
