"""Settings of the readings: how long time buckets of each length are kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from tickets.settings.types import Duration, Section, between


class ReadingSettings(Section):
    """How long readings are kept: what was seen of each site, folded over time buckets."""

    keep_fine: Annotated[Duration, between("2d", "35d")] = Field(
        default=timedelta(days=2),
        description="How long buckets of five minutes are kept: by far the most rows.",
    )
    keep_hourly: Annotated[Duration, between("7d", "800d")] = Field(
        default=timedelta(days=35),
        description="How long hours are kept. Periods that begin or end within a day need them.",
    )
    keep_daily: Annotated[Duration, between("90d", "3650d")] = Field(
        default=timedelta(days=800),
        description="How long days are kept, by which uptime and the desk's bars are counted.",
    )
