"""Settings of probes: how often, how long, how many at once, and what may be reached."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from monitor.settings.networks import NetworkSetting
from monitor.settings.site import ProbeInterval, ProbeTimeout, SlowAfter
from tickets.quantities import duration_text
from tickets.settings.types import WHOLE, Duration, Line, Section, Size, WebUrl, between, sized

Count = Annotated[int, Field(ge=1, le=100), WHOLE]


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
