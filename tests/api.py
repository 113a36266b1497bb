"""An API to test: a real store, the real application, and programs with tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

import httpx
from starlette.applications import Starlette

from tests.builders import a_policy
from tests.clocks import FakeClock
from tests.tickets import opened
from tickets.accounts import PasswordHash, add_staff
from tickets.api.app import AT, ApiContext, api_mount
from tickets.policy import ClientProfile, Policy, SiteName
from tickets.rules.scope import Scope
from tickets.rules.staff import Role
from tickets.rules.ticket import Priority
from tickets.store import Store
from tickets.tokens import NewToken, add_token

BASE = f"http://desk.agency.test{AT}"

POLICY = replace(
    a_policy(),
    clients={
        "harbour": ClientProfile(
            name="Harbour Inns",
            sites=(SiteName("booking", "Booking site", "https://booking.harbour.test/"),),
        ),
        "wren": ClientProfile(name="Wren & Co"),
    },
)

BOTH = (Scope.TICKETS_READ, Scope.TICKETS_WRITE)


class ApiBench:
    """An API over ``store``, its clock, and what a test does with them."""

    def __init__(self, store: Store, clock: FakeClock, *, policy: Policy = POLICY) -> None:
        self.store = store
        self.clock = clock
        self.policy = policy
        context = ApiContext(store=store, policy=self.policy, clock=clock, version="1.2.3")
        self.app = Starlette(routes=[api_mount(context)])

    def staff(self, name: str = "Sam Okafor", *, role: Role = Role.STAFF) -> str:
        """Add an account at ``sam@agency.test`` for Sam Okafor and return the address."""
        person = self.store.write(
            partial(
                add_staff,
                email=f"{name.split(maxsplit=1)[0].lower()}@agency.test",
                name=name,
                role=role,
                password_hash=PasswordHash("nobody signs in with this"),
                at=self.clock.now(),
            )
        )
        return person.email

    def token(
        self,
        name: str = "Board",
        *,
        scopes: Sequence[Scope] = BOTH,
        client: str | None = None,
        staff: str | None = None,
        expires_at: datetime | None = None,
    ) -> NewToken:
        """Make a token; a program's unless ``staff`` is somebody's address."""
        return self.store.write(
            partial(
                add_token,
                name=name,
                scopes=scopes,
                client=client,
                staff_email=staff,
                expires_at=expires_at,
                at=self.clock.now(),
            )
        )

    def program(
        self,
        token: NewToken | str | None,
        *,
        address: str = "192.0.2.10",
        is_raising: bool = True,
    ) -> httpx.AsyncClient:
        """A program at ``address`` that sends ``token``."""
        text = token.text if isinstance(token, NewToken) else token
        transport = httpx.ASGITransport(
            self.app, client=(address, 50000), raise_app_exceptions=is_raising
        )
        headers = {} if text is None else {"Authorization": f"Bearer {text}"}
        return httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers)

    def person(self, name: str = "Sam Okafor") -> httpx.AsyncClient:
        """A program with the token of a new staff member."""
        return self.program(self.token(f"{name}'s", staff=self.staff(name)))

    def ticket(self, *, client: str = "harbour", priority: Priority = Priority.CRITICAL) -> str:
        """Open a ticket of ``client`` now and return its reference."""
        at = self.clock.now()
        return opened(self.store, self.policy, at=at, client=client, priority=priority)

    def tickets(self) -> tuple[str, str]:
        """Open two tickets of the client ``harbour`` and return their references."""
        return self.ticket(), self.ticket()
