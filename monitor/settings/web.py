"""Settings of the pages: where they listen, what address they go by."""

from __future__ import annotations

from datetime import timedelta
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

from monitor.settings.networks import NetworkSetting
from tickets.addresses import HostPort, canonical_url, parse_host_port, url_host, url_path
from tickets.settings.types import Duration, Section, between, from_text

Listen = Annotated[
    InstanceOf[HostPort],
    from_text(parse_host_port),
    PlainSerializer(str, when_used="json"),
    WithJsonSchema({"type": "string", "examples": ["127.0.0.1:8080"]}),
]


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

    metrics_interval: Annotated[Duration, between("1s", "5m")] = Field(
        default=timedelta(seconds=15),
        description="How often Prometheus asks for /metrics. The page is made at most once in this "
        "time, however many ask, and kept a second less, so that one Prometheus always gets a new "
        "one.",
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
