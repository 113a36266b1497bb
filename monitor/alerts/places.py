"""To which client and site an alert belongs, by its labels and the sites that are configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tickets.addresses import canonical_host, canonical_url, url_host
from tickets.policy import Policy, SiteName
from tickets.rules.ticket import AGENCY


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A client, with one of its sites if the alert is about one; the agency for no client."""

    client: str
    client_name: str
    site: SiteName | None = None

    @property
    def is_agency(self) -> bool:
        """Whether the alert belongs to no client."""
        return self.client == AGENCY


class Places:
    """Finds the place of an alert among the clients and sites of a policy."""

    def __init__(self, policy: Policy) -> None:
        self._names = {slug: profile.name for slug, profile in policy.clients.items()}
        self._agency = Place(client=AGENCY, client_name=policy.agency_name)
        self._by_slug: dict[str, tuple[str, SiteName]] = {}
        self._by_url: dict[str, tuple[str, SiteName]] = {}
        self._by_host: dict[str, list[tuple[str, SiteName]]] = {}
        for slug, profile in policy.clients.items():
            for site in profile.sites:
                self._by_slug[site.slug] = (slug, site)
                self._by_url.setdefault(site.url, (slug, site))
                self._by_host.setdefault(url_host(site.url), []).append((slug, site))

    @property
    def agency(self) -> Place:
        """The place of what concerns no client."""
        return self._agency

    def find(self, labels: Mapping[str, str], *, default_client: str | None) -> Place:
        """Return the place that labels name: ``site``, ``client``, else ``instance``.

        A site and a client that contradict each other name nobody: a wrong client would be told.
        """
        client = labels.get("client", "")
        named = client if client in self._names else None
        found = self._by_slug.get(labels.get("site", ""))
        if found is not None and named not in {None, found[0]}:
            return self._agency
        if found is None:
            found = self._by_instance(labels.get("instance", ""), client=named)
        if found is not None:
            owner, site = found
            return Place(client=owner, client_name=self._names[owner], site=site)
        owner = named or default_client
        if owner is None or owner not in self._names:
            return self._agency
        return Place(client=owner, client_name=self._names[owner])

    def _by_instance(self, instance: str, *, client: str | None) -> tuple[str, SiteName] | None:
        """Return the one site with this address, or at this host, of ``client`` if it is named."""
        url = _url_of(instance)
        if url is None:
            return None
        exact = self._by_url.get(url)
        if exact is not None and client in {None, exact[0]}:
            return exact
        fits = [each for each in self._by_host.get(url_host(url), ()) if client in {None, each[0]}]
        return fits[0] if len(fits) == 1 else None


def _url_of(instance: str) -> str | None:
    """Return what ``instance`` names as a canonical URL: an address, or a host with a port."""
    text = instance.strip().partition("#")[0]
    try:
        if text.startswith(("http://", "https://")):
            return canonical_url(text)
        host, colon, port = text.rpartition(":")
        if colon and port.isdigit() and not text.endswith("]"):
            text = host
        return f"https://{canonical_host(text)}/"
    except ValueError:
        return None
