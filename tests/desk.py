"""A desk to test: a real store, the real application, and browsers that read its pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from html.parser import HTMLParser

import httpx
from starlette.types import ASGIApp

from tests.builders import a_policy
from tests.clocks import FakeClock
from tickets.accounts import (
    Credentials,
    NewSession,
    PasswordHash,
    Staff,
    add_staff,
    begin_session,
)
from tickets.desk.app import desk_app
from tickets.desk.context import DeskContext
from tickets.desk.sessions import PLAIN_COOKIE, SECURE_COOKIE
from tickets.pages.watch import SiteHistory, SiteState, SiteView, WatchSummary, badness
from tickets.policy import Policy
from tickets.rules.staff import Role
from tickets.store import Session, Store

INLINE = {"a", "b", "strong", "small", "span", "time", "code", "svg", "circle", "path", "rect"}
"""Elements that do not part the words around them."""


class FakeWatch:
    """A watch whose sites a test sets."""

    def __init__(self) -> None:
        self.sites: list[SiteView] = []
        self.warnings: tuple[str, ...] = ()
        self.histories: dict[str, SiteHistory] = {}

    def summary(self, tx: Session) -> WatchSummary:
        """Count the sites that were set."""
        states = [site.state.value for site in self.sites]
        return WatchSummary(
            up=states.count("up"),
            slow=states.count("slow"),
            down=states.count("down"),
            unknown=states.count("unknown"),
            maintenance=states.count("maintenance"),
            total=len(states),
            worst=min((site.state for site in self.sites), key=badness, default=None),
            warnings=self.warnings,
        )

    def list_sites(self, tx: Session) -> Sequence[SiteView]:
        """Return the sites that were set."""
        return self.sites

    def list_histories(self, tx: Session, client: str) -> Sequence[SiteHistory]:
        """Return the histories that were set of one client's sites."""
        return [one for one in self.histories.values() if one.view.client == client]

    def find_site(self, tx: Session, slug: str) -> SiteHistory | None:
        """Return the history that was set."""
        return self.histories.get(slug)


@dataclass(slots=True)
class Form:
    """A form of a page: where it goes, and what it would send."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict[str, str])


class Page(HTMLParser):
    """What a browser would make of an answer: text, forms, links and every element."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.status = response.status_code
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self.shape: list[tuple[str, tuple[str, ...]]] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self._text: list[str] = []
        self._area: str | None = None
        self._link: str | None = None
        self.feed(response.text)
        self.close()

    @property
    def text(self) -> str:
        """All text of the page, blanks joined."""
        return " ".join("".join(self._text).split())

    def form(self, action: str) -> Form:
        """The form that goes to ``action``; fails if there is none."""
        return next(form for form in self.forms if form.action == action)

    def has_form(self, action: str) -> bool:
        """Whether the page offers a form that goes to ``action``."""
        return any(form.action == action for form in self.forms)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self._part(tag)
        found = {name: value or "" for name, value in attrs}
        self.elements.append((tag, found))
        self.shape.append((tag, tuple(sorted(found))))
        if tag == "form":
            self.forms.append(Form(found.get("method", "get"), found.get("action", "")))
        elif tag == "input" and self.forms and "name" in found:
            if found.get("type") not in {"radio", "checkbox"} or "checked" in found:
                self.forms[-1].fields[found["name"]] = found.get("value", "")
        elif tag == "textarea" and self.forms and "name" in found:
            self._area = found["name"]
            self.forms[-1].fields[self._area] = ""
        elif tag == "a":
            self._link = found.get("href", "")

    def handle_endtag(self, tag: str) -> None:
        """Note the end of an element."""
        self._part(tag)
        if tag == "textarea":
            self._area = None
        elif tag == "a":
            self._link = None

    def _part(self, tag: str) -> None:
        if tag not in INLINE:
            self._text.append(" ")

    def handle_data(self, data: str) -> None:
        """Note text."""
        self._text.append(data)
        if self._area is not None:
            # a browser drops the line end that follows the tag
            self.forms[-1].fields[self._area] += data.removeprefix("\n")
        if self._link is not None:
            self.links.setdefault(" ".join(data.split()), self._link)


class DeskBench:
    """A desk over ``store``, its clock, its watch, and what a test does with them."""

    def __init__(
        self, store: Store, clock: FakeClock, *, base_url: str = "http://desk.agency.test"
    ) -> None:
        self.store = store
        self.clock = clock
        self.watch = FakeWatch()
        self.with_policy(replace(a_policy(), base_url=base_url))

    def with_policy(self, policy: Policy) -> DeskBench:
        """Let the desk work with ``policy`` from now on; return the bench."""
        self.policy = policy
        self.app: ASGIApp = desk_app(
            DeskContext(
                store=self.store,
                policy=policy,
                clock=self.clock,
                watch=self.watch,
                version="1.2.3",
            )
        )
        return self

    @property
    def cookie(self) -> str:
        """The name of the session's cookie."""
        return SECURE_COOKIE if self.policy.base_url.startswith("https") else PLAIN_COOKIE

    def staff(
        self,
        name: str = "Sam Okafor",
        *,
        role: Role = Role.STAFF,
        password_hash: str = "$argon2id$none",
    ) -> Staff:
        """Add an account at ``sam@agency.test`` for Sam Okafor."""
        return self.store.write(
            partial(
                add_staff,
                email=f"{name.split(maxsplit=1)[0].lower()}@agency.test",
                name=name,
                role=role,
                password_hash=PasswordHash(password_hash),
                at=self.clock.now(),
            )
        )

    def session(self, staff: Staff, *, password_hash: str = "$argon2id$none") -> NewSession:
        """Begin a session without asking for a password."""
        session = self.store.write(
            partial(
                begin_session,
                credentials=Credentials(
                    staff_id=staff.id, password_hash=PasswordHash(password_hash)
                ),
                at=self.clock.now(),
            )
        )
        assert session is not None
        return session

    def visitor(self, *, address: str = "192.0.2.10", is_raising: bool = True) -> httpx.AsyncClient:
        """A browser that is not signed in."""
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(
                self.app, client=(address, 50000), raise_app_exceptions=is_raising
            ),
            base_url=self.policy.base_url,
            headers={"Origin": self.policy.base_url, "Sec-Fetch-Site": "same-origin"},
        )

    def browser(self, session: NewSession) -> httpx.AsyncClient:
        """A browser with the cookie of ``session``."""
        client = self.visitor()
        client.headers["Cookie"] = f"{self.cookie}={session.token}"
        return client


async def send(
    client: httpx.AsyncClient, form: Form, extra: Mapping[str, str] | None = None
) -> httpx.Response:
    """Send a form of a page with what was typed into it."""
    assert form.method == "post"
    return await client.post(form.action, data={**form.fields, **(extra or {})})


async def see(client: httpx.AsyncClient, address: str) -> Page:
    """Open a page, which must be there."""
    response = await client.get(address)
    assert response.status_code == 200, response.text
    return Page(response)


def a_view(bench: DeskBench, *, name: str = "Booking site", message: str = "") -> SiteView:
    """Harbour's booking site, which is up, as the desk of ``bench`` is told of it."""
    return SiteView(
        slug="booking",
        name=name,
        url="https://booking.harbour.test/",
        client="harbour",
        client_name="Harbour Inns",
        state=SiteState.UP,
        since=bench.clock.now() - timedelta(days=3),
        last_probe_at=bench.clock.now() - timedelta(seconds=20),
        message=message,
        duration_seconds=0.41,
        open_ticket_reference=None,
        interval=timedelta(minutes=1),
    )
