"""How each site stands and what has been counted of it; and how a family of all sites is written.

With ten thousand sites these are half a million lines, so they are built as text, family by
family, and not as objects one by one. Names and label values are the contract's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from monitor.figures import IncidentFigures
from monitor.queries import Sighting, Standing
from monitor.tables import IncidentKind
from tickets.metrics import Family, label_text
from tickets.pages.watch import SiteState

STATE_CODES = {
    SiteState.DOWN: 0,
    SiteState.UP: 1,
    SiteState.SLOW: 2,
    SiteState.MAINTENANCE: 3,
    SiteState.UNKNOWN: 5,
}
"""The contract's numbers for how a site stands; 4 would be a site that is paused."""

INCIDENT_KINDS = {IncidentKind.DOWN: "down", IncidentKind.SLOW: "slow"}
"""What the contract's label ``kind`` calls each kind of incident."""

LATER_INCIDENT_KINDS = ("tls", "domain")
"""Values of the label that no incident has yet."""

WITH_ADDRESS = ("instance", "site", "client")
WITHOUT_ADDRESS = ("site", "client")

Sample = tuple[str, float]
"""Labels beyond the site's, as text that begins with a comma or is empty, and the value."""


def label(name: str, text: str) -> str:
    """Return one label as the formats write it, its value made fit and escaped."""
    text = label_text(text)
    if "\\" in text or '"' in text or "\n" in text:
        text = text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return f'{name}="{text}"'


def one(number: float) -> tuple[Sample, ...]:
    """Return the one sample of a family that adds no labels."""
    return (("", number),)


def maybe_one(number: float | None) -> tuple[Sample, ...]:
    """Do as ``one`` does; no sample for None."""
    return () if number is None else (("", number),)


class Labelled(Protocol):
    """What is known of one site, with the site's labels as text."""

    @property
    def labels(self) -> str:
        """The labels that all of its samples share."""
        ...


Subject = TypeVar("Subject", bound=Labelled)


@dataclass(frozen=True, slots=True)
class SiteFamily(Generic[Subject]):
    """A family, and how its samples follow from what is known of one site."""

    family: Family
    samples: Callable[[Subject], Iterable[Sample]]

    def text(self, subjects: Iterable[Subject]) -> str:
        """Return the lines of all samples; both formats write samples the same way."""
        name, text = self.family.name, ""
        for subject in subjects:  # nearly always one
            labels = subject.labels
            for more, number in self.samples(subject):
                text += f"{name}{{{labels}{more}}} {number!r}\n"
        return text


@dataclass(frozen=True, slots=True)
class Labels:
    """A site's labels as text, with and without ``instance``, which is its address."""

    with_address: str
    without_address: str


@dataclass(frozen=True, slots=True)
class Stood:
    """How a site stands over all its locations, under its labels with the address."""

    labels: str
    standing: Standing
    state: SiteState
    fresh: Sequence[Sighting]


@dataclass(frozen=True, slots=True)
class Counted:
    """What has been counted of a site, under its labels without the address."""

    labels: str
    standing: Standing
    incidents: IncidentFigures


def site_family(
    name: str,
    unit: str,
    meaning: str,
    samples: Callable[[Subject], Iterable[Sample]],
    *,
    more: tuple[str, ...] = (),
    present_when: str = "",
) -> SiteFamily[Subject]:
    """Return a family whose series carry the site's labels with its address, and ``more``."""
    family = Family(
        name=name,
        labels=(*WITH_ADDRESS, *more),
        unit=unit,
        meaning=meaning,
        present_when=present_when,
    )
    return SiteFamily(family, samples)


def _latest(instants: Iterable[datetime | None]) -> tuple[Sample, ...]:
    return maybe_one(max((at.timestamp() for at in instants if at is not None), default=None))


SITE_FAMILIES: tuple[SiteFamily[Stood], ...] = (
    site_family(
        "fettle_check_status_code",
        "",
        "How the site stands after confirmation: 0 down, 1 up, 2 slow, 3 maintenance, 4 paused, "
        "5 not known.",
        lambda stood: one(STATE_CODES[stood.state]),
    ),
    site_family(
        "fettle_check_consecutive_failures",
        "",
        "Probes in a row that found the site down.",
        lambda stood: maybe_one(max((s.failures_in_row for s in stood.fresh), default=None)),
        present_when="the last probe is no older than three intervals",
    ),
    site_family(
        "fettle_check_last_run_timestamp_seconds",
        "unix seconds",
        "When the last probe ended.",
        lambda stood: _latest(s.observed_at for s in stood.standing.sightings),
        present_when="the site was probed",
    ),
    site_family(
        "fettle_check_last_success_timestamp_seconds",
        "unix seconds",
        "When the last probe that passed ended.",
        lambda stood: _latest(s.succeeded_at for s in stood.standing.sightings),
        present_when="a probe has passed",
    ),
    site_family(
        "fettle_check_interval_seconds",
        "seconds",
        "Configured time from one probe to the next.",
        lambda stood: one(stood.standing.interval.total_seconds()),
    ),
    site_family(
        "fettle_check_slow_threshold_seconds",
        "seconds",
        "Configured limit above which a good answer is slow.",
        lambda stood: one(stood.standing.slow_after_seconds),
    ),
    site_family(
        "fettle_check_info",
        "info",
        "The site's name, and what kind of probe it gets; always 1.",
        lambda stood: ((f',{label("name", stood.standing.name)},kind="http"', 1),),
        more=("name", "kind"),
    ),
)


_KINDS = tuple((kind, f',kind="{name}"') for kind, name in INCIDENT_KINDS.items())
_NO_LATER_KINDS = tuple((f',kind="{name}"', 0) for name in LATER_INCIDENT_KINDS)


def _results(counted: Counted) -> Iterator[Sample]:
    sightings = counted.standing.sightings
    yield ',result="up"', sum(s.up_count for s in sightings)
    yield ',result="slow"', sum(s.slow_count for s in sightings)
    yield ',result="down"', sum(s.down_count for s in sightings)
    yield ',result="unknown"', sum(s.unknown_count for s in sightings)
    yield ',result="error"', sum(s.missed_count for s in sightings)


def _open_incidents(counted: Counted) -> Iterator[Sample]:
    slug, is_open = counted.standing.slug, counted.incidents.is_open
    for kind, text in _KINDS:
        yield text, int((slug, kind) in is_open)
    yield from _NO_LATER_KINDS


def _opened_incidents(counted: Counted) -> Iterator[Sample]:
    slug, opened = counted.standing.slug, counted.incidents.opened
    for kind, text in _KINDS:
        yield text, opened.get((slug, kind), 0)
    yield from _NO_LATER_KINDS


COUNT_FAMILIES: tuple[SiteFamily[Counted], ...] = (
    SiteFamily(
        Family(
            name="fettle_checks_total",
            kind="counter",
            labels=(*WITHOUT_ADDRESS, "result"),
            meaning="Probes that ended, by result; error counts slots that could not be probed.",
        ),
        _results,
    ),
    SiteFamily(
        Family(
            name="fettle_incident_open",
            labels=(*WITHOUT_ADDRESS, "kind"),
            unit="bool",
            meaning="Whether an incident of this kind is open.",
        ),
        _open_incidents,
    ),
    SiteFamily(
        Family(
            name="fettle_incidents_total",
            kind="counter",
            labels=(*WITHOUT_ADDRESS, "kind"),
            meaning="Incidents opened; one that began slow and went down counts once as each.",
        ),
        _opened_incidents,
    ),
)
