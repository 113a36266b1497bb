"""All settings of Fettle: what each key means, its unit, its default and what is allowed.

The models only say what is allowed; ``monitor.settings.load`` reads them from the file, the
environment and the command line, and ``monitor.settings.conflicts`` compares them with each other.
They are built once and passed on: no other module reads the environment.
"""

from __future__ import annotations

from pydantic import Field

from monitor.settings.alerts import AlertSettings
from monitor.settings.incidents import IncidentSettings
from monitor.settings.probing import ProbingSettings
from monitor.settings.readings import ReadingSettings
from monitor.settings.service import ServiceSettings
from monitor.settings.site import SiteSettings
from monitor.settings.store import StoreSettings
from monitor.settings.web import WebSettings
from tickets.settings.agency import AgencySettings
from tickets.settings.channels import StaffChannels
from tickets.settings.client import ClientSettings
from tickets.settings.mail import MailSettings
from tickets.settings.support import SupportSettings
from tickets.settings.types import Section


class MonitoredClient(ClientSettings):
    """A client with the sites that are watched for it."""

    sites: tuple[SiteSettings, ...] = Field(default=(), description="The sites that are watched.")


class Settings(Section):
    """Everything that can be set; ``monitor.settings.load.load`` builds it."""

    agency: AgencySettings = Field(description="Who runs Fettle, as clients see it.")
    store: StoreSettings = Field(default=StoreSettings(), description="Where everything is kept.")
    web: WebSettings = Field(default=WebSettings(), description="The desk.")
    support: SupportSettings = Field(
        default=SupportSettings(), description="When the response clock runs, what is promised."
    )
    probing: ProbingSettings = Field(
        default=ProbingSettings(), description="How sites are probed, unless a site says otherwise."
    )
    incidents: IncidentSettings = Field(
        default=IncidentSettings(), description="What happens when a site is down or slow."
    )
    readings: ReadingSettings = Field(
        default=ReadingSettings(), description="How long what was seen of the sites is kept."
    )
    mail: MailSettings = Field(
        default=MailSettings(), description="The mail server that carries all mails."
    )
    staff_channels: StaffChannels = Field(
        default=StaffChannels(), description="Where the agency's own people are told."
    )
    alerts: AlertSettings = Field(
        default=AlertSettings(), description="Alerts of other programs that become tickets."
    )
    service: ServiceSettings = Field(
        default=ServiceSettings(), description="Whom the service itself tells that it is well."
    )
    clients: tuple[MonitoredClient, ...] = Field(
        default=(), description="Who owns sites and receives notices."
    )

    def count_sites(self) -> int:
        """Return the number of sites of all clients."""
        return sum(len(client.sites) for client in self.clients)
