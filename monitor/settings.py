"""All settings of Fettle: what each key means, its unit, its default and what is allowed.

The models only say what is allowed; ``monitor.settings_load`` reads them from the file, the
environment and the command line, and ``monitor.settings_conflicts`` compares them with each other.
They are built once and passed on: no other module reads the environment.
"""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated

from pydantic import (
    AfterValidator,
    Field,
    InstanceOf,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from monitor.rules.site import Network
from monitor.site_settings import ProbeInterval, ProbeTimeout, SiteSettings, SlowAfter
from tickets.addresses import HostPort, canonical_url, parse_host_port, shown, url_host, url_path
from tickets.quantities import duration_text
from tickets.rules.ticket import Priority
from tickets.setting_types import (
    WHOLE,
    Duration,
    Line,
    Section,
    Size,
    WebUrl,
    between,
    from_text,
    sized,
)
from tickets.settings import (
    AgencySettings,
    ClientSettings,
    MailSettings,
    StaffChannels,
    SupportSettings,
)

_PASSWORD = re.compile(r"(://[^/@:]*:).*@")
_QUERY_PASSWORD = re.compile(r"([?&]password=)[^&]*")
_STORES = ("sqlite:///", "postgresql+psycopg://")


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        whole = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"{shown(text)} is not a network; write it as 192.168.0.0/16 or fd00::/8"
        ) from None
    raise ValueError(f"{shown(text)} is an address within a network; write {whole}")


NetworkSetting = Annotated[
    Network, from_text(_network), WithJsonSchema({"type": "string", "examples": ["10.0.0.0/8"]})
]
"""A network or a single address, written as ``10.0.0.0/8``, ``fd00::/8`` or ``192.0.2.1``."""

Listen = Annotated[
    InstanceOf[HostPort],
    from_text(parse_host_port),
    PlainSerializer(str, when_used="json"),
    WithJsonSchema({"type": "string", "examples": ["127.0.0.1:8080"]}),
]


Count = Annotated[int, Field(ge=1, le=100), WHOLE]


def _store_url(url: str) -> str:
    if not any(url.startswith(start) and len(url) > len(start) for start in _STORES):
        raise ValueError(
            "must be sqlite:///PATH (sqlite:////PATH for an absolute path) or "
            "postgresql+psycopg://USER@HOST/DATABASE"
        )
    return url


def hide_password(store_url: str) -> str:
    """Return a store's URL with its password masked; what is in doubt is masked as well."""
    return _QUERY_PASSWORD.sub(r"\1***", _PASSWORD.sub(r"\1***@", store_url))


def has_password(store_url: str) -> bool:
    """Tell whether a store's URL contains a password."""
    return hide_password(store_url) != store_url


class StoreSettings(Section):
    """Where everything is kept."""

    url: Annotated[str, AfterValidator(_store_url)] = Field(
        default="sqlite:///data/fettle.db",
        repr=False,
        description="SQLite file, or PostgreSQL as postgresql+psycopg://USER@HOST/DATABASE. Keep a "
        "password out of the file: set FETTLE_STORE__URL_FILE or FETTLE_STORE__URL.",
    )


def _web_root(text: str) -> str:
    url = canonical_url(text)
    if url_path(url) != "/":
        raise ValueError("must not contain a path: pages live at the root of a host of their own")
    return url.removesuffix("/")


class WebSettings(Section):
    """The desk and everything else that speaks HTTP."""

    listen: Listen = Field(
        default=HostPort("127.0.0.1", 8080),
        description="HOST:PORT to listen at; 0.0.0.0 or [::] for every address of this host.",
    )
    base_url: Annotated[str, AfterValidator(_web_root), WithJsonSchema({"type": "string"})] = Field(
        default_factory=lambda data: f"http://{data['listen']}",
        validate_default=True,
        description="Address at which people reach the desk, for links in mails, without a slash "
        "at its end. Default: http:// and listen.",
    )
    trusted_proxies: tuple[NetworkSetting, ...] = Field(
        default=(),
        description="Networks of the reverse proxies whose X-Forwarded-* headers are believed.",
    )

    @field_validator("base_url")
    @classmethod
    def _is_reachable(cls, base_url: str, info: ValidationInfo) -> str:
        listen: HostPort | None = info.data.get("listen")
        if listen and url_host(base_url) in {"0.0.0.0", "::"}:  # noqa: S104 (compared, not bound)
            raise ValueError(
                f"leads nowhere: listen says every address ({listen}), so say at which people "
                "reach the desk, such as https://desk.agency.example"
            )
        return base_url


class ProbingSettings(Section):
    """How sites are probed, unless a site says otherwise."""

    interval: ProbeInterval = Field(
        default=timedelta(seconds=60), description="Time from one probe of a site to the next."
    )
    timeout: ProbeTimeout = Field(
        default=timedelta(seconds=10),
        validate_default=True,
        description="Longest time that a whole probe may take, redirects and body included; beyond "
        "it the site is down. At most interval.",
    )
    slow_after: SlowAfter = Field(
        default=timedelta(seconds=3),
        validate_default=True,
        description="A good answer that takes longer makes the site slow. Less than timeout.",
    )
    retry_after: Annotated[Duration, between("1s", "1h")] = Field(
        default=timedelta(seconds=10),
        description="Time from a first bad answer to the next look, until it is confirmed.",
    )
    confirm_down: Count = Field(
        default=3, description="Probes in a row that must find a site down before it counts."
    )
    confirm_slow: Count = Field(
        default=5, description="Probes in a row that must find a site slow before it counts."
    )
    confirm_up: Count = Field(
        default=2, description="Probes in a row that must find a site up before it has recovered."
    )
    concurrency: Annotated[int, Field(ge=1, le=20_000), WHOLE] = Field(
        default=500, description="Probes that may run at the same time."
    )
    body_limit: Annotated[Size, sized("1KiB", "64MiB")] = Field(
        default=1024 * 1024,
        description="Most bytes of a body that are read, before and after decompression.",
    )
    allow_networks: tuple[NetworkSetting, ...] = Field(
        default=(),
        description="Networks beyond the public internet in which sites may lie, such as "
        "192.168.0.0/16. All others are refused, also after a redirect.",
    )
    canaries: tuple[WebUrl, ...] = Field(
        default=(),
        description="Well-known addresses that are asked when sites fail, to tell whether our own "
        "network is well. Best two, run by different people.",
    )
    user_agent: Line = Field(
        default="Mozilla/5.0 (compatible; Fettle uptime monitor)",
        description="The User-Agent header of every probe.",
    )

    @field_validator("timeout")
    @classmethod
    def _ends_within_interval(cls, timeout: timedelta, info: ValidationInfo) -> timedelta:
        interval: timedelta = info.data.get("interval", timeout)
        if timeout > interval:
            raise ValueError(
                f"{duration_text(timeout)} is longer than interval, {duration_text(interval)}"
            )
        return timeout

    @field_validator("slow_after")
    @classmethod
    def _is_less_than_timeout(cls, slow_after: timedelta, info: ValidationInfo) -> timedelta:
        timeout: timedelta | None = info.data.get("timeout")
        if timeout is not None and slow_after >= timeout:
            raise ValueError(
                f"{duration_text(slow_after)} is not less than timeout, {duration_text(timeout)}: "
                "no answer could ever be slow"
            )
        return slow_after

    @field_validator("user_agent")
    @classmethod
    def _is_ascii(cls, user_agent: str) -> str:
        if not user_agent.isascii():
            raise ValueError("must be plain ASCII")
        return user_agent


class IncidentPriority(Section):
    """What happens when an incident of one kind opens."""

    priority: Priority = Field(
        default=Priority.CRITICAL, description="Priority of the ticket: critical, normal or low."
    )


class IncidentSettings(Section):
    """What happens when a site is down or slow."""

    down: IncidentPriority = Field(
        default=IncidentPriority(), description="For a site that is down."
    )
    slow: IncidentPriority = Field(
        default=IncidentPriority(), description="For a site that is slow."
    )
    relapse_within: Annotated[Duration, between("0s", "1d")] = Field(
        default=timedelta(minutes=30),
        description="A site that fails again so soon after its recovery continues the same "
        "incident: no new ticket, no new mail. 0s: always a new one.",
    )


class MonitoredClient(ClientSettings):
    """A client with the sites that are watched for it."""

    sites: tuple[SiteSettings, ...] = Field(default=(), description="The sites that are watched.")


class Settings(Section):
    """Everything that can be set; ``monitor.settings_load.load`` builds it."""

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
    mail: MailSettings = Field(
        default=MailSettings(), description="The mail server that carries all mails."
    )
    staff_channels: StaffChannels = Field(
        default=StaffChannels(), description="Where the agency's own people are told."
    )
    clients: tuple[MonitoredClient, ...] = Field(
        default=(), description="Who owns sites and receives notices."
    )

    def count_sites(self) -> int:
        """Return the number of sites of all clients."""
        return sum(len(client.sites) for client in self.clients)
