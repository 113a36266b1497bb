"""A client's status page: what it tells, to whom, as page, JSON, RSS and badge, and how often."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree as ET

import httpx
import pytest

from monitor.rules.uptime import Uptime
from tests.builders import a_policy
from tests.clocks import FakeClock
from tests.desk import FakeWatch, Page
from tests.histories import a_history
from tests.portal import branded, portal_browser
from tickets.pages.watch import SiteHistory, SiteState, SiteView
from tickets.policy import Policy
from tickets.portal.status_board import KEPT_FOR, make_board
from tickets.rules.status_access import StatusAccess
from tickets.rules.words import format_date
from tickets.store import Session, Store

DAY = timedelta(days=1)
KEY = "k3y-of-harbour-inns-2026"


class CountingWatch(FakeWatch):
    """Counts how often the pasts are read."""

    def __init__(self) -> None:
        super().__init__()
        self.readings = 0

    def list_histories(self, tx: Session, client: str) -> list[SiteHistory]:
        """Return the histories that were set of one client's sites."""
        self.readings += 1
        return [*super().list_histories(tx, client)]


def history(
    clock: FakeClock,
    slug: str = "booking",
    *,
    name: str = "Booking site",
    state: SiteState = SiteState.UP,
    unusual: dict[int, Uptime] | None = None,
    client: str = "harbour",
) -> SiteHistory:
    view = SiteView(
        slug=slug,
        name=name,
        url=f"https://{slug}.secret-staging.test/",
        client=client,
        client_name="Harbour Inns",
        state=state,
        since=clock.now() - timedelta(minutes=43),
        last_probe_at=clock.now(),
        message="the server at 203.0.113.7 refused the connection",
        duration_seconds=None,
        open_ticket_reference="T-1008",
        interval=timedelta(minutes=1),
    )
    return a_history(view, now=clock.now(), unusual=unusual or {})


def read_xml(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314  (our own, made a moment ago)


@pytest.fixture
def watch() -> CountingWatch:
    return CountingWatch()


def browser(
    store: Store, clock: FakeClock, watch: FakeWatch, policy: Policy | None = None
) -> httpx.AsyncClient:
    return portal_browser(store, clock, policy, watch=watch)


def with_access(access: StatusAccess, key: str | None = None) -> Policy:
    policy = branded(a_policy())
    harbour = replace(policy.clients["harbour"], status_access=access, status_key=key)
    return replace(policy, clients={**policy.clients, "harbour": harbour})


def down(clock: FakeClock, slug: str = "booking", name: str = "Booking site") -> SiteHistory:
    outage = {0: Uptime(up=timedelta(hours=9), down=timedelta(minutes=43))}
    return history(clock, slug, name=name, state=SiteState.DOWN, unusual=outage)


async def test_all_is_well_in_one_sentence(
    sqlite_store: Store, clock: FakeClock, watch: CountingWatch
) -> None:
    watch.histories = {
        "booking": history(clock),
        "menu": history(clock, "menu", name="Menu"),
    }
    page = Page(await browser(sqlite_store, clock, watch).get("/status/harbour"))
    assert page.status == 200
    assert "Both websites are up" in page.text
    assert "Going on now" not in page.text


async def test_an_outage_is_told_in_plain_words_and_without_internals(
    sqlite_store: Store, clock: FakeClock, watch: CountingWatch
) -> None:
    watch.histories = {"booking": down(clock)}
    for form in ("", ".json", ".rss"):
        answer = await browser(sqlite_store, clock, watch).get(f"/status/harbour{form}")
        assert "Booking site is not answering" in answer.text
        for internal in ("203.0.113.7", "refused", "T-1008", "secret-staging"):
            assert internal not in answer.text, (form, internal)
    page = Page(await browser(sqlite_store, clock, watch).get("/status/harbour"))
    assert "Booking site is down" in page.text
    assert "has it in hand" in page.text


async def test_a_site_of_another_client_is_never_shown(
    sqlite_store: Store, clock: FakeClock, watch: CountingWatch
) -> None:
    watch.histories = {
        "booking": history(clock),
        "shop": history(clock, "shop", name="Wren shop", client="wren"),
    }
    for address in ("/status/harbour", "/status/harbour.json", "/status/harbour.rss"):
        assert "Wren" not in (await browser(sqlite_store, clock, watch).get(address)).text
    assert (
        await browser(sqlite_store, clock, watch).get("/status/harbour/shop/badge.svg")
    ).status_code == 404


@pytest.mark.parametrize(
    ("watched", "said"),
    [
        (90, "Up 100 % in 30 days, 100 % in 90 days"),
        (40, "Up 100 % in 30 days, 100 % since {first}"),
        (5, "Up 100 % since {first}"),
    ],
)
async def test_uptime_is_of_no_more_days_than_were_watched(
    sqlite_store: Store, clock: FakeClock, watch: CountingWatch, watched: int, said: str
) -> None:
    view = history(clock).view
    past = a_history(view, now=clock.now(), unusual={}, watched_for=watched)
    watch.histories = {"booking": past}
    page = Page(await browser(sqlite_store, clock, watch).get("/status/harbour"))
    assert said.format(first=format_date(past.days[-watched].on)) in page.text
    assert "One bar a day: up slow for a while down for a while unknown" in page.text


async def test_bars_have_their_days_in_words(
    sqlite_store: Store, clock: FakeClock, watch: CountingWatch
) -> None:
    past = {
        3: Uptime(up=timedelta(hours=22), slow=timedelta(hours=2)),
        13: Uptime(up=timedelta(hours=20), maintenance=timedelta(hours=4)),
        31: Uptime(unknown=timedelta(hours=20), up=timedelta(hours=4)),
    }
    watch.histories = {"booking": history(clock, unusual=past)}
    answer = await browser(sqlite_store, clock, watch).get("/status/harbour")
    drawing = answer.text.partition('class="bars"')[2].partition("</svg>")[0]
    assert drawing.count('<rect class="bar ') == 90 + 1
    page = Page(answer)
    for words in ("slow 2 h", "maintenance 4 h", "unknown 20 h"):
        assert words in page.text
    assert "the last 90 days, one bar a day: 3 with something to tell" in answer.text


async def test_json_shows_unknown_and_maintenance_apart(
    sqlite_store: Store, clock: FakeClock, watch: CountingWatch
) -> None:
    past = {1: Uptime(up=DAY / 2, maintenance=DAY / 4, unknown=DAY / 4)}
    watch.histories = {"booking": history(clock, unusual=past)}
    answer = await browser(sqlite_store, clock, watch).get("/status/harbour.json")
    assert answer.headers["access-control-allow-origin"] == "*"
    site = json.loads(answer.text)["sites"][0]
    yesterday = site["days"][-2]
    assert (yesterday["share"], yesterday["unknown_seconds"]) == (1.0, 21600.0)
    assert yesterday["maintenance_seconds"] == 21600.0
    assert site["maintenance"] == ["Sun 02:00 to 04:00"]
    assert json.loads(answer.text)["as_of"].endswith("+00:00")


async def test_rss_has_an_item_for_the_beginning_and_one_for_the_end(
    sqlite_store: Store, clock: FakeClock, watch: CountingWatch
) -> None:
    watch.histories = {"booking": down(clock, name="Booking <b>&amp; more")}
    answer = await browser(sqlite_store, clock, watch).get("/status/harbour.rss")
    feed = read_xml(answer.text)
    titles = [item.findtext("title") for item in feed.iter("item")]
    assert titles == [
        "Booking <b>&amp; more is not answering",
        "Booking <b>&amp; more is up again",
        "Booking <b>&amp; more is answering much more slowly than it should",
    ]
    identities = [item.findtext("guid") for item in feed.iter("item")]
    assert len(set(identities)) == 3
    again = read_xml((await browser(sqlite_store, clock, watch).get("/status/harbour.rss")).text)
    assert [item.findtext("guid") for item in again.iter("item")] == identities


async def test_a_badge_may_stand_on_the_pages_of_others(
    sqlite_store: Store, clock: FakeClock, watch: CountingWatch
) -> None:
    watch.histories = {"booking": down(clock, name='A "quoted" <name>')}
    answer = await browser(sqlite_store, clock, watch).get("/status/harbour/booking/badge.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    drawing = read_xml(answer.text)
    assert drawing.get("aria-label") == 'A "quoted" <name>: down'
    whole = await browser(sqlite_store, clock, watch).get("/status/harbour/badge.svg")
    assert read_xml(whole.text).get("aria-label") == "Harbour: down"


@pytest.mark.parametrize(
    ("access", "query", "status"),
    [
        (StatusAccess.PUBLIC, "", 200),
        (StatusAccess.LINK, f"?key={KEY}", 200),
        (StatusAccess.LINK, "", 404),
        (StatusAccess.LINK, "?key=", 404),
        (StatusAccess.LINK, "?key=k3y", 404),
        (StatusAccess.LINK, "?key=%C3%BC", 404),
        (StatusAccess.OFF, "", 404),
        (StatusAccess.OFF, f"?key={KEY}", 404),
    ],
)
async def test_who_may_read_it(
    sqlite_store: Store,
    clock: FakeClock,
    watch: CountingWatch,
    access: StatusAccess,
    query: str,
    status: int,
) -> None:
    watch.histories = {"booking": history(clock)}
    key = KEY if access is StatusAccess.LINK else None
    visitor = browser(sqlite_store, clock, watch, with_access(access, key))
    for form in ("", ".json", ".rss", "/badge.svg", "/booking/badge.svg"):
        answer = await visitor.get(f"/status/harbour{form}{query}")
        assert answer.status_code == status, form
        if status == 404:
            nobody = await visitor.get(f"/status/nobody{form}{query}")
            assert (nobody.status_code, nobody.text) == (404, answer.text)
            assert answer.headers["cache-control"] == "no-store"
        else:
            shared = "private" if access is StatusAccess.LINK else "public"
            assert answer.headers["cache-control"].startswith(shared)


async def test_links_of_a_page_with_a_key_carry_it(
    sqlite_store: Store, clock: FakeClock, watch: CountingWatch
) -> None:
    watch.histories = {"booking": history(clock)}
    visitor = browser(sqlite_store, clock, watch, with_access(StatusAccess.LINK, KEY))
    page = Page(await visitor.get(f"/status/harbour?key={KEY}"))
    assert page.links["RSS"] == f"/status/harbour.rss?key={KEY}"
    assert page.links["JSON"] == f"/status/harbour.json?key={KEY}"


async def test_many_visitors_cost_one_reading_and_an_unchanged_page_no_bytes(
    sqlite_store: Store, clock: FakeClock, watch: CountingWatch
) -> None:
    watch.histories = {"booking": history(clock)}
    visitor = browser(sqlite_store, clock, watch)
    first = await visitor.get("/status/harbour")
    for form in ("", ".json", ".rss", "/badge.svg"):
        await visitor.get(f"/status/harbour{form}")
    assert watch.readings == 1
    again = await visitor.get("/status/harbour", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    clock.advance(KEPT_FOR)
    watch.histories = {"booking": down(clock)}
    fresh = await visitor.get("/status/harbour", headers={"if-none-match": first.headers["etag"]})
    assert fresh.status_code == 200
    assert "Booking site is down" in fresh.text
    assert watch.readings == 2


@pytest.mark.parametrize(
    ("states", "sentence"),
    [
        ([], "No website is watched yet"),
        (["up"], "Site 0 is up"),
        (["up", "up"], "Both websites are up"),
        (["up", "up", "up"], "All 3 websites are up"),
        (["down"], "Site 0 is down"),
        (["down", "down"], "Both websites are down"),
        (["up", "slow", "down", "up"], "Site 2 is down, Site 1 is slow"),
        (["unknown", "up", "unknown"], "2 of 3 websites cannot be seen at this moment"),
        (["maintenance", "up"], "Site 0 is in maintenance"),
    ],
)
def test_the_sentence_says_whether_all_is_well(
    clock: FakeClock, states: list[str], sentence: str
) -> None:
    histories = [
        history(clock, f"site-{number}", name=f"Site {number}", state=SiteState(state))
        for number, state in enumerate(states)
    ]
    board = make_board(histories, now=clock.now())
    assert board.sentence == sentence
    worst = min(map(SiteState, states), key=[*SiteState].index, default=None)
    assert board.state is worst
