"""What the portal is built from, and how it shows itself to one client."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from tickets.clock import Clock
from tickets.pages.headers import CONTENT_POLICY
from tickets.pages.watch import Watch
from tickets.policy import Policy
from tickets.rules.status_access import StatusAccess
from tickets.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalContext:
    """The parts that the portal works with; ``version`` is the product's own."""

    store: Store
    policy: Policy
    clock: Clock
    watch: Watch
    version: str

    def find_face(self, client: str) -> Face | None:
        """Return how the client with slug ``client`` is shown; None if there is none."""
        profile = self.policy.clients.get(client)
        if profile is None:
            return None
        branding = profile.branding
        return Face(
            slug=client,
            name=branding.name or profile.name,
            colour=branding.colour,
            logo_url=branding.logo_url,
            has_public_status=profile.status_access is StatusAccess.PUBLIC,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """A client as its own pages show it; ``colour`` is ``#rrggbb``, None for Fettle's own."""

    slug: str
    name: str
    colour: str | None
    logo_url: str | None
    has_public_status: bool

    @property
    def content_policy(self) -> str:
        """The Content-Security-Policy of the client's pages: its logo may come from its place."""
        if self.logo_url is None:
            return CONTENT_POLICY
        place = urlsplit(self.logo_url)
        return f"{CONTENT_POLICY}; img-src 'self' {place.scheme}://{place.netloc}"
