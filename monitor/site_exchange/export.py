"""The sites of the settings as other programs and other Fettles read them; never a secret."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.rules.site import Site
from monitor.settings import MonitoredClient, Settings
from monitor.settings.site import SiteSettings, is_secret_header

Json = dict[str, object]


def file_sd_groups(sites: Sequence[Site]) -> list[Json]:
    """Return target groups of Prometheus, one for each site, for blackbox_exporter or others."""
    return [
        {
            "targets": [site.url],
            "labels": {"client": site.client, "site": site.slug, "name": site.name},
        }
        for site in sites
    ]


def exported_clients(settings: Settings) -> tuple[list[Json], list[str]]:
    """Return the clients with their sites as the configuration writes them, and what is left out.

    Contacts, support and the like are none of it. What is left out are the dotted paths of secrets.
    """
    left_out: list[str] = []
    clients = [_client(client, left_out) for client in settings.clients if client.sites]
    return clients, left_out


def _client(client: MonitoredClient, left_out: list[str]) -> Json:
    sites = [_site(site, client, left_out) for site in client.sites]
    return {"slug": client.slug, "name": client.name, "sites": sites}


def _site(site: SiteSettings, client: MonitoredClient, left_out: list[str]) -> Json:
    written: Json = {"slug": site.slug}
    written |= site.model_dump(
        mode="json",
        by_alias=True,
        exclude_unset=True,
        exclude_none=True,
        exclude={
            "headers": True,
            "basic_auth": {"password"},
            "client_certificate": {"key_password"},
        },
    )
    where = f"clients.{client.slug}.sites.{site.slug}"
    plain: dict[str, str] = {}
    for name, value in site.headers.items():
        if is_secret_header(name):
            left_out.append(f"{where}.headers.{name}")
        else:
            plain[name] = value.get_secret_value()
    if plain:
        written["headers"] = plain
    if site.basic_auth is not None:
        left_out.append(f"{where}.basic_auth.password")
    if site.client_certificate is not None and site.client_certificate.key_password is not None:
        left_out.append(f"{where}.client_certificate.key_password")
    return written
