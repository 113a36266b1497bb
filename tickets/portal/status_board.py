"""What a client's status page tells, as values: one sentence, sites, incidents; kept for seconds.

The page may be public: nothing here names an address, a ticket, a person or what staff saw.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tickets.clock import Clock
from tickets.pages.charts import (
    Bar,
    ResponseChart,
    day_bars,
    day_words,
    response_chart,
    uptime_parts,
)
from tickets.pages.watch import DayView, IncidentView, SiteHistory, SiteState, Watch, badness
from tickets.store import Session, Store

KEPT_FOR = timedelta(seconds=15)
"""How old a board may be that is shown: however many look at it, the store is read this often."""

SHOWN_FOR = timedelta(days=90)
"""How long an incident that is over is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardIncident:
    """An incident as clients read it; ``what`` is a whole sentence without its full stop."""

    site: str
    site_name: str
    state: SiteState
    what: str
    is_in_hand: bool
    started_at: datetime
    ended_at: datetime | None

    @property
    def key(self) -> str:
        """What tells the incident from all others of its client."""
        return f"{self.site}-{self.started_at:%Y%m%dT%H%M%S}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardSite:
    """A site on the board, with the drawings and the words for those who do not see them."""

    history: SiteHistory
    bars: Sequence[Bar]
    days_in_words: Sequence[str]
    unwatched_days: int
    chart: ResponseChart | None

    @property
    def slug(self) -> str:
        """The site's identity."""
        return self.history.view.slug

    @property
    def name(self) -> str:
        """The site's name."""
        return self.history.view.name

    @property
    def begins_on(self) -> date | None:
        """The first day that was watched; None if that is every day that is shown, or no day."""
        watched = [day.on for day in self.history.days if day.uptime is not None]
        return watched[0] if watched and watched[0] != self.history.days[0].on else None

    @property
    def state(self) -> SiteState:
        """How the site stands."""
        return self.history.view.state


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """How all sites of a client stand and stood, as seen at ``at``; ``state`` is the worst.

    ``current`` and ``past`` begin with the newest.
    """

    at: datetime
    state: SiteState | None
    sentence: str
    sites: Sequence[BoardSite]
    current: Sequence[BoardIncident]
    past: Sequence[BoardIncident]

    def find_site(self, slug: str) -> BoardSite | None:
        """Return the site with ``slug``; None if the client has none."""
        return next((site for site in self.sites if site.slug == slug), None)


class StatusBoards:
    """Reads boards, each at most once in ``KEPT_FOR`` however many ask at the same time."""

    def __init__(self, store: Store, watch: Watch, clock: Clock) -> None:
        self._store = store
        self._watch = watch
        self._clock = clock
        self._kept: dict[str, tuple[float, Board]] = {}
        self._reading: dict[str, asyncio.Lock] = {}

    async def get(self, client: str) -> Board:
        """Return the board of the client with slug ``client``, which must be configured.

        Raises ``Unavailable`` when the store does not answer.
        """
        async with self._reading.setdefault(client, asyncio.Lock()):
            now = self._clock.monotonic()
            kept = self._kept.get(client)
            if kept is not None and now - kept[0] < KEPT_FOR.total_seconds():
                return kept[1]
            board = await self._store.aread(lambda tx: self._read(tx, client))
            self._kept[client] = (now, board)
            return board

    def _read(self, tx: Session, client: str) -> Board:
        return make_board(self._watch.list_histories(tx, client), now=self._clock.now())


def make_board(histories: Sequence[SiteHistory], *, now: datetime) -> Board:
    """Return what is told of sites that stood like ``histories``."""
    ordered = sorted(histories, key=lambda one: (badness(one.view.state), one.view.name.casefold()))
    sites = [_site(history, now=now) for history in ordered]
    incidents = sorted(
        (_incident(site, one) for site in histories for one in site.incidents),
        key=lambda one: one.started_at,
        reverse=True,
    )
    return Board(
        at=now,
        state=min((site.state for site in sites), key=badness, default=None),
        sentence=sentence_of(sites),
        sites=sites,
        current=[one for one in incidents if one.ended_at is None],
        past=[one for one in incidents if one.ended_at and now - one.ended_at <= SHOWN_FOR],
    )


def _site(history: SiteHistory, *, now: datetime) -> BoardSite:
    return BoardSite(
        history=history,
        bars=day_bars(history.days),
        days_in_words=[day_words(day) for day in reversed(history.days) if _is_eventful(day)],
        unwatched_days=sum(day.uptime is None for day in history.days),
        chart=response_chart(history, now=now),
    )


def _is_eventful(day: DayView) -> bool:
    return day.uptime is not None and bool(uptime_parts(day.uptime))


def _incident(site: SiteHistory, incident: IncidentView) -> BoardIncident:
    return BoardIncident(
        site=site.view.slug,
        site_name=site.view.name,
        state=incident.state,
        what=f"{site.view.name} {incident.words}",
        is_in_hand=incident.is_in_hand,
        started_at=incident.started_at,
        ended_at=incident.ended_at,
    )


_SENTENCES: Mapping[SiteState, tuple[str, str]] = {
    SiteState.DOWN: ("is down", "are down"),
    SiteState.SLOW: ("is slow", "are slow"),
    SiteState.UNKNOWN: ("cannot be seen at this moment", "cannot be seen at this moment"),
    SiteState.MAINTENANCE: ("is in maintenance", "are in maintenance"),
}


def sentence_of(sites: Iterable[BoardSite]) -> str:
    """Return one sentence, without its full stop, on whether all is well."""
    names: dict[SiteState, list[str]] = {}
    for site in sites:
        names.setdefault(site.state, []).append(site.name)
    total = sum(map(len, names.values()))
    if not total:
        return "No website is watched yet"
    parts = [
        _clause(names[state], total, one=one, several=several)
        for state, (one, several) in _SENTENCES.items()
        if state in names
    ]
    if not parts:
        return _clause(names[SiteState.UP], total, one="is up", several="are up")
    return ", ".join(parts)


def _clause(names: Sequence[str], total: int, *, one: str, several: str) -> str:
    if len(names) == 1:
        return f"{names[0]} {one}"
    if len(names) < total:
        return f"{len(names)} of {total} websites {several}"
    return f"{'Both' if total == 2 else f'All {total}'} websites {several}"
