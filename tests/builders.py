"""Builders of what tests need, with every default in plain sight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from monitor.rules.observation import Cause, Observation, Phases
from monitor.rules.site import Confirmation, Site
from tickets.holidays import build_support_hours
from tickets.outbox import Recipient, staff_recipient
from tickets.policy import ClientContacts, ClientProfile, Policy, SiteName
from tickets.rules.notice import Audience
from tickets.rules.promise import CountedIn, MetBy, ResponseTarget
from tickets.rules.ticket import Priority
from tickets.settings.support import SupportSettings

LONDON = ZoneInfo("Europe/London")

ANNA = Recipient("Anna Wright", "anna@harbour.test", Audience.CLIENT)
BEN = Recipient("Ben Moss", "ben@harbour.test", Audience.CLIENT)
DUTY = staff_recipient("duty@agency.test")
LEAD = staff_recipient("lead@agency.test")

TARGETS = MappingProxyType(
    {
        Priority.CRITICAL: ResponseTarget(
            within=timedelta(hours=1),
            counted_in=CountedIn.SUPPORT_HOURS,
            met_by=MetBy.ACKNOWLEDGEMENT,
        ),
        Priority.NORMAL: ResponseTarget(
            within=timedelta(hours=48), counted_in=CountedIn.SUPPORT_DAYS, met_by=MetBy.REPLY
        ),
        Priority.LOW: ResponseTarget(
            within=timedelta(hours=72), counted_in=CountedIn.SUPPORT_DAYS, met_by=MetBy.REPLY
        ),
    }
)


def a_policy(
    *,
    contacts: Sequence[Recipient] = (ANNA, BEN),
    duty: Sequence[Recipient] = (DUTY,),
    lead: Sequence[Recipient] = (LEAD,),
    targets: Mapping[Priority, ResponseTarget] = TARGETS,
) -> Policy:
    """The shipped promises for the client ``harbour``: England's calendar, Christmas closure."""
    return Policy(
        agency_name="Bright Agency",
        zone=LONDON,
        mail_domain="agency.test",
        base_url="http://desk.agency.test",
        hours=build_support_hours(
            SupportSettings(), "Europe/London", first_year=2024, last_year=2032
        ),
        targets=targets,
        duty=tuple(duty),
        lead=tuple(lead),
        contacts={"harbour": ClientContacts(incidents=tuple(contacts), tickets=tuple(contacts))},
        clients={
            "harbour": ClientProfile(
                name="Harbour Inns",
                everyone=tuple(contacts),
                sites=(SiteName("booking", "Booking site", "https://booking.harbour.test/"),),
            )
        },
    )


def a_site(
    slug: str = "booking",
    *,
    client: str = "harbour",
    name: str = "Booking site",
    url: str = "https://booking.harbour.test/",
    interval: float = 60,
    timeout: float = 10,
    slow_after: float = 3,
    confirmation: Confirmation = Confirmation(
        down=3, slow=5, up=2, retry_after=timedelta(seconds=10)
    ),
) -> Site:
    """A site of the client ``harbour``; durations are seconds."""
    return Site(
        slug=slug,
        client=client,
        name=name,
        url=url,
        interval=timedelta(seconds=interval),
        timeout=timedelta(seconds=timeout),
        slow_after=timedelta(seconds=slow_after),
        confirmation=confirmation,
    )


def an_observation(
    *,
    url: str = "https://booking.harbour.test/",
    started_at: datetime = datetime(2026, 3, 3, 10, 0, tzinfo=UTC),
    duration: float = 0.41,
    cause: Cause | None = None,
    message: str = "",
    http_status: int | None = 200,
    remote_address: str | None = "203.0.113.7",
    title: str = "Book a room",
    excerpt: str = "",
) -> Observation:
    """A good answer of 410 ms unless told otherwise."""
    return Observation(
        url=url,
        started_at=started_at,
        duration_seconds=duration,
        phases=Phases(processing=duration),
        cause=cause,
        message=message,
        final_url=url,
        hops=(url,),
        http_status=http_status,
        http_version="1.1" if http_status else None,
        remote_address=remote_address,
        title=title,
        excerpt=excerpt,
    )


def a_refusal(*, started_at: datetime = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)) -> Observation:
    """An observation of a site whose server refuses the connection."""
    return an_observation(
        started_at=started_at,
        duration=0.01,
        cause=Cause.CONNECT_REFUSED,
        message="the server at 203.0.113.7 refused the connection",
        http_status=None,
        title="",
    )
