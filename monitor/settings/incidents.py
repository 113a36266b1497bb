"""Settings of incidents: their priorities, and when a new failure is the same incident."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from tickets.rules.ticket import Priority
from tickets.settings.types import Duration, Section, between


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
